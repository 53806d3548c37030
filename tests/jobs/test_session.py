"""Standard error is taken away and given back, also by threads that overlap."""

from __future__ import annotations

import os
import threading

from jobs.session import silence


def standard_error() -> str:
    return os.readlink("/proc/self/fd/2")


def test_overlapping_threads_give_standard_error_back() -> None:
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    before, seen = standard_error(), []

    def first() -> None:
        with silence():
            first_in.set()
            seen.append(standard_error())
            # The other one is in before this one is out.
            assert second_in.wait(5)
        first_out.set()

    def second() -> None:
        with silence():
            second_in.set()
            assert first_out.wait(5)
            seen.append(standard_error())

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_in.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert seen == [os.devnull, os.devnull]
    assert standard_error() == before
    with silence():
        assert standard_error() == os.devnull
    assert standard_error() == before
