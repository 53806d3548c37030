"""Options that several verbs share, what they make of the settings, and the list of all settings.

A verb has its options as parameters. One that is named as a setting, with "_" for the dot, gives
that setting its value: `settings_of` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from lungseg.resolve import describe, given_names, resolve
from lungseg.settings import Settings


def _settings_help() -> str:
    lines = ["Settings, for --set name=value and --config FILE.yaml:", ""]
    for name, field in describe():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        told = escape(field.description or "")
        lines += [f"{name} = {'(empty)' if shown in ('', None) else shown}: {told}", ""]
    return "\n".join(lines)


EPILOG = _settings_help()

Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="Folder, CSV or URL of films with masks; repeat for several."),
]
Shards = Annotated[str, typer.Option("--shards", help="Folder of shards.")]
Trained = Annotated[
    list[str] | None,
    typer.Option("--model", help="Model folder; repeat for several, in predict an ensemble."),
]
Config = Annotated[str | None, typer.Option("--config", help="YAML file of settings.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, name=value; repeat for several.")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="quick (128 px, minutes), full (256 px, 8 M), literature."),
]
Architecture = Annotated[str, typer.Option("--model", help="Architecture.")]
Folds = Annotated[
    int | None, typer.Option("--folds", help="Folds of a cross-validation; 1 for none.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Of a training or trial, at most.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Cases a worker and step.")]
Precision = Annotated[
    str | None, typer.Option("--precision", help="auto, float32, bfloat16 or float16.")
]
Address = Annotated[str | None, typer.Option("--address", help="Ray cluster to work on.")]
Workers = Annotated[
    str | None, typer.Option("--workers", help="Training workers: N, or MIN:MAX as there is room.")
]
CpusPerWorker = Annotated[
    float | None, typer.Option("--cpus-per-worker", help="CPUs of each training worker.")
]
GpusPerWorker = Annotated[
    float | None, typer.Option("--gpus-per-worker", help="GPUs of each training worker.")
]

_SETTINGS = {name.replace(".", "_"): name for name, _ in describe()}


def settings_of(context: typer.Context, found: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a verb: its options, `--set`, `--config`, what a search found, its preset.

    Raises:
        UserError: one of them is unknown or cannot have this value.
    """
    given = context.params
    return resolve(
        preset=given.get("preset"),
        found=found,
        config=given.get("config"),
        assignments=given.get("assignments") or (),
        options=_options(context),
    )


def names_given(context: typer.Context) -> frozenset[str]:
    """Names of the settings that the user gave a value for, one way or another."""
    given = context.params
    return given_names(given.get("config"), given.get("assignments") or (), _options(context))


def _options(context: typer.Context) -> dict[str, Any]:
    return {
        setting: context.params[name]
        for name, setting in _SETTINGS.items()
        if name in context.params
    }
