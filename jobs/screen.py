"""What the command prints: one console, one style, plain lines where no terminal is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


_PROGRESS_SECONDS = 30.0
"""Between two lines of progress where no terminal is."""


@dataclass
class _Log:
    """How lines are written, and what they are about."""

    as_json: bool = False
    run: str = ""
    stage: str = ""


_log = _Log()


def log_as(log_format: str) -> None:
    """Write "plain" lines, or "json": one object a line with time, run, stage, rank and text."""
    _log.as_json = log_format == "json"


def name_run(run: str) -> None:
    """Tell which run the lines to come are of."""
    _log.run = run


def say(text: str, **facts: Any) -> None:
    """Print a line; where lines are JSON, `facts` are further members of the object."""
    if _log.as_json:
        _write_json(console, text, facts)
    else:
        console.print(text, markup=False)


def note(text: str) -> None:
    """Print a line on standard error: something about the work that is not its outcome."""
    if _log.as_json:
        _write_json(errors, text, {})
    else:
        errors.print(text, markup=False)


def complain(text: str) -> None:
    """Print the one line on standard error that says what went wrong."""
    if _log.as_json:
        _write_json(errors, text, {"level": "error"})
    else:
        errors.print(f"lungseg: {text}", markup=False)


def heading(stage: str, text: str = "") -> None:
    """Announce a stage and the folder it writes."""
    _log.stage, _log.run = stage, _log.run or text
    if _log.as_json:
        _write_json(console, text, {})
        return
    console.print(f"[bold]{stage:<9}[/bold]", end="")
    console.print(text, markup=False)


def _write_json(where: Console, text: str, facts: dict[str, Any]) -> None:
    content = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "run": _log.run,
        "stage": _log.stage,
        "rank": "driver",
        "text": text.strip(),
        **facts,
    }
    where.print(json.dumps(content, ensure_ascii=False), markup=False)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class _Left(TimeRemainingColumn):
    def render(self, task: Task) -> Text:
        return Text.assemble(super().render(task), " left")


@contextmanager
def progress(
    label: str, total: int, *, done: int = 0, rate: bool = False
) -> Iterator[Callable[[int], None]]:
    """A bar that counts to `total`; the function given advances it.

    Where no terminal is, as in the log of a job, a line tells every 30 s how far it is.

    Args:
        label: what is counted.
        total: how many there are.
        done: how many of them are behind us already.
        rate: show how many a second, and the time left.
    """
    further = (_Rate(), _Left()) if rate else ()
    bar = Progress(
        TextColumn(f"{'':<9}{label}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *further,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    started = told = time.monotonic()
    count = done

    def advance(steps: int) -> None:
        nonlocal count, told
        bar.advance(task, steps)
        count += steps
        now = time.monotonic()
        if not console.is_terminal and now - told > _PROGRESS_SECONDS:
            told, speed = now, (count - done) / (now - started)
            say(f"{'':<9}{label} {count}/{total}, {speed:.1f}/s", done=count, total=total)

    with bar:
        task = bar.add_task(label, total=total, completed=done)
        yield advance
