"""Lines on the screen for a search: how each trial ended, and how far the running ones are."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from ray.tune import Callback

from jobs.failures import last_line
from jobs.screen import say
from jobs.trial import METRIC
from lungseg import storage
from lungseg.search import space, trials
from lungseg.settings import Settings
from lungseg.training.history import read_history

_BETWEEN_EPOCHS = 30.0
"""Seconds from one line about a running trial to the next: a search has hundreds of epochs."""


class FollowTrials(Callback):
    """Keeps how each trial ended, and prints it; now and then how far a running one is."""

    def __init__(self, search: str, settings: Settings, places: int) -> None:
        self._search, self._epochs = search, settings.train.epochs
        self._freed = [time.time()] * places
        self._begun: dict[int, float] = {}
        self._told = {trial.number for trial in trials.read_trials(search) if trial.ended}
        self._last_line = time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self._freed:
            self._begun.setdefault(trial.config["trial"]["number"], self._freed.pop(0))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        own, now = trial.config["trial"], time.monotonic()
        if own["number"] in self._told or now - self._last_line < _BETWEEN_EPOCHS:
            return
        self._last_line = now
        say(
            f"         trial {own['number']:>3}: {space.named(own['values'])}  "
            f"val Dice {result[METRIC]:.4f}  in epoch {result['epoch']} of {self._epochs}"
        )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial.config["trial"]["number"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_error()
        reason = last_line(error) if error else "its process was lost"
        self._end(trial.config["trial"]["number"], reason)

    def _end(self, number: int, reason: str = "") -> None:
        self._freed.append(time.time())
        trial = trials.read_trial(self._search, number)
        if trial is None:
            return
        folder = trials.folder_of(self._search, number)
        history = read_history(storage.join(folder, "history.csv"))
        if not trial.ended:
            whole = trials.ALL_EPOCHS if len(history) >= self._epochs else trials.STOPPED
            trial = replace(trial, ended=trials.FAILED if reason else whole, reason=reason)
        if not trial.seconds and number in self._begun:
            # It ended before an epoch, or as a run of Ray Train that the search has ended.
            trial = replace(trial, seconds=time.time() - self._begun[number])
        start = (trial.first_step_at or 0.0) - self._begun.get(number, math.inf)
        # Below 0 for a trial that goes on: it did its first step before the search was cut short.
        if trial.start_seconds is None and start > 0:
            trial = replace(trial, start_seconds=start)
        trials.write_trial(self._search, trial)
        if number in self._told:
            return
        self._last_line = time.monotonic()
        dice = max((row["val_dice"] for row in history), default=0.0)
        why = f": {trial.reason}" if trial.reason else ""
        say(
            f"         trial {number:>3}: {space.named(trial.values)}  val Dice {dice:.4f}  "
            f"{trial.ended} after {len(history)} epochs, {trial.seconds:.0f} s{why}"
        )
