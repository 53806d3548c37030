"""Which stages of a run are under way, in `state.json`: what a second terminal is told.

The process that works renews its mark while it does. A stage that is marked as running was cut
short where it has been silent for a minute, or where its process was on this machine and is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lungseg import storage

STATE = "state.json"
BEAT_SECONDS = 15.0
_SILENT = timedelta(seconds=4 * BEAT_SECONDS)


@contextmanager
def under_way(run: str, stage: str) -> Iterator[None]:
    """Mark a stage as running for the length of a `with` block, then as done, failed or stopped."""
    entry = {"state": "running", "since": _now(), "seen": _now()}
    entry |= {"machine": _machine(), "process": str(os.getpid())}
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

    "running" becomes "cut short" where its process is gone, or silent for a minute.
    """
    states = _read(run)
    for entry in states.values():
        if entry["state"] == "running" and _is_gone(entry):
            entry["state"] = "cut short"
    return states


def _is_gone(entry: dict[str, str]) -> bool:
    if datetime.now(UTC) - datetime.fromisoformat(entry["seen"]) > _SILENT:
        return True
    if entry.get("machine") != _machine() or not Path("/proc/self").exists():
        return False
    return not Path("/proc", entry["process"]).exists()


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


def _machine() -> str:
    """This machine, or this container on it: where process ids mean the same (Linux)."""
    namespace = Path("/proc/self/ns/pid")
    return f"{platform.node()} {os.readlink(namespace) if namespace.is_symlink() else ''}".strip()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
