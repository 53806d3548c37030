"""`lungseg run`: all stages, from a folder of radiographs to a comparison report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from jobs.evaluate import evaluate
from jobs.report import report
from jobs.screen import heading, say
from jobs.session import resources, session
from jobs.shard import shard
from jobs.train import train
from jobs.train_worker import Training
from lungseg import runfolder, storage
from lungseg.errors import UserError
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
    """
    out = storage.absolute(out)
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
        trainings = [
            Training(name, shards, runfolder.model_folder(out, name, 0, seed), seed)
            for name in settings.models
            for seed in range(settings.seeds)
        ]
        heading("train", storage.join(out, "models"))
        for training in trainings:
            with timed(out, "train"):
                train(training, settings)
        heading("evaluate", storage.join(out, "scores"))
        with timed(out, "evaluate"):
            evaluate(
                [training.out for training in trainings],
                shards,
                storage.join(out, "scores"),
                split="test",
                settings=settings.evaluate,
                precision=settings.train.precision,
            )
    heading("report", storage.join(out, "report"))
    with timed(out, "report"):
        page = report([out], storage.join(out, "report"), settings.report)
    minutes = (time.perf_counter() - started) / 60
    say(f"done in {minutes:.1f} min: {page}")
    return page
