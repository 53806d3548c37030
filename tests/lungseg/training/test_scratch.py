"""The folders of trainings, also of those that were killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lungseg.training.scratch import scratch

_HOLD = """
from lungseg.training.scratch import scratch
with scratch() as folder:
    open(folder + "/weights", "w").close()
    print(folder, flush=True)
    input()
"""


def test_what_a_killed_process_left_is_deleted_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with scratch() as first:
            assert (left / "weights").exists()
            assert Path(first).exists()
            process.kill()
            process.wait()
            with scratch():
                assert not left.exists()
                assert Path(first).exists()
    assert list(tmp_path.iterdir()) == []
