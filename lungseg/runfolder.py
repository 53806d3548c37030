"""The folder of a run: its configuration, what it was made with, and which stages are done."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from posixpath import basename
from typing import Any

import yaml

from lungseg import machine, storage
from lungseg.errors import UserError
from lungseg.settings import Settings
from lungseg.stages import STATE, under_way
from lungseg.training.plan import HARMLESS, difference

CONFIG = "config.yaml"
PROVENANCE = "provenance.json"
_SHARDS = "shards"

# What may change from one start of a run to the next: where it runs, and which parts of the
# comparison are wanted (each training and table is kept by itself).
_FREE = {"compute", "models", "seeds", "report", "evaluate", "predict", "found"}


def model_folder(run: str, model: str, fold: int, seed: int) -> str:
    """Where the model of one training lies."""
    return storage.join(run, "models", model, f"fold-{fold}", f"seed-{seed}")


def search_folder(run: str, model: str) -> str:
    """Where the search of one architecture lies, if one was made."""
    return storage.join(run, "search", model)


def claim(
    run: str, settings: Settings, data: list[str], searched: Sequence[str] | None = None
) -> bool:
    """Write `config.yaml`, unless the folder belongs to a run of another configuration.

    Args:
        run: its folder.
        settings: of all stages.
        data: paths of the data sets.
        searched: names of the settings that are searched first; None for no search.

    Returns:
        Whether the run is new.

    Raises:
        UserError: it does; nothing is changed.
    """
    path = storage.join(run, CONFIG)
    content = settings.model_dump(mode="json") | {"data_paths": data}
    content["searched"] = None if searched is None else list(searched)
    if storage.exists(path):
        before = yaml.safe_load(storage.read_text(path))
        if "found" in before:
            content["found"] = before["found"]
        changed = difference(_bound(before), _bound(content))
        if changed:
            raise UserError(
                f"{run} holds a run of another configuration ({changed}): choose another --out, "
                "or delete it"
            )
    elif storage.list_files(run) or {basename(f) for f in storage.list_folders(run)} - {_SHARDS}:
        raise UserError(f"{run} is not empty and holds no run: choose another --out")
    new = not storage.exists(path)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    storage.write_text(path, text)
    return new


def note_found(run: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to `config.yaml` what a search has found for each architecture."""
    path = storage.join(run, CONFIG)
    content = yaml.safe_load(storage.read_text(path))
    content["found"] = {name: dict(values) for name, values in found.items()}
    storage.write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def release(run: str) -> None:
    """Take the marks away from a new run whose data or cluster turned out to be unusable."""
    for name in (CONFIG, STATE):
        storage.delete(storage.join(run, name))


def _bound(content: Mapping[str, Any]) -> dict[str, Any]:
    bound = {name: value for name, value in content.items() if name not in _FREE}
    if content.get("searched") is None:
        bound.pop("tune", None)
        bound.pop("searched", None)
    else:
        bound["tune"] = {k: v for k, v in bound["tune"].items() if k != "trials"}
    train = {name: value for name, value in bound["train"].items() if name not in HARMLESS}
    # The part of an evaluation that goes into each model.
    finish = {"min_area_fraction": content["evaluate"]["min_area_fraction"]}
    return bound | {"train": train, "evaluate": finish}


@contextmanager
def timed(run: str, stage: str) -> Iterator[None]:
    """Mark a stage as under way, and add the seconds it takes to `provenance.json`.

    Seconds count together over all starts.
    """
    started = time.perf_counter()
    with under_way(run, stage):
        yield
    content = read_provenance(run)
    seconds = content.setdefault("seconds", {})
    seconds[stage] = round(seconds.get(stage, 0.0) + time.perf_counter() - started, 2)
    storage.write_text(storage.join(run, PROVENANCE), json.dumps(content, indent=2))


def read_provenance(run: str) -> dict[str, Any]:
    """`provenance.json`, empty where there is none yet."""
    path = storage.join(run, PROVENANCE)
    content: dict[str, Any] = json.loads(storage.read_text(path)) if storage.exists(path) else {}
    return content


def write_provenance(run: str, facts: Mapping[str, Any]) -> None:
    """Write or renew `provenance.json`: versions, commit, hardware and the given facts."""
    content = read_provenance(run) | {
        "versions": machine.versions(),
        "commit": _commit(),
        "hardware": machine.hardware(),
        **facts,
    }
    storage.write_text(storage.join(run, PROVENANCE), json.dumps(content, indent=2))


def _commit() -> str:
    """Commit of the source tree, "" when installed from a wheel."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except OSError:
        return ""
    return done.stdout.strip()
