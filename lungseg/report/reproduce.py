"""The commands that train a model again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from lungseg.resolve import resolve, value_of
from lungseg.settings import PRESETS

# The published networks have other settings each; said one by one, they need no preset.
_PRESETS = tuple(name for name in PRESETS if name != "literature")


def commands(plan: Mapping[str, Any], data: Mapping[str, Any], workers: int) -> list[str]:
    """Shards, then the training.

    Args:
        plan: of `lungseg.training.plan.make_plan`.
        data: the settings of the shards, as `dataset.json` holds them.
        workers: of the training.
    """
    shards = {f"data.{name}": value for name, value in data.items()}
    training = {f"data.{name}": data[name] for name in ("size", "clahe")}
    for section, values in (
        ("network", plan["arguments"]),
        ("train", plan["train"]),
        ("augmentation", plan["augmentation"]),
    ):
        training |= {f"{section}.{name}": value for name, value in values.items()}
    train = ["lungseg train --shards SHARDS --out MODEL", f"--model {plan['architecture']}"]
    train += [f"--fold {plan['fold']} --seed {plan['seed']}"]
    train += [f"--workers {workers}"] if workers > 1 else []
    return [
        " ".join(["lungseg shard --data DATA --out SHARDS", *_settings(shards)]),
        " ".join([*train, *_settings(training)]),
    ]


def _settings(values: Mapping[str, Any]) -> list[str]:
    """The options that give these values, of the preset that leaves the fewest to be said."""
    found = {name: _apart(name, values) for name in _PRESETS}
    preset = min(found, key=lambda name: len(found[name]))
    told = [shlex.quote(f"{name}={_text(value)}") for name, value in found[preset].items()]
    return [f"--preset {preset}", *(f"--set {text}" for text in told)]


def _apart(preset: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are not the preset's own."""
    settings = resolve(preset=preset)
    plain = {name: json.loads(json.dumps(value_of(settings, name))) for name in values}
    return {name: value for name, value in values.items() if value != plain[name]}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
