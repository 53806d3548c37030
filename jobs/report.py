"""`lungseg report`: aggregate one or several runs into a comparison report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from jobs.screen import say
from lungseg import storage
from lungseg.settings import ReportSettings, fingerprint

_INPUTS = "inputs.json"
_KINDS = (
    ".parquet", "segmenter.json", "plan.json", "history.csv", "calibration.csv", "trials.csv",
)  # fmt: skip
_SHARDS = ("dataset.json", "rejected.csv")


def report(runs: Sequence[str], out: str, settings: ReportSettings) -> str:
    """Write the report of one or several runs, unless it is there and nothing it reads changed.

    Returns:
        Path of its page.
    """
    page, note = storage.join(out, "index.html"), storage.join(out, _INPUTS)
    mark = fingerprint(settings, {run: _content(run) for run in runs})
    if storage.exists(page) and storage.exists(note):
        if json.loads(storage.read_text(note)).get("fingerprint") == mark:
            say("         written before")
            return page
        storage.delete(note)
    from lungseg.report import write_report

    write_report(runs, out, resamples=settings.resamples, seed=settings.seed)
    storage.write_text(note, json.dumps({"fingerprint": mark}))
    return page


def _content(run: str) -> dict[str, str]:
    """Hash of each file that the report reads of a run, or of a folder of scores."""
    return {
        path.removeprefix(run): hashlib.sha256(storage.read_bytes(path)).hexdigest()
        for path in storage.list_files(run, recursive=True)
        if _is_read(path.removeprefix(run).strip("/").split("/"))
    }


def _is_read(parts: list[str]) -> bool:
    if parts[0].startswith("shards"):
        # Shards are told apart by their fingerprint, which stands in dataset.json.
        return parts[-1] in _SHARDS
    return parts[-1].endswith(_KINDS) and not {"report", "checkpoints"} & set(parts[:-1])


if __name__ == "__main__":
    from jobs.command import main

    main("report")
