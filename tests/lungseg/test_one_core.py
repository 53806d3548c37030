from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from lungseg.one_core import use_one_core
use_one_core()
for _ in range(30):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    first, second = np.ones(4_000_000, np.uint8), np.ones(4_000_000, np.uint8)
    del first, second
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is on Linux")
def test_freed_memory_is_used_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        capture_output=True,
        text=True,
        check=True,
    )
    # 8 MB are 1953 pages; all of them anew without it.
    assert int(done.stdout) < 200
