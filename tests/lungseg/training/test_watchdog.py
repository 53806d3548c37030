"""A process that stands still is ended, one that works is not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import time
from lungseg.training.watchdog import Watchdog
with Watchdog({limit}) as watchdog:
    for _ in range(8):
        time.sleep(0.25)
        {beat}
print("went through")
"""


@pytest.mark.parametrize(
    ("limit", "beat", "status"),
    [(1, "watchdog.step_done()", 0), (1, "pass", -signal.SIGKILL), (0, "pass", 0)],
)
def test_only_a_standstill_ends_the_process(limit: float, beat: str, status: int) -> None:
    script = SCRIPT.format(limit=limit, beat=beat)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == status
    assert ("no step in 1 s" in done.stderr) == (status != 0)
