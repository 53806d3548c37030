"""The grid of trainings: folds, side by side, and a training that fails alone."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf

from jobs.grid import train_all
from jobs.run import run
from jobs.train_worker import Training
from lungseg.errors import WorkError
from lungseg.resolve import resolve
from lungseg.training.history import read_history

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

TINY = {
    "models": "unet",
    "data.size": 32,
    "data.phantoms": 24,
    "data.phantom_size": 64,
    "data.cases_per_shard": 8,
    "network.widths": [4, 8],
    "train.epochs": 1,
    "train.batch_size": 4,
    "report.resamples": 200,
}


def test_folds_side_by_side(tmp_path: Path) -> None:
    changes = {"data.folds": 2, "compute.parallel": 2, "compute.cpus_per_worker": 0.5}
    run([], str(tmp_path / "run"), resolve(options=TINY | changes))
    tables = []
    for fold in (0, 1):
        model = tmp_path / "run" / "models" / "unet" / f"fold-{fold}" / "seed-0"
        info = json.loads((model / "segmenter.json").read_text())
        assert info["training"]["fold"] == fold
        (events,) = (model / "tensorboard").iterdir()
        tags = {
            value.tag
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
        }
        assert {"loss", "val_dice", "learning_rate", "images_per_second"} <= tags
        tables.append(pd.read_parquet(tmp_path / f"run/scores/unet/fold-{fold}_seed-0.parquet"))
    assert list(tables[0]["case_id"]) == list(tables[1]["case_id"])


def test_trainings_that_fail_do_not_stop_the_others(
    tiny_shards: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An absurd rate overflows, a file stands where a folder should be; the third one is done."""
    (tmp_path / "file").touch()
    wild = {"train.learning_rate": 1e30, "train.epochs": 3, "network.batch_norm": "none"}
    settings = {
        "unet": resolve(options=TINY | wild),
        "resunet": resolve(options=TINY | {"models": "resunet"}),
    }
    trainings = [
        Training("unet", tiny_shards, str(tmp_path / "wild")),
        Training("resunet", tiny_shards, str(tmp_path / "file" / "model")),
        Training("resunet", tiny_shards, str(tmp_path / "tame")),
    ]
    failures = train_all(trainings, settings)
    told = capsys.readouterr().out
    assert len(failures) == 2
    assert "at learning rate 1e+30: train it with a lower one" in failures[0]
    assert "Not a directory" in failures[1]
    assert all(f"failed: {line}" in told for line in failures)
    assert len(read_history(str(tmp_path / "wild" / "history.csv"))) < 3
    assert (tmp_path / "tame" / "segmenter.json").exists()
    with pytest.raises(WorkError, match="Not a directory"):
        train_all(trainings[1:2], settings)
