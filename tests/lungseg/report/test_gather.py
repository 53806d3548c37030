"""Which runs of a network are one model, and which are models apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lungseg.errors import UserError
from lungseg.report.gather import gather
from lungseg.report.run import read_run
from lungseg.resolve import resolve
from lungseg.training.plan import make_plan

WriteRun = Callable[..., str]


def _write_plans(run: str, *assignments: str) -> None:
    settings = resolve(assignments=assignments)
    for seed, folder in enumerate(sorted(Path(run).glob("models/unet/fold-0/seed-*"))):
        plan = make_plan(settings, "unet", seed=seed, fold=0, data_fingerprint="0" * 16)
        (folder / "plan.json").write_text(json.dumps(plan))


@pytest.mark.parametrize(
    "assignment",
    ["train.loss=tversky", "train.epochs=7", "train.precision=float32", "augmentation.zoom=0.3"],
)
def test_runs_of_other_settings_of_the_training_stay_apart(
    write_run: WriteRun, tmp_path: Path, assignment: str
) -> None:
    runs = [write_run(tmp_path / name, cases=3, models=("unet",), seeds=2) for name in "ab"]
    _write_plans(runs[0])
    _write_plans(runs[1], assignment)
    gathered = gather([read_run(run) for run in runs])
    assert gathered.titles == {"unet (a)": "U-Net (a)", "unet (b)": "U-Net (b)"}
    assert [len(gathered.trainings[name]) for name in gathered.models] == [2, 2]


def test_runs_whose_settings_change_nothing_are_one_model(
    write_run: WriteRun, tmp_path: Path
) -> None:
    runs = [write_run(tmp_path / name, cases=3, models=("unet",), seeds=2) for name in "ab"]
    _write_plans(runs[0])
    harmless = ["train.max_failures=0", "train.hang_seconds=5", "train.mlflow=http://x"]
    _write_plans(runs[1], *harmless, "compute.workers=2", "predict.batch_size=3")
    gathered = gather([read_run(run) for run in runs])
    assert gathered.models == ["unet"]
    assert len(gathered.trainings["unet"]) == 4


def test_runs_of_other_post_processing_stay_apart(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, cases=3, models=("unet",)) for name in "ab"]
    path = tmp_path / "b" / "models" / "unet" / "fold-0" / "seed-0" / "segmenter.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"min_area_fraction": 0.02}))
    assert gather([read_run(run) for run in runs]).models == ["unet (a)", "unet (b)"]


def test_damaged_plan_is_told(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", cases=3, models=("unet",))
    (tmp_path / "run" / "models" / "unet" / "fold-0" / "seed-0" / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json is damaged \(.*\): copy it again"):
        read_run(run)
