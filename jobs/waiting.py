"""One line where work waits for a place on the cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from jobs.screen import say
from jobs.session import resources

PATIENCE = 30.0
"""Seconds without a sign of work before it is said what is missing."""


def say_waiting(name: str, wanted: str) -> None:
    """Print what is wanted, and what the cluster has free now."""
    import ray

    there, free = resources(), ray.available_resources()
    told = " and ".join(
        f"{free.get(kind, 0.0):g} of {there[kind]:g} {kind}s"
        for kind in ("CPU", "GPU")
        if there.get(kind)
    )
    say(
        f"         {name}: not begun after {PATIENCE:g} s; it needs {wanted}, the cluster has "
        f"{told} free now (or its processes are still starting)"
    )


@contextlib.contextmanager
def told_if_waiting(name: str, wanted: str, begun: Callable[[], bool]) -> Iterator[None]:
    """Print a line where the work of a `with` block has not begun for a while.

    Args:
        name: of the work.
        wanted: what it asks the cluster for, in words.
        begun: whether the work has begun; asked once, and not at all where the block ends before.
    """
    ended = threading.Event()

    def watch() -> None:
        if not ended.wait(PATIENCE) and not begun():
            say_waiting(name, wanted)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
