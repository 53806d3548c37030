"""The command `lungseg`: its verbs are the jobs.

Exit status 0: done; 1: the work failed; 2: the request was wrong. Neither ends in a traceback.
TensorFlow and Ray are imported by the verbs that need them, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from jobs import command_cluster
from jobs.options import (
    EPILOG,
    Address,
    Assignments,
    Config,
    CpusPerWorker,
    Data,
    GpusPerWorker,
    Preset,
    Shards,
    Workers,
)
from lungseg import storage
from lungseg.case import SPLITS
from lungseg.errors import UserError, WorkError
from lungseg.export import FORMATS, VARIANTS
from lungseg.resolve import given_names, resolve, value_of
from lungseg.storage import UNWRITABLE

_INTERRUPTED = 130
"""What Typer makes of Ctrl-C."""

app = typer.Typer(
    name="lungseg",
    help="Train, compare and apply lung segmentation on chest radiographs, on Ray.",
    epilog="lungseg VERB --help tells the options and every setting of a verb.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command(epilog=EPILOG)
def run(
    data: Data = None,
    out: Annotated[str, typer.Option("--out", help="Folder of the run.")] = "lungseg-run",
    preset: Preset = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Architectures, with commas between.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Folds of a cross-validation; 1 for none.")
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Trainings of each model.")] = None,
    search: Annotated[
        bool, typer.Option("--search", help="First search good settings for each architecture.")
    ] = False,
    workers: Workers = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """All stages: shard, train, evaluate, report. Without --data on synthetic phantoms."""
    options = {
        "models": models,
        "data.folds": folds,
        "seeds": seeds,
        "compute.workers": workers,
        "compute.cpus_per_worker": cpus_per_worker,
        "compute.gpus_per_worker": gpus_per_worker,
        "compute.address": address,
    }
    settings = resolve(preset=preset, config=config, assignments=assignments or (), options=options)
    searched = None
    if search:
        given = given_names(config, assignments or (), options)
        searched = [name for name in settings.tune.space if name not in given]
    from jobs.run import run as job

    job(data or [], out, settings, searched)


@app.command(epilog=EPILOG)
def shard(
    out: Annotated[str, typer.Option("--out", help="Folder of the shards.")],
    data: Data = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the data.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of the network [px].")] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Folds of the cross-validation.")
    ] = None,
    preset: Preset = None,
    address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Turn folders of films and masks into shards. Without --data draws phantoms."""
    settings = resolve(
        preset=preset,
        config=config,
        assignments=assignments or (),
        options={
            "data.layout": layout,
            "data.size": size,
            "data.folds": folds,
            "compute.address": address,
        },
    )
    from jobs.screen import heading, say
    from jobs.session import session
    from jobs.shard import shard as job

    with session(settings.compute):
        heading("shard", out)
        info = job(data or [], storage.absolute(out), settings.data)
    counts = ", ".join(f"{number} {part}" for part, number in info["counts"].items())
    say(f"         {counts}; {info['rejected']} rejected")


@app.command(epilog=EPILOG)
def train(
    shards: Shards,
    model: Annotated[str, typer.Option("--model", help="Architecture.")],
    out: Annotated[str, typer.Option("--out", help="Folder of the model.")],
    epochs: Annotated[int | None, typer.Option("--epochs", help="At most.")] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Cases a worker and step.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Initial learning rate.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="auto, float32, bfloat16 or float16.")
    ] = None,
    workers: Workers = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    fold: Annotated[
        int, typer.Option("--fold", min=0, help="Fold to validate on, where shards have several.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order, augmentation.")] = 0,
    search: Annotated[
        str | None,
        typer.Option("--search", help="Folder of searches, whose best settings are taken."),
    ] = None,
    preset: Preset = None,
    address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Train one network on shards; the same command goes on with a training cut short."""
    from jobs.screen import heading, say
    from lungseg.search import space, trials

    found = trials.read_best(storage.join(storage.absolute(search), model)) if search else {}
    settings = resolve(
        preset=preset,
        found=found,
        config=config,
        assignments=assignments or (),
        options={
            "models": model,
            "train.epochs": epochs,
            "train.batch_size": batch_size,
            "train.learning_rate": learning_rate,
            "train.precision": precision,
            "compute.workers": workers,
            "compute.cpus_per_worker": cpus_per_worker,
            "compute.gpus_per_worker": gpus_per_worker,
            "compute.address": address,
        },
    )
    from jobs.session import session
    from jobs.train import train as job
    from jobs.train_worker import Training

    with session(settings.compute):
        heading("train", out)
        if found:
            taken = {name: value_of(settings, name) for name in found}
            say(f"         searched in {search}: {space.named(taken)}")
        job(Training(model, storage.absolute(shards), storage.absolute(out), seed, fold), settings)


@app.command(epilog=EPILOG)
def tune(
    shards: Shards,
    model: Annotated[str, typer.Option("--model", help="Architecture.")],
    out: Annotated[str, typer.Option("--out", help="Folder of searches; this one's is OUT/MODEL.")],
    trials: Annotated[int | None, typer.Option("--trials", help="How many.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Of a trial, at most.")] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Cases a worker and step.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="auto, float32, bfloat16 or float16.")
    ] = None,
    parallel: Annotated[
        int | None, typer.Option("--parallel", help="Trials at a time; 0: as there is room.")
    ] = None,
    workers: Workers = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    preset: Preset = None,
    address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Search good settings of one architecture; goes on where it was cut short."""
    settings = resolve(
        preset=preset,
        config=config,
        assignments=assignments or (),
        options={
            "models": model,
            "tune.trials": trials,
            "train.epochs": epochs,
            "train.batch_size": batch_size,
            "train.precision": precision,
            "compute.parallel": parallel,
            "compute.workers": workers,
            "compute.cpus_per_worker": cpus_per_worker,
            "compute.gpus_per_worker": gpus_per_worker,
            "compute.address": address,
        },
    )
    from jobs.screen import heading
    from jobs.session import session
    from jobs.tune import tune as job

    with session(settings.compute, state_api=settings.compute.workers != (1, 1)):
        heading("tune", out)
        job(model, storage.absolute(shards), storage.absolute(out), settings)


