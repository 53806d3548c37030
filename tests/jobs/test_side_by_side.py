"""Work of the driver in threads, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from jobs.side_by_side import side_by_side


def test_an_interrupt_waits_for_no_work() -> None:
    begun, let_go = [], threading.Event()

    def one(item: int) -> None:
        begun.append(item)
        let_go.wait(20)

    # Whatever tests before this one, and packages that they use, made of it.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()
    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            side_by_side(one, range(3), 2)
        assert time.monotonic() - started < 10
    finally:
        let_go.set()
        signal.signal(signal.SIGINT, handler)
    assert sorted(begun) == [0, 1]


def test_results_keep_their_order_and_an_error_is_raised() -> None:
    waits = [0.2, 0.0, 0.1]

    def one(item: int) -> int:
        time.sleep(waits[item])
        return item

    assert side_by_side(one, range(3), 3) == [0, 1, 2]
    with pytest.raises(IndexError):
        side_by_side(one, range(4), 3)
