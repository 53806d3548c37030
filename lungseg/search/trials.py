"""What is kept of a search: a folder a trial, `trials.csv`, `curves.csv` and `best.yaml`.

SEARCH/unet/search.json              what is searched, with its fingerprint
SEARCH/unet/trials/007/trial.json    settings of a trial, and how it ended
SEARCH/unet/trials/007/history.csv   its epochs; beside it its checkpoint, while it runs and of the
                                     best trial for good: a training goes on from there
SEARCH/unet/trials.csv               one row a trial
SEARCH/unet/curves.csv               one row a trial and epoch
SEARCH/unet/best.yaml                the settings found, as `--config` takes them
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import yaml

from lungseg import storage
from lungseg.errors import UserError
from lungseg.search.space import Values
from lungseg.training.history import read_history

ALL_EPOCHS = "all epochs"
NO_GAIN = "no further gain"
STOPPED = "stopped early"
FAILED = "failed"
"""How a trial can end: STOPPED by the search's scheduler, NO_GAIN by its own patience."""

BEST = "best.yaml"
TRIALS = "trials.csv"
CURVES = "curves.csv"
_RECORD = "trial.json"


@dataclass(frozen=True)
class Trial:
    """The record of one trial."""

    number: int
    values: Values
    fingerprint: str = ""
    """Of its training's plan (see `lungseg.training.plan`)."""
    ended: str = ""
    reason: str = ""
    """Why it failed."""
    seconds: float = 0.0
    """From the trial's begin to its last epoch, over all starts."""
    first_step_at: float | None = None
    """When its first step was done [s since 1970]."""
    start_seconds: float | None = None
    """From the moment its place was free to the end of its first step."""


def folder_of(search: str, number: int) -> str:
    """Where a trial is kept."""
    return storage.join(search, "trials", f"{number:03d}")


def read_trial(search: str, number: int) -> Trial | None:
    """The record of a trial; None where it has not begun."""
    path = storage.join(folder_of(search, number), _RECORD)
    return Trial(**json.loads(storage.read_text(path))) if storage.exists(path) else None


def write_trial(search: str, trial: Trial) -> None:
    """Keep the record of a trial."""
    path = storage.join(folder_of(search, trial.number), _RECORD)
    storage.write_text(path, json.dumps(asdict(trial), indent=2))


def read_trials(search: str) -> list[Trial]:
    """The records of all trials that have begun, by number."""
    folders = storage.list_folders(storage.join(search, "trials"))
    found = (read_trial(search, int(folder.rsplit("/", 1)[-1])) for folder in folders)
    return sorted((trial for trial in found if trial), key=lambda trial: trial.number)


def of_training(search: str, fingerprint: str) -> str | None:
    """Folder of the ended trial whose training had this fingerprint, None where there is none."""
    numbers = (t.number for t in read_trials(search) if t.ended and t.fingerprint == fingerprint)
    return next((folder_of(search, number) for number in numbers), None)


def write_tables(search: str) -> pd.DataFrame:
    """Write `trials.csv` and `curves.csv` out of the trials' folders.

    Returns:
        The rows of `trials.csv`: trial, the searched settings, epochs, best_val_dice, seconds,
        start_seconds, ended, reason.
    """
    rows, curves = [], []
    for trial in read_trials(search):
        history = read_history(storage.join(folder_of(search, trial.number), "history.csv"))
        curves += [{"trial": trial.number} | row for row in history]
        rows.append(
            {
                "trial": trial.number,
                **trial.values,
                "epochs": len(history),
                "best_val_dice": max((row["val_dice"] for row in history), default=float("nan")),
                "seconds": round(trial.seconds, 1),
                "start_seconds": _rounded(trial.start_seconds),
                "ended": trial.ended,
                "reason": trial.reason,
            }
        )
    table = pd.DataFrame(rows)
    storage.write_text(storage.join(search, TRIALS), table.to_csv(index=False))
    storage.write_text(storage.join(search, CURVES), pd.DataFrame(curves).to_csv(index=False))
    return table


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `trials.csv`, best first; trials that failed come last, whatever they reached."""
    by_dice = table.sort_values("best_val_dice", ascending=False, kind="stable")
    return by_dice.sort_values("ended", key=lambda ended: ended == FAILED, kind="stable")


def best_of(table: pd.DataFrame) -> int | None:
    """Number of the best trial that did not fail; None where all have."""
    good = table[(table["ended"] != FAILED) & table["best_val_dice"].notna()]
    return None if good.empty else int(ranked(good)["trial"].iloc[0])


def best_dice(table: pd.DataFrame) -> float:
    """Validation Dice of the best trial that did not fail; not a number where all have."""
    found = table.loc[table["trial"] == best_of(table), "best_val_dice"]
    return float("nan") if found.empty else float(found.iloc[0])


def write_best(search: str, model: str, table: pd.DataFrame, names: Sequence[str]) -> Values:
    """Write the settings of the best trial to `best.yaml`.

    Returns:
        Those settings.
    """
    number = best_of(table)
    assert number is not None
    trial = read_trial(search, number)
    assert trial is not None
    tree: dict[str, Any] = {}
    for name in names:
        section, _, inner = name.partition(".")
        tree.setdefault(section, {})[inner] = trial.values[name]
    text = (
        f"# The best of {len(table)} trials of {model}: number {number}, "
        f"validation Dice {best_dice(table):.4f}.\n{yaml.safe_dump(tree, sort_keys=False)}"
    )
    storage.write_text(storage.join(search, BEST), text)
    return {name: trial.values[name] for name in names}


def read_best(search: str) -> Values:
    """The settings in `best.yaml`, by dotted name.

    Raises:
        UserError: there is no such file, since no search has ended there.
    """
    path = storage.join(search, BEST)
    if not storage.exists(path):
        raise UserError(f"no search has ended in {search} (no {BEST}): run lungseg tune first")
    tree: Mapping[str, Mapping[str, Any]] = yaml.safe_load(storage.read_text(path))
    return {
        f"{section}.{name}": value
        for section, inner in tree.items()
        for name, value in inner.items()
    }
