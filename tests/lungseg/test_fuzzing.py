"""A short run of the coverage-guided search for files that break the decoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz_decoder.py"
SEARCH = ("--runs", "5000", "--seed", "1", "--seconds", "60")
KINDS = ("crash", "timeout", "oom", "leak")
"""Beginnings of the names of what libFuzzer leaves."""


def test_a_short_search_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="Atheris has no wheel for this machine")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *SEARCH, "--corpus", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    findings = [path.name for path in tmp_path.iterdir() if path.name.split("-")[0] in KINDS]
    assert not findings
