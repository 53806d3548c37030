"""The verbs of `lungseg` that use trained models: `evaluate`, `report`, `predict` and `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.options import Address, Assignments, Config, Data, Trained, names_given, settings_of
from lungseg import storage
from lungseg.case import SPLITS
from lungseg.errors import UserError
from lungseg.export import FORMATS, VARIANTS


def evaluate(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", help="Folder of the scores.")],
    model: Trained = None,
    shards: Annotated[str | None, typer.Option("--shards", help="Folder of shards.")] = None,
    data: Data = None,
    masks: Annotated[
        str | None, typer.Option("--masks", help="Masks of another tool, instead of models.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val, test, all; test of --shards, all of --data."),
    ] = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Score models, or masks made elsewhere, at original size, one row a case."""
    if bool(model) == bool(masks):
        raise UserError("evaluate takes either --model or --masks")
    if bool(shards) == bool(data) or (masks and not data):
        raise UserError("evaluate takes either --shards or --data; --masks goes with --data")
    split = split or ("test" if shards else "all")
    allowed = (*SPLITS, "all") if shards or masks else ("test", "all")
    if split not in allowed:
        raise UserError(f"there is no split {split!r} here: take {', '.join(allowed)}")
    settings = settings_of(context)
    given = names_given(context)
    from jobs import evaluate as job
    from jobs import evaluate_masks as masks_job
    from jobs.screen import heading, log_as
    from jobs.session import session
    from jobs.shard import check

    log_as(settings.compute.log_format)
    target = storage.absolute(out)
    models = [storage.absolute(path) for path in model or ()]
    if "evaluate.min_area_fraction" in given:
        job.check_finish(models, settings.evaluate)
    # Before Ray's start, which takes seconds.
    if shards:
        job.fitting_info(models, storage.absolute(shards), split)
    else:
        job.refuse_doubles(models)
        check(data or [], settings.data)
    if masks:
        masks_job.check(storage.absolute(masks), target)
    with session(settings.compute):
        heading("evaluate", out)
        if masks:
            masks_job.evaluate_masks(
                storage.absolute(masks), data or [], target, split=split, settings=settings.data
            )
        elif data:
            job.evaluate_data(models, data, target, split=split, settings=settings)
        else:
            job.evaluate(
                models,
                storage.absolute(shards or ""),
                target,
                split=split,
                settings=settings.evaluate,
                precision=settings.train.precision,
            )


def report(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(help="Folders of runs.")],
    out: Annotated[str | None, typer.Option("--out", help="Folder; RUN/report by default.")] = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Write the comparison report of one or several runs."""
    settings = settings_of(context)
    from jobs.report import report as job
    from jobs.screen import log_as, say

    log_as(settings.compute.log_format)
    # A folder given twice would double its trainings, which then have no spread.
    folders = list(dict.fromkeys(storage.absolute(run) for run in runs))
    target = storage.absolute(out) if out else storage.join(folders[0], "report")
    say(job(folders, target, settings.report))


def predict(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", help="Folder of the predictions.")],
    model: Trained = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--images", help="Folder, glob, CSV or Parquet list, or file; repeatable."),
    ] = None,
    predict_masks: Annotated[
        bool | None, typer.Option("--masks", help="Write mask PNGs at original size.")
    ] = None,
    predict_overlays: Annotated[
        int | None, typer.Option("--overlays", help="Draw the first N films with their outline.")
    ] = None,
    predict_actors: Annotated[
        str | None, typer.Option("--actors", help="Network processes, MIN:MAX.")
    ] = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Masks and quality figures for any number of films; goes on where it was cut short."""
    if not model or not images:
        raise UserError("predict takes at least one --model and one --images")
    settings = settings_of(context)
    from jobs.predict import plan, tell, work
    from jobs.screen import heading, log_as
    from jobs.session import session

    log_as(settings.compute.log_format)
    heading("predict", out)
    folders = [storage.absolute(folder) for folder in model]
    job = plan(folders, images, storage.absolute(out), settings.predict)
    with session(settings.compute):
        tell(work(job))


def export(
    model: Annotated[str, typer.Argument(help="Model folder.")],
    name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")],
    out: Annotated[
        str, typer.Option("--out", help="File with the format's ending, or a folder for it.")
    ],
    variant: Annotated[
        str, typer.Option("--variant", help=f"{', '.join(VARIANTS)}, where the format has it.")
    ] = "float32",
    shards: Annotated[
        str | None,
        typer.Option(
            "--shards", help="Films to compare on (int8: to calibrate by); else phantoms."
        ),
    ] = None,
) -> None:
    """Write a network for other programs, once it agrees with Keras in its own runtime."""
    from jobs.export import export as job
    from jobs.screen import heading

    heading("export", out)
    job(
        storage.absolute(model),
        storage.absolute(out),
        name,
        variant,
        storage.absolute(shards) if shards else None,
    )
