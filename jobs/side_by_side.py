"""Several pieces of work of the driver at once, each in a thread, that Ctrl-C ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    one: Callable[[Item], Result], items: Sequence[Item], parallel: int
) -> list[Result]:
    """What `one` returns for each item, in the items' order.

    Args:
        one: called in a thread of its own, also where there is one item only: Ray Train in the main
            thread takes Ctrl-C for itself, keeps it, and ends the process with status 0.
        items: what it is called with.
        parallel: calls at a time.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed. Calls that run are not waited for: they end with the
            connection to Ray.
    """
    pool = ThreadPoolExecutor(parallel)
    futures = [pool.submit(one, item) for item in items]
    try:
        # Native libraries may keep Ctrl-C from ending a wait without limit.
        while wait(futures, timeout=0.5).not_done:
            pass
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]
