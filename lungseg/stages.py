"""Which stages of a run are under way, in `state.json`: what a second terminal is told.

The process that works renews its mark while it does. A stage that is marked as running but has
been silent for a minute was cut short: killed, or its machine is gone.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from lungseg import storage

STATE = "state.json"
BEAT_SECONDS = 15.0
_SILENT = timedelta(seconds=4 * BEAT_SECONDS)


@contextmanager
def under_way(run: str, stage: str) -> Iterator[None]:
    """Mark a stage as running for the length of a `with` block, then as done, failed or stopped."""
    entry = {"state": "running", "since": _now(), "seen": _now()}
    _write(run, stage, entry)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(run, stage, entry, ended), daemon=True)
    beating.start()
    outcome = {"state": "stopped"}
    try:
        yield
        outcome = {"state": "done"}
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        outcome = {"state": "failed", "reason": lines[0]}
        raise
    finally:
        ended.set()
        beating.join()
        # On a full disk the work's own error is the one to tell.
        with contextlib.suppress(OSError):
            _write(run, stage, {"since": entry["since"], "seen": _now(), **outcome})


def read_states(run: str) -> dict[str, dict[str, str]]:
    """What is recorded of each stage: state, since, seen (ISO times) and, if it failed, reason.

    "running" becomes "cut short" where nothing was heard for a minute.
    """
    states = _read(run)
    for entry in states.values():
        silent = datetime.now(UTC) - datetime.fromisoformat(entry["seen"])
        if entry["state"] == "running" and silent > _SILENT:
            entry["state"] = "cut short"
    return states


def _beat(run: str, stage: str, entry: dict[str, str], ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        # A mark that cannot be written must not end the work.
        with contextlib.suppress(Exception):
            _write(run, stage, entry | {"seen": _now()})


def _write(run: str, stage: str, entry: dict[str, str]) -> None:
    states = _read(run) | {stage: entry}
    storage.write_text(storage.join(run, STATE), json.dumps(states, indent=2))


def _read(run: str) -> dict[str, Any]:
    path = storage.join(run, STATE)
    content: dict[str, Any] = json.loads(storage.read_text(path)) if storage.exists(path) else {}
    return content


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
