"""Options that several verbs share, and the list of settings below each verb's help."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from lungseg.resolve import describe


def _settings_help() -> str:
    lines = ["Settings, for --set name=value and --config FILE.yaml:", ""]
    for name, field in describe():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        told = escape(field.description or "")
        lines += [f"{name} = {shown if shown != '' else '(empty)'}: {told}", ""]
    return "\n".join(lines)


Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="Folder, CSV or URL of films with masks; repeat for several."),
]
Config = Annotated[str | None, typer.Option("--config", help="YAML file of settings.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, name=value; repeat for several.")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="quick (128 px, minutes), full (256 px, 8 M), literature."),
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
Shards = Annotated[str, typer.Option("--shards", help="Folder of shards.")]
EPILOG = _settings_help()
