"""What is kept of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lungseg import storage
from lungseg.errors import UserError
from lungseg.resolve import resolve
from lungseg.search import trials
from lungseg.search.trials import Trial
from lungseg.training.history import COLUMNS, write_history


def keep(search: str, number: int, rate: float, dice: list[float], ended: str) -> None:
    trials.write_trial(search, Trial(number, {"train.learning_rate": rate}, ended=ended))
    rows = [
        dict.fromkeys(COLUMNS, 0.0) | {"epoch": epoch, "val_dice": value}
        for epoch, value in enumerate(dice, start=1)
    ]
    write_history(storage.join(trials.folder_of(search, number), "history.csv"), rows)


def test_the_best_that_did_not_fail_is_found(tmp_path: Path) -> None:
    search = str(tmp_path / "search" / "unet")
    keep(search, 0, 0.002, [0.5, 0.8, 0.7], trials.ALL_EPOCHS)
    keep(search, 1, 0.05, [0.6, 0.9], trials.FAILED)
    keep(search, 2, 0.01, [0.85], trials.STOPPED)
    table = trials.write_tables(search)
    assert table["best_val_dice"].tolist() == [0.8, 0.9, 0.85]
    assert table["epochs"].tolist() == [3, 2, 1]
    assert trials.best_of(table) == 2
    assert trials.best_dice(table) == 0.85
    assert trials.ranked(table)["trial"].tolist() == [2, 0, 1]
    with pytest.raises(UserError, match="no search has ended in"):
        trials.read_best(search)
    found = trials.write_best(search, "unet", table, ["train.learning_rate"])
    assert found == trials.read_best(search) == {"train.learning_rate": 0.01}
    # The file is one that --config takes, too.
    best = storage.join(search, trials.BEST)
    assert resolve(config=best).train.learning_rate == 0.01
    assert "number 2, validation Dice 0.8500" in storage.read_text(best)
    curves = storage.read_text(storage.join(search, trials.CURVES))
    assert curves.count("\n") == 1 + 6


def test_where_all_fail_there_is_no_best(tmp_path: Path) -> None:
    search = str(tmp_path)
    for number in (0, 1):
        trials.write_trial(
            search, Trial(number, {"train.learning_rate": 1.0}, trials.FAILED, "NaN")
        )
    assert trials.best_of(trials.write_tables(search)) is None


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    trial = Trial(7, {"network.widths": [8, 16]}, trials.FAILED, "no number", 3.5, 1.0, 2.0)
    trials.write_trial(str(tmp_path), trial)
    assert trials.read_trial(str(tmp_path), 7) == trial
    assert trials.read_trials(str(tmp_path)) == [trial]
    assert trials.read_trial(str(tmp_path), 8) is None
    assert replace(trial, ended="").ended == ""
