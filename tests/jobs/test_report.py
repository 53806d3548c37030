"""When `lungseg report` writes a report, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import lungseg.report
from jobs.command import _status
from jobs.report import report
from lungseg import storage
from lungseg.settings import ReportSettings

SETTINGS = ReportSettings(resamples=100, seed=0)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The runs of each report that was written, in place of writing it."""
    calls: list[list[str]] = []

    def write(runs: Sequence[str], out: str, **_: Any) -> None:
        storage.write_text(storage.join(out, "index.html"), "")
        calls.append(list(runs))

    monkeypatch.setattr(lungseg.report, "write_report", write)
    return calls


@pytest.mark.parametrize("name", ["segmenter.json", "plan.json", "history.csv"])
def test_report_is_written_again_where_a_file_changed(
    written: list[list[str]], tmp_path: Path, name: str
) -> None:
    run, out = tmp_path / "run", str(tmp_path / "out")
    path = run / "models" / "unet" / "fold-0" / "seed-0" / name
    path.parent.mkdir(parents=True)
    path.write_text("before")
    for _ in range(2):
        report([str(run)], out, SETTINGS)
    assert len(written) == 1
    path.write_text("after")
    report([str(run)], out, SETTINGS)
    assert len(written) == 2


def test_run_given_twice_counts_once(
    written: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [tmp_path / name for name in ("b", "a")]
    for run in runs:
        run.mkdir()
    assert _status(["report", "b", str(runs[1]), f"{runs[0]}/", "./a"]) == 0
    assert written == [[str(run) for run in runs]]
    assert (runs[0] / "report" / "index.html").exists()
