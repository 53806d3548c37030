"""Standard error is taken away and given back, also by threads that overlap."""

from __future__ import annotations

import os
import threading

import pytest

from jobs.ray_messages import _say_first_line
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


def test_messages_of_ray_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    messages = [
        "Raylet is terminated. Termination is unexpected.\n    [a line of its log",
        "The node with node id: 4699 and address: 10.0.0.12 and node name: a has been marked dead "
        "because the detector has missed too many heartbeats from it.\n\t(1) raylet crashed",
        "A worker died. To troubleshoot the problem, check the logs. Lease ID: 02000000419fe",
        "2 workers killed due to memory pressure\nand more",
        "2 workers killed due to memory pressure\nand another's",
    ]
    _say_first_line({"lines": messages, "pid": "raylet", "is_err": False}, ignore_prefix=False)
    told = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "the machine 10.0.0.12 is lost",
        "Ray: A worker died.",
        "Ray: 2 workers killed due to memory pressure",
    ]
