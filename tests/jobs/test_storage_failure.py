"""Storage that is full or read-only while a checkpoint is written."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.command import _status
from lungseg.training.history import read_history

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

EPOCHS = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no free byte on a disk; returns the file that holds them."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (65536, 1024, 1):
            with contextlib.suppress(OSError):
                while stream.write(bytes(size)) == size:
                    pass
    assert shutil.disk_usage(disk).free == 0
    return filler


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_one_line_and_the_checkpoint_before_stays(
    disk: Path, twenty_epochs: Path, repeatable: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = disk / "model"
    command = [*repeatable, "--out", str(model), "--epochs", str(EPOCHS)]

    def refused(status: int, reason: str) -> None:
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert status == 1
        assert reason in line
        assert str(model) in line

    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(_status, command)
        deadline = time.monotonic() + 120
        while len(read_history(str(model / "history.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        filler = fill(disk)
        status = training.result()
    refused(status, "No space left on device")
    reached = len(read_history(str(model / "history.csv")))
    assert 2 <= reached < EPOCHS
    # As long as nothing is mended, the same command says so again.
    refused(_status(command), "No space left on device")
    filler.unlink()
    remount(disk, "ro")
    refused(_status(command), "Read-only file system")
    remount(disk, "rw")
    assert _status(command) == 0
    told = capsys.readouterr().out
    going_on = re.search(r"going on after epoch (\d+)", told)
    assert going_on
    assert int(going_on[1]) in (reached, reached + 1)
    assert told.count("cut short: going on from the newest complete checkpoint") == 1
    rows = read_history(str(model / "history.csv"))
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    undisturbed = read_history(str(twenty_epochs / "history.csv"))
    for one, other in zip(rows, undisturbed, strict=False):
        assert one["val_dice"] == pytest.approx(other["val_dice"], abs=1e-6)
