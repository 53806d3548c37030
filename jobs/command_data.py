"""The verbs of `lungseg` that make data to train on: `shard` and `phantoms`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.options import Address, Assignments, Config, Data, Folds, Preset, settings_of
from lungseg import storage


def shard(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", help="Folder of the shards.")],
    data: Data = None,
    data_layout: Annotated[str | None, typer.Option("--layout", help="Layout of the data.")] = None,
    data_size: Annotated[
        int | None, typer.Option("--size", help="Side of the network [px].")
    ] = None,
    data_folds: Folds = None,
    preset: Preset = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Turn folders of films and masks into shards. Without --data draws phantoms."""
    settings = settings_of(context)
    from jobs.screen import heading, log_as, say
    from jobs.session import session
    from jobs.shard import check
    from jobs.shard import shard as job

    log_as(settings.compute.log_format)
    check(data or [], settings.data)  # before Ray's start, which takes seconds
    with session(settings.compute):
        heading("shard", out)
        info = job(data or [], storage.absolute(out), settings.data)
    counts = ", ".join(f"{number} {part}" for part, number in info["counts"].items())
    say(f"         {counts}; {info['rejected']} rejected")


def phantoms(
    context: typer.Context,
    cases: Annotated[int, typer.Option("--cases", min=1, help="How many.")],
    out: Annotated[str, typer.Option("--out", help="Folder for images/, masks/, manifest.csv.")],
    size: Annotated[int, typer.Option("--size", min=64, help="Longer side [px].")] = 512,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the drawings.")] = 0,
    compute_address: Address = None,
) -> None:
    """Write a synthetic data set of chest phantoms with masks."""
    settings = settings_of(context)
    from jobs.phantoms import phantoms as job
    from jobs.session import session

    with session(settings.compute):
        job(cases, storage.absolute(out), size=size, seed=seed)