@app.command(epilog=EPILOG)
def evaluate(
    out: Annotated[str, typer.Option("--out", help="Folder of the scores.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model folder; repeat for several.")
    ] = None,
    shards: Annotated[str | None, typer.Option("--shards", help="Folder of shards.")] = None,
    data: Data = None,
    masks: Annotated[
        str | None, typer.Option("--masks", help="Masks of another tool, instead of models.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val, test, all; test of --shards, all of --data."),
    ] = None,
    address: Address = None,
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
    settings = resolve(
        config=config, assignments=assignments or (), options={"compute.address": address}
    )
    from jobs import evaluate as job
    from jobs.evaluate_masks import evaluate_masks
    from jobs.screen import heading
    from jobs.session import session

    target = storage.absolute(out)
    models = [storage.absolute(path) for path in model or ()]
    with session(settings.compute):
        heading("evaluate", out)
        if masks:
            evaluate_masks(storage.absolute(masks), data or [], target, split=split)
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


@app.command(epilog=EPILOG)
def report(
    runs: Annotated[list[str], typer.Argument(help="Folders of runs.")],
    out: Annotated[str | None, typer.Option("--out", help="Folder; RUN/report by default.")] = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Write the comparison report of one or several runs."""
    settings = resolve(config=config, assignments=assignments or ())
    from jobs.report import report as job
    from jobs.screen import log_as, say

    log_as(settings.compute.log_format)
    folders = [storage.absolute(run) for run in runs]
    target = storage.absolute(out) if out else storage.join(folders[0], "report")
    say(job(folders, target, settings.report))


@app.command(epilog=EPILOG)
def predict(
    out: Annotated[str, typer.Option("--out", help="Folder of the predictions.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model folder; several make an ensemble.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--images", help="Folder, glob, CSV or Parquet list, or file; repeatable."),
    ] = None,
    masks: Annotated[
        bool | None, typer.Option("--masks", help="Write mask PNGs at original size.")
    ] = None,
    overlays: Annotated[
        int | None, typer.Option("--overlays", help="Draw the first N films with their outline.")
    ] = None,
    actors: Annotated[
        str | None, typer.Option("--actors", help="Network processes, MIN:MAX.")
    ] = None,
    address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Masks and quality figures for any number of films; goes on where it was cut short."""
    if not model or not images:
        raise UserError("predict takes at least one --model and one --images")
    settings = resolve(
        config=config,
        assignments=assignments or (),
        options={
            "predict.masks": masks,
            "predict.overlays": overlays,
            "predict.actors": actors,
            "compute.address": address,
        },
    )
    from jobs.predict import predict as job
    from jobs.predict import tell
    from jobs.screen import heading
    from jobs.session import session

    with session(settings.compute):
        heading("predict", out)
        folders = [storage.absolute(folder) for folder in model]
        tell(job(folders, images, storage.absolute(out), settings.predict))


@app.command()
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
        str | None, typer.Option("--shards", help="Films to compare on; phantoms by default.")
    ] = None,
) -> None:
    """Write a network for other programs, once it agrees with Keras in its own runtime."""
    from jobs.export import export as job
    from jobs.screen import heading
    from lungseg import storage

    heading("export", out)
    job(
        storage.absolute(model),
        storage.absolute(out),
        name,
        variant,
        storage.absolute(shards) if shards else None,
    )


@app.command()
def phantoms(
    cases: Annotated[int, typer.Option("--cases", min=1, help="How many.")],
    out: Annotated[str, typer.Option("--out", help="Folder for images/, masks/, manifest.csv.")],
    size: Annotated[int, typer.Option("--size", min=64, help="Longer side [px].")] = 512,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the drawings.")] = 0,
    address: Address = None,
) -> None:
    """Write a synthetic data set of chest phantoms with masks."""
    settings = resolve(options={"compute.address": address})
    from jobs.phantoms import phantoms as job
    from jobs.session import session

    with session(settings.compute):
        job(cases, storage.absolute(out), size=size, seed=seed)


command_cluster.add_to(app)


def main(*verb: str) -> None:
    """Run the command, or one verb of it; every known failure is one line on standard error."""
    sys.exit(_status([*verb, *sys.argv[1:]]))


def _status(arguments: list[str]) -> int:
    from jobs.screen import complain

    try:
        status: Any = app(args=arguments, standalone_mode=False)
    except UserError as error:
        complain(str(error))
        return 2
    except WorkError as error:
        complain(str(error))
        return 1
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        complain(f"cannot write {error.filename}: {error.strerror}")
        return 1
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 1
    except Exception as error:
        # The parser's own complaints, whose class Typer keeps to itself.
        if not hasattr(error, "format_message"):
            raise
        complain(error.format_message())
        return 2
    if status == _INTERRUPTED:
        complain("stopped; the same command goes on from here")
        return 1
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
