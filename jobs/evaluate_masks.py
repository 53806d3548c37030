"""`lungseg evaluate --masks`: score masks that another tool wrote, with Ray Data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from jobs.score_table import announce, write_scores
from jobs.screen import progress, say
from jobs.session import silence
from lungseg import datasets, storage
from lungseg.case import Case
from lungseg.datasets.names import stem
from lungseg.errors import RejectedCase, UserError
from lungseg.evaluation import score_file
from lungseg.settings import fingerprint

_CASES_A_TASK = 16
_SUFFIXES = ("", "_mask", "-mask", "_seg")


def evaluate_masks(folder: str, paths: Sequence[str], out: str, *, split: str) -> str:
    """Score a folder of masks against the references of data sets.

    A mask belongs to the case or film whose name it has, with or without `_mask`, `-mask` or
    `_seg`. The folder's name stands for the model in the tables.

    Args:
        folder: masks at the size of their films, lung bright.
        paths: data sets, as `lungseg shard` takes them.
        out: folder of the scores.
        split: "all", or "train", "val" or "test" for the cases whose split_hint says so.

    Returns:
        Path of the table.

    Raises:
        UserError: no case has a mask in the folder.
    """
    import ray.data

    masks = {stem(path): path for path in storage.list_files(folder)}
    cases = datasets.find_cases([storage.absolute(path) for path in paths]).cases
    wanted = [case for case in cases if split == "all" or case.split_hint == split]
    pairs = [(case, _find(case, masks)) for case in wanted]
    items = [{"case": asdict(case), "mask": path} for case, path in pairs if path]
    if not items:
        raise UserError(
            f"{folder} holds no mask for any of the {len(wanted)} cases: a mask has the name of "
            "its case, with or without _mask"
        )
    count = math.ceil(len(items) / _CASES_A_TASK)
    chunks = [{"items": json.dumps(items[i::count])} for i in range(count)]
    rows: list[dict[str, Any]] = []
    scored = ray.data.from_items(chunks, override_num_blocks=count).map(_score)
    with silence(), progress("masks", len(items)) as advance:
        for chunk in scored.iter_rows():
            rows += json.loads(chunk["rows"])
            advance(len(json.loads(chunk["rows"])))
    good = [row for row in rows if "reason" not in row]
    name = stem(folder)
    _tell_missing(out, name, rows, [case.case_id for case, path in pairs if not path])
    frame = pd.DataFrame(good).sort_values("case_id", ignore_index=True)
    frame = frame.assign(model=name, fold=0, seed=0)
    target = storage.join(out, name, "fold-0_seed-0.parquet")
    write_scores(target, frame, fingerprint(items))
    announce(name, frame)
    return target


def _find(case: Case, masks: dict[str, str]) -> str:
    names = [f"{name}{suffix}" for name in (case.case_id, stem(case.image)) for suffix in _SUFFIXES]
    return next((masks[name] for name in names if name in masks), "")


def _score(chunk: dict[str, Any]) -> dict[str, Any]:
    """One task: rows of scores, or of reasons, as JSON."""
    rows = []
    for item in json.loads(chunk["items"]):
        case = Case.from_plain(item["case"])
        try:
            rows.append(score_file(case, item["mask"]))
        except RejectedCase as error:
            rows.append({"case_id": case.case_id, "reason": str(error)})
    return {"rows": json.dumps(rows)}


def _tell_missing(out: str, name: str, rows: list[dict[str, Any]], missing: list[str]) -> None:
    """List the cases without a usable mask; they are in no mean, so nobody should overlook them."""
    listed = [(row["case_id"], row["reason"]) for row in rows if "reason" in row]
    listed += [(case_id, "no mask of this name") for case_id in missing]
    table = pd.DataFrame(sorted(listed), columns=["case_id", "reason"])
    path = storage.join(out, name, "rejected.csv")
    storage.write_text(path, table.to_csv(index=False))
    if listed:
        say(f"         {name}: {len(listed)} cases have no usable mask, listed in {path}")
