"""Which settings the trials of a search are given."""

from __future__ import annotations

import difflib
import importlib.util
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lungseg.errors import UserError
from lungseg.resolve import describe, value_of, with_values
from lungseg.settings import Range, Settings, TuneSettings

Values = dict[str, Any]
"""Setting names and the values that a trial gives them."""

_SEARCHABLE = ("train.", "network.", "augmentation.")


def check(settings: Settings) -> None:
    """See that every searched setting exists and takes all values of its range, and that these can
    be drawn.

    Raises:
        UserError: one does not, and the nearest known name, or the bound, is told; a grid has more
            points than there are trials; Optuna is not installed.
    """
    if settings.tune.sampler == "tpe" and importlib.util.find_spec("optuna") is None:
        raise UserError("the setting tune.sampler=tpe needs Optuna: pip install 'lungseg[optuna]'")
    names = [name for name, _ in describe() if name.startswith(_SEARCHABLE)]
    for name, values in settings.tune.space.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            near = near or [known for known in names if known.endswith(f".{name}")][:1]
            hint = f"; the nearest one is {near[0]}" if near else ""
            raise UserError(f"tune.space: {name} is no setting that can be searched{hint}")
        for value in values.choices or (values.low, values.high):
            with_values(settings, {name: fitting(value, value_of(settings, name))})
    if settings.tune.sampler == "grid":
        draw(settings)


def usual(settings: Settings) -> Values:
    """The values that the searched settings have without a search."""
    return {name: value_of(settings, name) for name in settings.tune.space}


def draw(settings: Settings) -> list[Values]:
    """What each trial is given, the usual values first; for the samplers random and grid.

    Trial number i is the same whatever the number of trials, so that a search can be made longer
    (random only: a grid is another one).

    Raises:
        UserError: the grid has more points than there are trials.
    """
    tune, first = settings.tune, usual(settings)
    if tune.sampler == "grid":
        drawn = [first, *(point for point in _grid(tune, first) if point != first)]
        _see_trials(tune, len(drawn))
        return drawn
    return [first, *(_random(tune, first, number) for number in range(1, tune.trials))]


def _random(tune: TuneSettings, first: Values, number: int) -> Values:
    generator = np.random.default_rng([tune.seed, number])
    values = {}
    for name, range_ in sorted(tune.space.items()):
        position = float(generator.random())
        if range_.choices:
            values[name] = range_.choices[int(position * len(range_.choices))]
        else:
            values[name] = fitting(_at(range_, position), first[name])
    return values


def _grid(tune: TuneSettings, first: Values) -> list[Values]:
    listed = math.prod(len(range_.choices) or 1 for range_ in tune.space.values())
    ranges = sum(not range_.choices for range_ in tune.space.values())
    points = math.floor(((tune.trials - 1) / listed) ** (1 / ranges) + 1e-9) if ranges else 1
    if points < 2 and ranges:
        _see_trials(tune, listed * 2**ranges + 1)
    columns: list[tuple[Any, ...]] = []
    for name, range_ in tune.space.items():
        evenly = [_at(range_, k / max(points - 1, 1)) for k in range(points * (not range_.choices))]
        columns.append(range_.choices or tuple(fitting(value, first[name]) for value in evenly))
    return [dict(zip(tune.space, row, strict=True)) for row in itertools.product(*columns)]


def _see_trials(tune: TuneSettings, least: int) -> None:
    if tune.trials < least:
        raise UserError(f"this grid needs {least} trials at least, one of them with usual values")


def _at(range_: Range, position: float) -> float:
    """The value at a position in 0…1 of an interval, to three digits."""
    assert range_.low is not None
    assert range_.high is not None
    if range_.log:
        value = range_.low * (range_.high / range_.low) ** position
    else:
        value = range_.low + (range_.high - range_.low) * position
    return float(f"{value:.3g}")


def fitting(value: Any, like: Any) -> Any:
    """Whole numbers for settings that are."""
    whole = isinstance(like, int) and not isinstance(like, bool) and isinstance(value, float)
    return round(value) if whole else value


def named(values: Mapping[str, Any]) -> str:
    """Values for people: "learning_rate 0.002, batch_size 8"."""
    shown = {name.rpartition(".")[2]: value for name, value in values.items()}
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in shown.items()
    )
