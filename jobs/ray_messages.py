"""What Ray itself has to say while a verb works, such as the loss of a machine: a line each."""

from __future__ import annotations

import re
import time
from typing import Any

from jobs.screen import say

_LONGEST = 200
_LOST = re.compile(r"address: (\S+) .*has been marked dead")
_SAID_BESIDES = "Raylet is terminated"
"""Comes with 40 lines of a lost machine's log, beside the line that says that it is lost."""
_ADVICE = " To troubleshoot the problem"
"""Begins a hint at Ray's own logs, by a number that tells a user nothing."""
_AGAIN_SECONDS = 60.0
"""After a loss each waiting task says the same; a line is repeated no sooner."""

_said_at: dict[str, float] = {}


def keep_short() -> None:
    """Let Ray's messages go through `say`, instead of many coloured lines to standard output.

    Ray has no setting for it. Where another version of Ray knows no such function, its messages
    come as they are.
    """
    import ray._private.worker as worker

    worker.print_to_stdstream = _say_first_line


def _say_first_line(data: dict[str, Any], *_: Any, **__: Any) -> None:
    for message in data["lines"]:
        line = (str(message).strip().splitlines() or [""])[0].partition(_ADVICE)[0]
        lost = _LOST.search(line)
        if lost:
            say(f"         the machine {lost[1]} is lost")
        elif not line.startswith(_SAID_BESIDES) and not _just_said(line):
            say(f"         Ray: {line[:_LONGEST]}")


def _just_said(line: str) -> bool:
    now = time.monotonic()
    if now - _said_at.get(line, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
        return True
    _said_at[line] = now
    return False
