"""What the tasks of `lungseg shard` do: stage a chunk of cases, and sort it into the split."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lungseg import shards, storage
from lungseg.case import SPLITS, Case
from lungseg.errors import RejectedCase
from lungseg.one_core import use_one_core
from lungseg.preprocess import preprocess, preprocess_phantom
from lungseg.settings import DataSettings


@dataclass(frozen=True)
class Note:
    """What the split and the report of a chunk need to know of a case."""

    case_id: str
    patient: str
    source: str
    finding: str
    split_hint: str
    mask_convention: str
    chunk: int
    image_hash: str = ""
    digest: str = ""
    reason: str = ""
    path: str = ""


def part_path(folder: str, chunk: int, ending: str) -> str:
    """File of a chunk; its name depends on nothing but its number."""
    return storage.join(folder, f"part-{chunk:05d}.{ending}")


@dataclass(frozen=True)
class Stage:
    """Preprocesses chunks: writes a chunk's rows and, last, its notes."""

    staging: str
    settings: DataSettings

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        use_one_core()
        chunk, cases = int(item["chunk"]), json.loads(item["cases"])
        rows, notes = [], []
        for fields in cases:
            row, note = _try_case(fields, chunk, self.settings)
            notes.append(vars(note))
            if row is not None:
                rows.append(row)
        if rows:
            shards.stage_table(part_path(self.staging, chunk, "arrow"), shards.to_table(rows))
        storage.write_text(part_path(self.staging, chunk, "json"), json.dumps(notes))
        return {"cases": len(cases)}


@dataclass(frozen=True)
class Distribute:
    """Writes the cases of staged chunks into the folders of their parts."""

    staging: str
    out: str

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        chunk, place_of = int(item["chunk"]), json.loads(item["places"])
        table = shards.read_staged(part_path(self.staging, chunk, "arrow"))
        places = [place_of[name] for name in table.column("case_id").to_pylist()]
        splits, folds = (np.array(column) for column in zip(*places, strict=True))
        for split in SPLITS:
            here = splits == split
            if here.any():
                chosen = shards.placed(table.filter(here), split, folds[here])
                path = part_path(storage.join(self.out, split), chunk, "parquet")
                shards.write_table(path, chosen)
        return {"cases": len(places)}


def _try_case(
    fields: dict[str, Any], chunk: int, settings: DataSettings
) -> tuple[dict[str, Any] | None, Note]:
    if "phantom" in fields:
        row = preprocess_phantom(
            fields["phantom"],
            seed=settings.phantom_seed,
            drawn_size=settings.phantom_size,
            size=settings.size,
            clahe=settings.clahe,
        )
        case = Case(case_id=row["case_id"], image="", patient_id=row["patient_id"])
        return row, _note(case, row, chunk)
    case = Case.from_plain(fields)
    try:
        row = preprocess(case, settings.size, settings.clahe)
    except RejectedCase as error:
        return None, replace(_note(case, {}, chunk), reason=str(error), path=case.image)
    return row, _note(case, row, chunk)


def _note(case: Case, row: dict[str, Any], chunk: int) -> Note:
    source = row.get("source", case.source)
    patient = row.get("patient_id", case.patient_id or case.case_id)
    # The hash of a DICOM patient id means one patient in all data sets. An id that a name or a list
    # tells may mean another patient in each.
    hashed = not case.patient_id and patient != case.case_id
    convention = row.get("mask_convention", case.mask_convention)
    return Note(
        case_id=case.case_id,
        patient=f"dicom/{patient}" if hashed else f"{source}/{patient}",
        source=source,
        finding=row.get("finding", case.finding),
        split_hint=case.split_hint,
        mask_convention=convention,
        chunk=chunk,
        image_hash=row.get("image_hash", ""),
        digest=shards.digest(row) if row else "",
    )
