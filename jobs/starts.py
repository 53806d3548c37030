"""The starts of a training's group of workers, `starts.json` in the model's folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from lungseg import storage

_FILE = "starts.json"


def note_start(model: str, workers: int) -> None:
    """Add a start to those of a model's folder; one worker of the group calls it."""
    start = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "workers": workers}
    text = json.dumps([*_read(model), start])
    storage.write_text(storage.join(model, _FILE), text)


def read_starts(model: str) -> list[int]:
    """How many workers each start had, the first one first."""
    return [int(start["workers"]) for start in _read(model)]


def _read(model: str) -> list[dict[str, str | int]]:
    path = storage.join(model, _FILE)
    starts: list[dict[str, str | int]] = (
        json.loads(storage.read_text(path)) if storage.exists(path) else []
    )
    return starts
