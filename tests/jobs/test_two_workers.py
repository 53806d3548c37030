"""Two workers are one: the distributed step under Ray Train, with real collectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungseg.resolve import resolve
from lungseg.settings import Settings

TRAIN_CASES, VAL_CASES, SIZE = 13, 7, 32
GLOBAL_BATCH = 4


def settings_for(workers: int, *, batch_norm: str, precision: str) -> Settings:
    return resolve(
        options={
            "models": "unet",
            "data.size": SIZE,
            "network.widths": [4, 8],
            "network.batch_norm": batch_norm,
            "train.epochs": 1,
            "train.batch_size": GLOBAL_BATCH // workers,
            "compute.workers": workers,
            "train.precision": precision,
            "train.augment": False,
        }
    )


def films(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy films whose mask is a bright rectangle."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (count, SIZE, SIZE, 1)).astype(np.uint8)
    masks = np.zeros_like(images)
    for index in range(count):
        top, left = random.integers(2, 16, 2)
        masks[index, top : top + 12, left : left + 10] = 1
    return images + masks * 100, masks


def train_on_this_worker(config: dict[str, Any]) -> None:
    """Three steps through the product's own loop; every rank stores all its variables."""
    import ray.train

    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(1)
    from lungseg.training import feed
    from lungseg.training.fit import fit

    settings = Settings.model_validate(config["settings"])
    rank = ray.train.get_context().get_world_rank()
    workers = ray.train.get_context().get_world_size()
    size = GLOBAL_BATCH // workers
    images, masks = films(TRAIN_CASES, 0)
    val_images, val_masks = films(VAL_CASES, 1)

    def train(epoch: int, batch_size: int) -> Any:
        assert batch_size == size
        for first in range(rank * size, TRAIN_CASES, GLOBAL_BATCH):
            part = slice(first, first + size)
            yield {"image": images[part], "mask": masks[part]}

    trained = fit(
        settings,
        "unet",
        seed=0,
        source=feed.Feed(
            train, lambda: [{"image": val_images, "mask": val_masks}], TRAIN_CASES, VAL_CASES
        ),
        report=lambda row, folder: None,
    )
    model = trained.model
    values = {
        f"{kind}/{variable.path}": np.asarray(variable)
        for kind, variables in (
            ("trainable", model.trainable_variables),
            ("statistics", model.non_trainable_variables),
            ("optimizer", model.optimizer.variables),
        )
        for variable in variables
    }
    values["val_dice"] = np.array(trained.history[-1]["val_dice"])
    values["threshold"] = np.array(trained.calibration.threshold)
    np.savez(f"{config['out']}/{workers}-{rank}.npz", **values)


def run(out: Path, workers: int, settings: Settings) -> list[dict[str, np.ndarray]]:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from jobs.tensorflow_group import TensorflowGroup

    DataParallelTrainer(
        train_on_this_worker,
        backend_config=TensorflowGroup(),
        train_loop_config={"settings": settings.model_dump(mode="json"), "out": str(out)},
        scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 0.5}),
        run_config=RunConfig(name=f"workers-{workers}", storage_path=str(out)),
    ).fit()
    return [load(out / f"{workers}-{rank}.npz") for rank in range(workers)]


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_two_workers_equal_one_with_synchronised_statistics(
    tmp_path: Path, precision: str, tolerance: float
) -> None:
    """In float32, rounding may put a ReLU's input on the other side of 0: that is no difference
    of method, which float64 would show as well."""
    options = {"batch_norm": "synchronized", "precision": precision}
    first, second = run(tmp_path, 2, settings_for(2, **options))
    (alone,) = run(tmp_path, 1, settings_for(1, **options))
    assert first.keys() == second.keys() == alone.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    for name, value in alone.items():
        difference = np.abs(first[name].astype(float) - value).max()
        assert difference <= tolerance * np.abs(value).max(), name


@pytest.mark.usefixtures("cluster")
def test_fused_statistics_are_averaged_before_validation(tmp_path: Path) -> None:
    first, second = run(tmp_path, 2, settings_for(2, batch_norm="fused", precision="bfloat16"))
    assert any(name.startswith("statistics/") for name in first)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
