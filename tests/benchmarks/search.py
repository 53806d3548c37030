"""What the start of a trial costs in `lungseg tune`.

    python tests/benchmarks/search.py --json search.json [--quick]

A search over phantoms at the preset `quick`; the overhead of a trial is the time from the moment
its place in the cluster was free to the end of its first step: process, imports, building and
tracing the network, opening the shards. The first trial of a place pays for its process; the others
take it over. The rest of a trial's time is training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from jobs.session import session
from jobs.shard import shard
from jobs.tune import tune
from lungseg.resolve import resolve
from lungseg.search import trials


def measure(count: int, model: str, folder: str) -> list[float]:
    """Seconds of the start of each trial."""
    options = {"models": model, "tune.trials": count, "train.epochs": 1, "data.phantoms": 40}
    settings = resolve(preset="quick", options=options)
    with session(settings.compute):
        shard([], f"{folder}/shards", settings.data)
        tune(model, f"{folder}/shards", f"{folder}/search", settings)
    found = [trial.start_seconds for trial in trials.read_trials(f"{folder}/search/{model}")]
    return [seconds for seconds in found if seconds is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="unet")
    parser.add_argument("--quick", action="store_true", help="3 trials instead of 8")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        starts = measure(3 if arguments.quick else 8, arguments.model, folder)
    ratios = {
        "trial_overhead_s": statistics.median(starts),
        "first_trial_overhead_s": starts[0],
        "worst_trial_overhead_s": max(starts),
    }
    for name, value in ratios.items():
        print(f"{name:24} {value:6.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"ratios": ratios, "starts": starts}, indent=2))


if __name__ == "__main__":
    main()
