"""What defines a training: anything that changes its outcome, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lungseg.settings import Settings, fingerprint, network_arguments

HARMLESS = frozenset({"max_failures", "hang_seconds", "mlflow"})
"""Settings of the training that change nothing in its outcome."""


def make_plan(
    settings: Settings, architecture: str, *, seed: int, fold: int, data_fingerprint: str
) -> dict[str, Any]:
    """The resolved settings of one training with their fingerprint, as `plan.json` holds them."""
    plan = {
        "architecture": architecture,
        "arguments": network_arguments(settings, architecture),
        "seed": seed,
        "fold": fold,
        "size": settings.data.size,
        "train": settings.train.model_dump(mode="json", exclude={*HARMLESS}),
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "data_fingerprint": data_fingerprint,
    }
    plain: dict[str, Any] = json.loads(json.dumps(plan))
    return plain | {"fingerprint": fingerprint(plain)}


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings in which two nested mappings differ, as "name old → new", at most three."""
    old, new = _flat(before), _flat(now)
    names = sorted(name for name in old.keys() | new.keys() if name != "fingerprint")
    changed = [name for name in names if old.get(name) != new.get(name)]
    shown = [f"{name} {old.get(name)} → {new.get(name)}" for name in changed[:3]]
    more = [f"and {len(changed) - 3} more"] if len(changed) > 3 else []
    return ", ".join(shown + more)


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inside = isinstance(value, Mapping)
        flat |= _flat(value, f"{above}{name}.") if inside else {f"{above}{name}": value}
    return flat
