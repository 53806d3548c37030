"""A training whose parts are killed or hang goes on, and ends where an undisturbed one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from jobs.command import _status
from lungseg import shards
from lungseg.segmenter import Segmenter
from lungseg.training.history import Row, read_history

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

EPOCHS = 5
TRAIN = ["train", "--model", "unet", "--epochs", str(EPOCHS), "--precision", "float32"]
TRAIN += ["--workers", "2", "--cpus-per-worker", "0.5", "--batch-size", "1"]
for name, value in {
    "data.size": 32,
    "network.widths": [8, 16, 32],
    "train.deterministic": "true",
    "train.learning_rate": 0.01,
    "train.hang_seconds": 20,
}.items():
    TRAIN += ["--set", f"{name}={value}"]


@pytest.fixture(scope="module")
def undisturbed(tiny_shards: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("undisturbed") / "model"
    assert _status([*TRAIN, "--shards", tiny_shards, "--out", str(model)]) == 0
    return model


@pytest.mark.parametrize(
    ("who", "how"),
    [
        ("RayTrainWorker", signal.SIGKILL),
        ("RayTrainWorker", signal.SIGSTOP),
        ("TrainController", signal.SIGKILL),
    ],
)
def test_a_lost_or_hanging_process_costs_an_epoch_at_most(
    who: str,
    how: signal.Signals,
    undisturbed: Path,
    tiny_shards: str,
    tmp_path: Path,
    ray_processes: Callable[[str, int], list[int]],
    room_is_free: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "model"
    command = [*TRAIN, "--shards", tiny_shards, "--out", str(model)]
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(_status, command)
        rows = wait_for_epochs(model, 2)
        victim = ray_processes(who, 2 if who == "RayTrainWorker" else 1)[-1]
        # The next epoch starts as soon as the row is written.
        time.sleep(rows[-1]["seconds"] / 2)
        os.kill(victim, how)
        reached = len(history(model))
        assert training.result() == 0
    assert not Path(f"/proc/{victim}").exists()
    told = capsys.readouterr().out
    assert told.count("unet fold 0 seed 0: workers were lost, going on with 2") == 1
    assert 2 <= reached < EPOCHS
    assert [row["epoch"] for row in history(model)] == list(range(1, EPOCHS + 1))
    assert dice_on_test(model, tiny_shards) == pytest.approx(
        dice_on_test(undisturbed, tiny_shards), abs=0.01
    )
    for one, other in zip(history(model), history(undisturbed), strict=True):
        assert one["val_dice"] == pytest.approx(other["val_dice"], abs=1e-6)
    room_is_free()


def test_a_controller_that_is_lost_once_too_often_is_told_in_one_line(
    tiny_shards: str,
    tmp_path: Path,
    ray_processes: Callable[[str, int], list[int]],
    room_is_free: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "model"
    command = [*TRAIN, "--shards", tiny_shards, "--out", str(model), "--epochs", "1000"]
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(_status, [*command, "--set", "train.max_failures=0"])
        wait_for_epochs(model, 1)
        os.kill(ray_processes("TrainController", 1)[0], signal.SIGKILL)
        assert training.result() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lungseg: unet fold 0 seed 0: the process that leads its workers was")
    assert line.endswith("the same command goes on from there")
    room_is_free()


def test_sigterm_ends_a_training_like_ctrl_c(tiny_shards: str, tmp_path: Path) -> None:
    import ray

    model = tmp_path / "model"
    command = [*TRAIN, "--shards", tiny_shards, "--out", str(model), "--epochs", "1000"]
    address = ray.get_runtime_context().gcs_address
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.command", *command, "--address", address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_epochs(model, 1)
        process.terminate()
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert told == "lungseg: stopped; the same command goes on from here\n"


def history(model: Path) -> list[Row]:
    return read_history(str(model / "history.csv"))


def wait_for_epochs(model: Path, count: int) -> list[Row]:
    deadline = time.monotonic() + 120
    while len(rows := history(model)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(rows) >= count
    return rows


def dice_on_test(model: Path, folder: str) -> float:
    """Mean Dice on the test films."""
    segmenter = Segmenter.load(str(model))
    found = []
    for path in shards.files(folder, "test"):
        table = shards.read_file(path)
        films, masks = (table[name].combine_chunks().to_numpy_ndarray() for name in shards.TENSORS)
        for film, mask in zip(films[..., 0], masks[..., 0] > 0, strict=True):
            predicted = segmenter.predict(film)
            found.append(2 * (predicted & mask).sum() / (predicted.sum() + mask.sum()))
    return float(np.mean(found))
