"""`lungseg run`: all stages, from a folder of radiographs to a comparison report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from jobs.evaluate import evaluate
from jobs.fitting import check_mlflow
from jobs.grid import grid, train_all
from jobs.report import report
from jobs.screen import heading, log_as, name_run, say
from jobs.session import resources, session
from jobs.shard import check, shard
from lungseg import runfolder, storage
from lungseg.errors import UserError, WorkError
from lungseg.resolve import with_values
from lungseg.runfolder import timed
from lungseg.search import space
from lungseg.settings import ReportSettings, Settings


def run(
    paths: Sequence[str], out: str, settings: Settings, searched: Sequence[str] | None = None
) -> str:
    """Shard, search, train, evaluate and report; what is done already is not done again.

    Args:
        paths: data sets; empty for phantoms.
        out: folder of the run.
        settings: of all stages.
        searched: names out of `settings.tune.space` to search for each architecture first; None
            for no search.

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
    if searched is not None:
        settings = _narrowed(settings, searched)
        space.check(settings)
    # All before the folder is bound to it: a mended request must not be refused as another one.
    check(paths, settings.data)
    check_mlflow(settings)
    data = [storage.absolute(path) for path in paths]
    new = runfolder.claim(out, settings, data, searched)
    shards = storage.join(out, "shards")
    with ExitStack() as stack:
        try:
            state_api = bool(searched) and settings.compute.workers != (1, 1)
            stack.enter_context(session(settings.compute, state_api=state_api))
            heading("shard", shards)
            with timed(out, "shard"):
                info = shard(paths, shards, settings.data)
        except UserError:
            # Mended data or another cluster must not be refused as another configuration.
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
        own: dict[str, Settings] = dict.fromkeys(settings.models, settings)
        if searched is not None:
            heading("tune", storage.join(out, "search"))
            with timed(out, "tune"):
                found: dict[str, dict[str, Any]] = {
                    name: _search(name, shards, out, settings) for name in settings.models
                }
            own = {name: with_values(settings, values) for name, values in found.items()}
            runfolder.note_found(out, found)
        heading("train", storage.join(out, "models"))
        trainings = grid(out, shards, settings)
        with timed(out, "train"):
            failures = train_all(trainings, own)
        trained = [
            training.out
            for training in trainings
            if storage.exists(storage.join(training.out, "segmenter.json"))
        ]
        heading("evaluate", storage.join(out, "scores"))
        with timed(out, "evaluate"):
            tables = evaluate(
                trained,
                shards,
                storage.join(out, "scores"),
                split="test",
                settings=settings.evaluate,
                precision=settings.train.precision,
            )
            _fill_cards(trained, tables, settings.report)
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


def _narrowed(settings: Settings, searched: Sequence[str]) -> Settings:
    """The settings with a search over some names only: the others were given by the user."""
    if not searched:
        names = ", ".join(settings.tune.space)
        raise UserError(f"there is nothing to search: {names} is given; leave it, or --search, out")
    space = {name: settings.tune.space[name] for name in searched}
    tuning = settings.tune.model_copy(update={"space": space})
    return settings.model_copy(update={"tune": tuning})


def _fill_cards(models: Sequence[str], tables: Sequence[str], settings: ReportSettings) -> None:
    from lungseg.report.folder_card import add_scores

    for model, table in zip(models, tables, strict=True):
        add_scores(model, table, settings)


def _search(name: str, shards: str, out: str, settings: Settings) -> dict[str, Any]:
    # TensorFlow's import takes seconds: only where it is needed.
    from jobs.tune import tune

    return tune(name, shards, storage.join(out, "search"), settings)


if __name__ == "__main__":
    from jobs.command import main

    main("run")
