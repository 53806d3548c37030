"""`lungseg evaluate --masks`: score masks that another tool wrote, with Ray Data."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from jobs.score_table import announce, mark_of, write_scores
from jobs.screen import progress, say
from jobs.session import silence
from jobs.shard import layout_of
from lungseg import datasets, storage
from lungseg.case import Case
from lungseg.datasets.names import stem
from lungseg.errors import RejectedCase, UserError
from lungseg.evaluation import score_file
from lungseg.settings import DataSettings, fingerprint

_CASES_A_TASK = 16
_SUFFIXES = ("", "_mask", "-mask", "_seg")


def check(folder: str, out: str) -> str:
    """See that a folder of masks can be scored; needs no Ray.

    Args:
        folder: the masks.
        out: folder of the scores.

    Returns:
        Path of its table.

    Raises:
        UserError: it is no folder, or the table that it would get is of something else.
    """
    if not storage.is_folder(folder):
        raise UserError(f"{folder} is no folder: give one of masks, a file a case")
    table = storage.join(out, stem(folder), "fold-0_seed-0.parquet")
    mark_of(table, folder)  # refuses to take another's place
    return table


def cases_of_split(paths: Sequence[str], split: str, settings: DataSettings) -> list[Case]:
    """The cases of data sets that an evaluation is of.

    Args:
        paths: data sets, as `lungseg shard` takes them.
        split: "all", or "train", "val" or "test" for the cases whose split_hint says so.
        settings: of the data; their layout is read.

    Raises:
        UserError: there is none.
    """
    places = [storage.absolute(path) for path in paths]
    cases = datasets.find_cases(places, layout_of(settings)).cases
    wanted = [case for case in cases if split in ("all", case.split_hint)]
    if not wanted:
        raise UserError(f"no case of {', '.join(paths)} has split_hint={split}: take --split all")
    return wanted


def evaluate_masks(
    folder: str, paths: Sequence[str], out: str, *, split: str, settings: DataSettings
) -> str:
    """Score a folder of masks against the references of data sets.

    A mask belongs to the case or film whose name it has, with or without `_mask`, `-mask` or
    `_seg`. The folder's name stands for the model in the tables.

    Args:
        folder: masks at the size of their films, lung bright.
        paths: data sets, as `lungseg shard` takes them.
        out: folder of the scores.
        split: as in `cases_of_split`.
        settings: of the data; their layout is read.

    Returns:
        Path of the table.

    Raises:
        UserError: no case has a usable mask in the folder, or the table is of something else.
    """
    import ray.data

    target = check(folder, out)
    masks = {stem(path): path for path in storage.list_files(folder)}
    wanted = cases_of_split(paths, split, settings)
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
    listed = _tell_missing(out, name, rows, [case.case_id for case, path in pairs if not path])
    if not good:
        [(reason, _)] = Counter(row["reason"] for row in rows).most_common(1)
        raise UserError(f"none of the {len(rows)} masks can be used: {reason} (all in {listed})")
    frame = pd.DataFrame(good).sort_values("case_id", ignore_index=True)
    frame = frame.assign(model=name, fold=0, seed=0)
    write_scores(target, frame, fingerprint(items), folder)
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


def _tell_missing(out: str, name: str, rows: list[dict[str, Any]], missing: list[str]) -> str:
    """List the cases without a usable mask; they are in no mean, so nobody should overlook them.

    Returns:
        Path of the list.
    """
    listed = [(row["case_id"], row["reason"]) for row in rows if "reason" in row]
    listed += [(case_id, "no mask of this name") for case_id in missing]
    table = pd.DataFrame(sorted(listed), columns=["case_id", "reason"])
    path = storage.join(out, name, "rejected.csv")
    storage.write_text(path, table.to_csv(index=False))
    if listed:
        say(f"         {name}: {len(listed)} cases have no usable mask, listed in {path}")
    return path
