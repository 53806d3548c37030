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


def commands(
    info: Mapping[str, Any], plan: Mapping[str, Any], dataset: Mapping[str, Any]
) -> list[str]:
    """Shards, then the training.

    Args:
        info: `segmenter.json` of the model.
        plan: of `lungseg.training.plan.make_plan`.
        dataset: `dataset.json` of the shards.
    """
    data = dataset["settings"]
    shards = {f"data.{name}": value for name, value in data.items()}
    training = {f"data.{name}": data[name] for name in ("size", "clahe")}
    training["evaluate.min_area_fraction"] = info["min_area_fraction"]
    for section, values in (
        ("network", plan["arguments"]),
        ("train", plan["train"]),
        ("augmentation", plan["augmentation"]),
    ):
        training |= {f"{section}.{name}": value for name, value in values.items()}
    train = ["lungseg train --shards SHARDS --out MODEL", f"--model {plan['architecture']}"]
    train += [f"--fold {plan['fold']} --seed {plan['seed']}"]
    workers = _workers(info["training"])
    train += [f"--workers {workers}"] if workers != "1" else []
    films = "" if set(dataset["sources"]) == {"phantoms"} else " --data DATA"
    return [
        " ".join([f"lungseg shard{films} --out SHARDS", *_settings(shards)]),
        " ".join([*train, *_settings(training)]),
    ]


def _workers(training: Mapping[str, Any]) -> str:
    """Their number; MIN:MAX where that was asked for, since the learning rate is that of MAX."""
    low, high = training.get("workers_asked") or (training["workers"], training["workers"])
    return f"{low}:{high}" if low < high else str(high)


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
