"""`lungseg report`: aggregate one or several runs into a comparison report."""

from __future__ import annotations

from collections.abc import Sequence

from lungseg.settings import ReportSettings


def report(runs: Sequence[str], out: str, settings: ReportSettings) -> str:
    """Write the report of one or several runs and return the path of its page."""
    from lungseg.report import write_report

    return write_report(runs, out, resamples=settings.resamples, seed=settings.seed)
