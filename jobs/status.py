"""`lungseg status`: how far a run is, for a second terminal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from jobs.screen import say
from lungseg.run_status import read_status


def status(run: str, *, as_json: bool = False) -> None:
    """Print a line a stage, or all that is known as JSON.

    Raises:
        UserError: the folder holds no run.
    """
    stages = read_status(run)
    if as_json:
        say(json.dumps({"run": run, "stages": stages}, indent=2, ensure_ascii=False))
        return
    for stage, facts in stages.items():
        say(f"{stage:<9}{facts['state']:<11}{_told(facts)}".rstrip())


def _told(facts: dict[str, Any]) -> str:
    state = facts["state"]
    parts = [facts.get("detail", "")]
    if state == "running":
        parts.append(f"since {_clock(facts['since'])}")
    elif state == "failed":
        parts.append(facts["reason"])
    elif state in ("stopped", "cut short"):
        parts.append(f"last seen {_clock(facts['seen'])}: the same command goes on")
    elif state == "incomplete":
        parts.append("the same command goes on")
    elif facts.get("seconds"):
        parts.append(f"{facts['seconds']:.0f} s")
    return "; ".join(part for part in parts if part)


def _clock(time: str) -> str:
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


if __name__ == "__main__":
    from jobs.command import main

    main("status")
