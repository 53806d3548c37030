"""The grid of trainings: folds, side by side, and a training that fails alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf

from jobs.run import run
from lungseg.errors import WorkError
from lungseg.resolve import resolve

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


def test_a_lost_loss_ends_its_training_only(tmp_path: Path) -> None:
    """An absurd rate overflows; what was trained before stays, and the rate is told."""
    folder = tmp_path / "run"
    wild = {"train.learning_rate": 1e30, "train.epochs": 3, "network.batch_norm": "none"}
    with pytest.raises(WorkError, match=r"at learning rate 1e\+30: train it with a lower one"):
        run([], str(folder), resolve(options=TINY | wild))
    history = folder / "models/unet/fold-0/seed-0/history.csv"
    if history.exists():
        assert len(list(csv.DictReader(history.read_text().splitlines()))) < 3
