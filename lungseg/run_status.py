"""How far a run is, from what lies in its folder: also while it goes on, and on object storage."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import yaml

from lungseg import runfolder, storage
from lungseg.errors import UserError
from lungseg.stages import read_states
from lungseg.training.history import read_history

_SHOWN = 3

Status = dict[str, dict[str, Any]]


def read_status(run: str) -> Status:
    """What is known of each stage, in their order.

    Args:
        run: folder of a run.

    Returns:
        For shard, search (if there is one), train, evaluate, report and predict (if there are
        predictions): state, detail (a text), done and planned (counts), and what
        `lungseg.stages.read_states` gives. States are waiting, running, done, incomplete, failed,
        stopped and cut short; the same command goes on with the last four.

    Raises:
        UserError: the folder holds no run.
    """
    path = storage.join(run, runfolder.CONFIG)
    if not storage.exists(path):
        raise UserError(f"{run} holds no run (no {runfolder.CONFIG}): give the --out of a run")
    config = yaml.safe_load(storage.read_text(path))
    found = {
        "shard": _shards(run),
        "search": _search(run),
        "train": _trainings(run, config),
        "evaluate": _scores(run, config),
        "report": _report(run),
        "predict": _predictions(storage.join(run, "predictions")),
    }
    states = read_states(run)
    seconds = runfolder.read_provenance(run).get("seconds", {})
    return {
        stage: _state(facts, states.get(stage, {}), seconds.get(stage))
        for stage, facts in found.items()
        if facts or stage in states
    }


def _state(facts: dict[str, Any], recorded: dict[str, str], seconds: float | None) -> Any:
    done, planned = facts.get("done", 0), facts.get("planned", 1)
    state = recorded.get("state", "")
    if not state or state == "done":
        part = "incomplete" if done or state else "waiting"
        state = "done" if done >= planned else part
    told = {"seconds": seconds} if seconds is not None else {}
    return facts | recorded | told | {"state": state}


def _shards(run: str) -> dict[str, Any]:
    path = storage.join(run, "shards", "dataset.json")
    if not storage.exists(path):
        return {"done": 0, "planned": 1, "detail": ""}
    info = json.loads(storage.read_text(path))
    counts = ", ".join(f"{number} {part}" for part, number in info["counts"].items())
    return {"done": 1, "planned": 1, "detail": f"{counts}; {info['rejected']} rejected"}


def _search(run: str) -> dict[str, Any]:
    details, done = [], 0
    folders = storage.list_folders(storage.join(run, "search"))
    for folder in folders:
        table = storage.join(folder, "trials.csv")
        text = storage.read_text(table) if storage.exists(table) else ""
        trials = sum(1 for _ in csv.DictReader(io.StringIO(text)))
        done += storage.exists(storage.join(folder, "best.yaml"))
        details.append(f"{folder.rstrip('/').rpartition('/')[2]} {trials} trials")
    if not folders:
        return {}
    return {"done": done, "planned": len(folders), "detail": _listed(details)}


def _trainings(run: str, config: dict[str, Any]) -> dict[str, Any]:
    each = [
        _training(runfolder.model_folder(run, *key), config["train"]["epochs"])
        | {"model": key[0], "fold": key[1], "seed": key[2]}
        for key in _grid(config)
    ]
    done = sum(one["state"] == "done" for one in each)
    details = [
        f"{one['model']} fold {one['fold']} seed {one['seed']} {one['detail']}"
        for one in each
        if one["detail"]
    ]
    text = "; ".join([f"{done} of {len(each)} trained", *([_listed(details)] if details else [])])
    return {"done": done, "planned": len(each), "detail": text, "trainings": each}


def _training(folder: str, epochs: int) -> dict[str, Any]:
    rows = read_history(storage.join(folder, "history.csv"))
    plan = storage.join(folder, "plan.json")
    if storage.exists(plan):
        epochs = json.loads(storage.read_text(plan))["train"]["epochs"]
    failure = storage.join(folder, "failure.txt")
    state, detail = "waiting", ""
    if storage.exists(storage.join(folder, "segmenter.json")):
        state = "done"
    elif storage.exists(failure):
        state, detail = "failed", f"failed: {storage.read_text(failure)}"
    elif rows:
        state = "begun"
        detail = f"epoch {len(rows)}/{epochs}, val Dice {rows[-1]['val_dice']:.4f}"
    return {"state": state, "detail": detail, "epochs": len(rows), "planned_epochs": epochs}


def _scores(run: str, config: dict[str, Any]) -> dict[str, Any]:
    tables = [
        storage.join(run, "scores", model, f"fold-{fold}_seed-{seed}.parquet")
        for model, fold, seed in _grid(config)
    ]
    done = sum(map(storage.exists, tables))
    detail = f"{done} of {len(tables)} models scored" if done else ""
    return {"done": done, "planned": len(tables), "detail": detail}


def _report(run: str) -> dict[str, Any]:
    page = storage.join(run, "report", "index.html")
    there = storage.exists(page)
    return {"done": int(there), "planned": 1, "detail": page if there else ""}


def _predictions(folder: str) -> dict[str, Any]:
    path = storage.join(folder, "predict.json")
    if not storage.exists(path):
        return {}
    plan = json.loads(storage.read_text(path))
    planned = math.ceil(plan["images"] / plan["settings"]["images_per_part"])
    done = len(storage.list_files(folder, ".parquet"))
    return {
        "done": done,
        "planned": planned,
        "detail": f"{done} of {planned} parts, {plan['images']} images",
    }


def _grid(config: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [
        (model, fold, seed)
        for model in config["models"]
        for fold in range(config["data"]["folds"])
        for seed in range(config["seeds"])
    ]


def _listed(details: list[str]) -> str:
    more = [f"and {len(details) - _SHOWN} more"] if len(details) > _SHOWN else []
    return ", ".join(details[:_SHOWN] + more)
