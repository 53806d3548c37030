"""`lungseg run`: all stages, from a folder of radiographs to a comparison report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from jobs.evaluate import evaluate
from jobs.grid import grid, train_all
from jobs.report import report
from jobs.screen import heading, log_as, name_run, say
from jobs.session import resources, session
from jobs.shard import shard
from lungseg import runfolder, storage
from lungseg.errors import UserError, WorkError
from lungseg.runfolder import timed
from lungseg.settings import Settings


def run(paths: Sequence[str], out: str, settings: Settings) -> str:
    """Shard, train, evaluate and report; what is done already is not done again.

    Args:
        paths: data sets; empty for phantoms.
        out: folder of the run.
        settings: of all stages.

    Returns:
        Path of the report's page.

    Raises:
        UserError: the request cannot be met.
        WorkError: a training failed; the others are done and reported.
    """
    out = storage.absolute(out)
    log_as(settings.compute.log_format)
    name_run(out)
    started = time.perf_counter()
    new = runfolder.claim(out, settings, [storage.absolute(path) for path in paths])
    shards = storage.join(out, "shards")
    with session(settings.compute):
        heading("shard", shards)
        try:
            with timed(out, "shard"):
                info = shard(paths, shards, settings.data)
        except UserError:
            # Mended data must not be refused as another configuration.
            if new:
                runfolder.release(out)
            raise
        counts = ", ".join(f"{number} {part}" for part, number in info["counts"].items())
        say(f"         {counts}; {info['rejected']} rejected")
        runfolder.write_provenance(
            out,
            {
                "dataset_fingerprint": info["fingerprint"],
                "seeds": list(range(settings.seeds)),
                "cluster": {name: resources().get(name, 0) for name in ("CPU", "GPU", "memory")},
            },
        )
        heading("train", storage.join(out, "models"))
        trainings = grid(out, shards, settings)
        with timed(out, "train"):
            failures = train_all(trainings, settings)
        trained = [
            training.out
            for training in trainings
            if storage.exists(storage.join(training.out, "segmenter.json"))
        ]
        heading("evaluate", storage.join(out, "scores"))
        with timed(out, "evaluate"):
            evaluate(
                trained,
                shards,
                storage.join(out, "scores"),
                split="test",
                settings=settings.evaluate,
                precision=settings.train.precision,
            )
    heading("report", storage.join(out, "report"))
    with timed(out, "report"):
        page = report([out], storage.join(out, "report"), settings.report)
    if failures:
        raise WorkError(
            f"{len(failures)} of {len(trainings)} trainings failed ({failures[0]}); the others are "
            f"in the report: {page}"
        )
    minutes = (time.perf_counter() - started) / 60
    say(f"done in {minutes:.1f} min: {page}")
    return page


if __name__ == "__main__":
    from jobs.command import main

    main("run")
