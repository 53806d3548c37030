"""The verbs of `lungseg` that train: `run`, `tune` and `train`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.options import (
    Address,
    Architecture,
    Assignments,
    BatchSize,
    Config,
    CpusPerWorker,
    Data,
    Epochs,
    Folds,
    GpusPerWorker,
    Precision,
    Preset,
    Shards,
    Workers,
    names_given,
    settings_of,
)
from lungseg import storage
from lungseg.errors import UserError
from lungseg.resolve import value_of


def run(
    context: typer.Context,
    data: Data = None,
    out: Annotated[str, typer.Option("--out", help="Folder of the run.")] = "lungseg-run",
    preset: Preset = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Architectures, with commas between.")
    ] = None,
    data_folds: Folds = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Trainings of each model.")] = None,
    search: Annotated[
        bool, typer.Option("--search", help="First search good settings for each architecture.")
    ] = False,
    train_precision: Precision = None,
    compute_workers: Workers = None,
    compute_cpus_per_worker: CpusPerWorker = None,
    compute_gpus_per_worker: GpusPerWorker = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """All stages: shard, train, evaluate, report. Without --data on synthetic phantoms."""
    settings = settings_of(context)
    searched = None
    if search:
        given = names_given(context)
        searched = [name for name in settings.tune.space if name not in given]
    from jobs.run import run as job

    job(data or [], out, settings, searched)


def tune(
    context: typer.Context,
    shards: Shards,
    models: Architecture,
    out: Annotated[str, typer.Option("--out", help="Folder of searches; this one's is OUT/MODEL.")],
    tune_trials: Annotated[int | None, typer.Option("--trials", help="How many.")] = None,
    train_epochs: Epochs = None,
    train_batch_size: BatchSize = None,
    train_precision: Precision = None,
    compute_parallel: Annotated[
        int | None, typer.Option("--parallel", help="Trials at a time; 0: as there is room.")
    ] = None,
    compute_workers: Workers = None,
    compute_cpus_per_worker: CpusPerWorker = None,
    compute_gpus_per_worker: GpusPerWorker = None,
    preset: Preset = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Search good settings of one architecture; goes on where it was cut short."""
    _see_one(models)
    settings = settings_of(context)
    from jobs.fitting import check
    from jobs.screen import heading, log_as
    from jobs.session import session
    from jobs.tune import tune as job

    log_as(settings.compute.log_format)
    check(storage.absolute(shards), settings)  # before Ray's start, which takes seconds
    with session(settings.compute, state_api=settings.compute.workers != (1, 1)):
        heading("tune", out)
        job(models, storage.absolute(shards), storage.absolute(out), settings)


def train(
    context: typer.Context,
    shards: Shards,
    models: Architecture,
    out: Annotated[str, typer.Option("--out", help="Folder of the model.")],
    train_epochs: Epochs = None,
    train_batch_size: BatchSize = None,
    train_learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Initial learning rate.")
    ] = None,
    train_precision: Precision = None,
    compute_workers: Workers = None,
    compute_cpus_per_worker: CpusPerWorker = None,
    compute_gpus_per_worker: GpusPerWorker = None,
    fold: Annotated[
        int, typer.Option("--fold", min=0, help="Fold to validate on, where shards have several.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order, augmentation.")] = 0,
    search: Annotated[
        str | None,
        typer.Option("--search", help="Folder of searches, whose best settings are taken."),
    ] = None,
    preset: Preset = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Train one network on shards; the same command goes on with a training cut short."""
    _see_one(models)
    from jobs.screen import heading, log_as, say
    from lungseg.search import space, trials

    searched = storage.join(storage.absolute(search), models) if search else ""
    found = trials.read_best(searched) if searched else {}
    settings = settings_of(context, found)
    from jobs.fitting import check
    from jobs.session import session
    from jobs.train import train as job
    from jobs.train_worker import Training

    log_as(settings.compute.log_format)
    check(storage.absolute(shards), settings, fold)  # before Ray's start, which takes seconds
    with session(settings.compute):
        heading("train", out)
        if found:
            taken = {name: value_of(settings, name) for name in found}
            say(f"         searched in {search}: {space.named(taken)}")
        where = (storage.absolute(shards), storage.absolute(out))
        job(Training(models, *where, seed, fold, searched), settings)


def _see_one(models: str) -> None:
    """Refuse a list of architectures, which the setting `models` takes and a training does not."""
    if "," in models:
        raise UserError(f"--model takes one architecture, not {models}")
