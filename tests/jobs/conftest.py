"""Shared by the tests of trainings: the workers that Ray Train runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def train_workers(cluster: None) -> Callable[[int], list[int]]:
    """A function that waits until so many training workers of this cluster live: their ids."""

    def wait(count: int) -> list[int]:
        deadline = time.monotonic() + 60
        while len(found := _train_workers()) != count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(found) == count, found
        return found

    return wait


def _train_workers() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
            if b"RayTrainWorker" in name and os.getpid() in _ancestors(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def _ancestors(process: int) -> list[int]:
    found: list[int] = []
    while process > 1:
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
        found.append(process)
    return found
