"""What a folder of predictions is for: noted before its first part, refused to anything else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from lungseg import storage
from lungseg.errors import UserError
from lungseg.prediction.ensemble import Finish
from lungseg.prediction.inputs import Input
from lungseg.prediction.parts import list_parts
from lungseg.settings import PredictSettings, fingerprint

PLAN = "predict.json"


def claim(
    out: str,
    how: Finish,
    inputs: Sequence[Input],
    models: Sequence[str],
    settings: PredictSettings,
) -> None:
    """Note what `out` is for, or see that it is for the same.

    Raises:
        UserError: it is for something else, or no folder.
        OSError: it cannot be written to.
    """
    plan = {
        "format": 1,
        "model": how.fingerprint,
        "inputs": fingerprint([asdict(item) for item in inputs]),
        "images": len(inputs),
        "models": list(models),
        "settings": settings.fingerprint_fields(),
    }
    address = storage.join(out, PLAN)
    if storage.exists(address):
        _compare(out, _read(address), plan)
        return
    if list_parts(out):
        raise UserError(f"{out} holds Parquet files of something else: choose another folder")
    try:
        storage.write_text(address, json.dumps(plan, indent=2))
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{out} is no folder and cannot become one ({error.strerror}): choose another"
        ) from error


def _read(address: str) -> dict:
    try:
        plan = json.loads(storage.read_text(address))
    except ValueError as error:
        raise UserError(f"{address} is damaged ({error}): choose another folder") from error
    if not isinstance(plan, dict) or plan.get("format") != 1:
        raise UserError(f"{address} is of another version of lungseg: choose another folder")
    return plan


def _compare(out: str, before: dict, plan: dict) -> None:
    if before.get("model") != plan["model"]:
        raise UserError(f"{out} holds predictions of another model: choose another folder")
    settings = before.get("settings", {})
    for name, value in plan["settings"].items():
        if name not in settings or settings[name] != value:
            raise UserError(
                f"{out} holds predictions with predict.{name}={settings.get(name)}, not {value}: "
                "choose another folder"
            )
    if before.get("inputs") != plan["inputs"]:
        raise UserError(f"{out} holds predictions of other images: choose another folder")
