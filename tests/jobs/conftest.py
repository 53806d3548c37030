"""Shared by the tests of trainings: the workers that Ray Train runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.command import _status


@pytest.fixture(scope="session")
def repeatable(tiny_shards: str) -> list[str]:
    """Command of a small training of one worker whose history is the same each time."""
    command = ["train", "--model", "unet", "--precision", "float32", "--batch-size", "4"]
    command += ["--set", "data.size=32", "--set", "network.widths=[4,8,16]"]
    return [*command, "--set", "train.deterministic=true", "--shards", tiny_shards]


@pytest.fixture(scope="session")
def twenty_epochs(repeatable: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model of such a training, of 20 epochs."""
    model = tmp_path_factory.mktemp("twenty") / "model"
    command = [*repeatable, "--out", str(model), "--epochs", "20"]
    handler = signal.getsignal(signal.SIGINT)
    assert _status([*command, "--set", "train.stop_patience=20"]) == 0
    # Ray Train would end at Ctrl-C with status 0, and go on doing so.
    assert signal.getsignal(signal.SIGINT) is handler
    return model


@pytest.fixture
def ray_processes(cluster: None) -> Callable[[str, int], list[int]]:
    """A function that waits until so many actors of a class live in this cluster: their ids."""

    def wait(name: str, count: int) -> list[int]:
        deadline = time.monotonic() + 60
        while len(found := _ray_processes(name)) != count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(found) == count, found
        return found

    return wait


@pytest.fixture
def room_is_free(cluster: None) -> Callable[[], None]:
    """A function that waits until nothing in this cluster is reserved any more."""

    def wait() -> None:
        import ray

        deadline = time.monotonic() + 60
        while ray.available_resources().get("CPU", 0) < ray.cluster_resources()["CPU"]:
            assert time.monotonic() < deadline, ray.available_resources()
            time.sleep(0.2)

    return wait


def _ray_processes(name: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if name.encode() in command and os.getpid() in _ancestors(int(folder.name)):
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
