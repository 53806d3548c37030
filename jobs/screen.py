"""What the command prints: one console, one style, plain lines where no terminal is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


def say(text: str) -> None:
    """Print a line."""
    console.print(text, markup=False)


def heading(stage: str, text: str = "") -> None:
    """Announce a stage."""
    console.print(f"[bold]{stage:<9}[/bold]", end="")
    console.print(text, markup=False)


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
    with bar:
        task = bar.add_task(label, total=total, completed=done)
        yield lambda steps: bar.advance(task, steps)
