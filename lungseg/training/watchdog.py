"""End a process whose training stands still: nobody else notices a collective that hangs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


class Watchdog:
    """Kills this process when no step was done for a stated time, for a `with` block's length.

    A rank that hangs, or waits for one that does, blocks in native code: only the end of the
    process frees it. Ray then restarts the group from its newest checkpoint.
    """

    def __init__(self, seconds: float) -> None:
        """Allow `seconds` between two steps; 0 never ends anything."""
        self._seconds = seconds
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watchdog:
        if self._seconds:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def step_done(self) -> None:
        """Tell that training goes on."""
        self._last = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(min(1.0, self._seconds / 4)):
            if time.monotonic() - self._last > self._seconds:
                print(
                    f"no step in {self._seconds:g} s: this worker ends itself, Ray restarts it",
                    file=sys.stderr,
                    flush=True,
                )
                os.kill(os.getpid(), signal.SIGKILL)
