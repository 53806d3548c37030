"""Optuna's tree-structured Parzen estimator for Ray Tune, with numbered trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.tune.search import Searcher

from lungseg.search.space import Values, fitting
from lungseg.settings import Range, TuneSettings


class NumberedTpe(Searcher):
    """Draws settings after what the trials before have reached (Bergstra 2011, NIPS 24).

    Args:
        tune: what is searched.
        metric: to be maximised.
        points: settings of the trials that have begun, and of trial 0, by number.
    """

    def __init__(self, tune: TuneSettings, metric: str, points: Mapping[int, Values]) -> None:
        super().__init__(metric=metric, mode="max")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna, self._space, self._points = optuna, tune.space, dict(points)
        sampler = optuna.samplers.TPESampler(seed=tune.seed, n_startup_trials=4)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: dict[str, Any] = {}
        self._best: dict[str, float] = {}
        self._given = 0

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """The next trial's number and values."""
        number = self._given
        self._given += 1
        fixed = self._points.get(number)
        if fixed is not None:
            self._study.enqueue_trial(self._coded(fixed))
        self._open[trial_id] = asked = self._study.ask()
        usual = self._points[0]
        drawn = {
            name: fitting(_draw(asked, name, range_), usual[name])
            for name, range_ in self._space.items()
        }
        return {"trial": {"number": number, "values": fixed or drawn}}

    def _coded(self, values: Values) -> Values:
        """Values as Optuna knows them, without those outside of what is searched."""
        coded: Values = {}
        for name, range_ in self._space.items():
            value = values[name]
            if range_.choices and value in range_.choices:
                coded[name] = range_.choices.index(value)
            elif not range_.choices and range_.holds(value):
                coded[name] = float(value)
        return coded

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Remember the best value of a trial."""
        value = float(result.get(self.metric, 0.0))
        self._best[trial_id] = max(value, self._best.get(trial_id, 0.0))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the estimator what a trial has reached."""
        asked = self._open.pop(trial_id, None)
        if asked is not None:
            self._study.tell(asked, self._best.get(trial_id, 0.0))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search that goes on is told all trials again."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as in `save`."""


def _draw(asked: Any, name: str, range_: Range) -> Any:
    if range_.choices:
        return range_.choices[asked.suggest_int(name, 0, len(range_.choices) - 1)]
    return float(f"{asked.suggest_float(name, range_.low, range_.high, log=range_.log):.3g}")
