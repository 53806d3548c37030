"""`lungseg shard`: folders of radiographs to shards, with Ray Data.

The cases are cut into fixed chunks; each chunk is decoded, letterboxed and staged as one file, so
the files do not depend on the number of workers and a killed job goes on with the chunks that are
missing. Only then is the split drawn, over the cases that turned out usable.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from posixpath import basename
from typing import Any

from jobs.screen import progress, say
from jobs.shard_worker import Distribute, Note, Stage, part_path
from jobs.spread import spread
from lungseg import datasets, duplicates, shards, storage
from lungseg.case import SPLITS
from lungseg.csv_text import to_csv
from lungseg.errors import UserError
from lungseg.perceptual_hash import near_duplicates
from lungseg.settings import DataSettings, fingerprint
from lungseg.split import TEST_FOLD, Place, split_cases
from lungseg.stamps import stamps

_REJECTED_COLUMNS = ("case_id", "source", "path", "reason")
_MIXING_SEED = 0


def check(paths: Sequence[str], settings: DataSettings) -> None:
    """See that there is a data set at each path; needs no Ray, whose start takes seconds.

    Raises:
        UserError: there is none.
    """
    datasets.check([storage.absolute(path) for path in paths], layout_of(settings))


def layout_of(settings: DataSettings) -> str | None:
    """The layout that all data sets have; None where each is to be recognised."""
    return None if settings.layout == "auto" else settings.layout


def shard(paths: Sequence[str], out: str, settings: DataSettings) -> dict[str, Any]:
    """Write the shards of the data sets at `paths`, or of phantoms where there are none.

    Args:
        paths: dataset folders or lists; empty for phantoms.
        out: folder of the shards.
        settings: of the data.

    Returns:
        The content of `dataset.json`.

    Raises:
        UserError: no usable data, or `out` holds shards of other data or settings.
    """
    items, unmatched = _list_cases(paths, settings)
    mark = fingerprint(settings, items, sorted(unmatched), stamps(_files(items)))
    done = _read_finished(out, mark)
    if done is not None:
        say("         sharded before")
        return done
    chunks = _chunks(items, settings.cases_per_shard)
    staging = storage.join(out, "staging", mark)
    notes = _stage(chunks, staging, settings)
    usable = [note for note in notes if not note.reason]
    rejected = [
        {"case_id": note.case_id, "source": note.source, "path": note.path, "reason": note.reason}
        for note in notes
        if note.reason
    ]
    rejected += [
        {"case_id": "", "source": "", "path": path, "reason": reason} for path, reason in unmatched
    ]
    _write_rejected(out, rejected)
    if not usable:
        raise UserError(
            f"none of the {len(notes)} cases can be used: {_commonest(rejected)} "
            f"(all in {storage.join(out, 'rejected.csv')})"
        )
    groups = [
        [usable[index] for index in group]
        for group in near_duplicates([note.image_hash for note in usable])
    ]
    places = _split(usable, groups, settings)
    _write_duplicates(out, groups, places)
    _distribute(usable, staging, out, places)
    info = _info(usable, places, len(rejected), settings, mark)
    storage.write_text(storage.join(out, shards.INFO), json.dumps(info, indent=2))
    storage.delete(storage.join(out, "staging"))
    return info


def _list_cases(
    paths: Sequence[str], settings: DataSettings
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Cases as plain dictionaries, in a mixed but fixed order, so that each shard has of all."""
    if not paths:
        say(f"         no --data given: drawing {settings.phantoms} synthetic chest phantoms")
        return [{"phantom": index} for index in range(settings.phantoms)], []
    found = datasets.find_cases([storage.absolute(path) for path in paths], layout_of(settings))
    items = [asdict(case) for case in sorted(found.cases, key=lambda case: case.case_id)]
    random.Random(_MIXING_SEED).shuffle(items)
    for place in found.sets:
        say(
            f"         {place.layout}: {place.cases} cases of {place.patients} patients, "
            f"{place.masks} masks, {place.unmatched} unmatched files in {place.path}"
        )
    if len(found.sets) > 1:
        patients = len({case.patient for case in found.cases})
        say(
            f"         together {len(items)} cases of {patients} patients, "
            f"{len(found.unmatched)} unmatched files"
        )
    return items, list(found.unmatched)


def _files(items: Sequence[dict[str, Any]]) -> list[str]:
    return [path for item in items if "image" in item for path in (item["image"], *item["masks"])]


def _chunks(items: Sequence[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    count = math.ceil(len(items) / size)
    return [
        {"chunk": index, "cases": json.dumps(items[index * size : (index + 1) * size])}
        for index in range(count)
    ]


def _read_finished(out: str, mark: str) -> dict[str, Any] | None:
    if not storage.exists(storage.join(out, shards.INFO)):
        return None
    info = shards.read_info(out)
    if info["inputs"] != mark:
        raise UserError(
            f"{out} holds shards of other data or settings, or films changed since: choose another "
            "folder, or delete it"
        )
    return info


def _stage(chunks: list[dict[str, Any]], staging: str, settings: DataSettings) -> list[Note]:
    """Preprocess the chunks that are not staged yet."""
    total = sum(len(json.loads(chunk["cases"])) for chunk in chunks)
    # By name: a listing of "s3a://…" tells "s3://…".
    finished = set(map(basename, storage.list_files(staging, ".json")))
    missing = [
        chunk
        for chunk in chunks
        if basename(part_path(staging, chunk["chunk"], "json")) not in finished
    ]
    with progress("cases", total) as advance:
        advance(total - sum(len(json.loads(chunk["cases"])) for chunk in missing))
        for row in spread(missing, Stage, tasks_per_cpu=6, staging=staging, settings=settings):
            advance(int(row["cases"]))
    notes: list[Note] = []
    for chunk in chunks:
        text = storage.read_text(part_path(staging, chunk["chunk"], "json"))
        notes += [Note(**note) for note in json.loads(text)]
    return notes


def _split(
    usable: Sequence[Note], groups: Sequence[Sequence[Note]], settings: DataSettings
) -> dict[str, Place]:
    if settings.split == "none":
        return {note.case_id: Place("test", TEST_FOLD) for note in usable}
    return split_cases(
        usable,
        honour_hints=settings.split == "hint",
        val_fraction=settings.val_fraction,
        test_fraction=settings.test_fraction,
        seed=settings.split_seed,
        folds=settings.folds,
        alike=[[note.case_id for note in group] for group in groups],
    )


def _write_duplicates(out: str, groups: Sequence[Sequence[Note]], places: dict[str, Place]) -> None:
    rows = duplicates.list_duplicates(groups, places)
    storage.write_text(storage.join(out, duplicates.FILE), to_csv(duplicates.COLUMNS, rows))
    if rows:
        say(f"         {duplicates.summary(rows)}")


def _distribute(usable: Sequence[Note], staging: str, out: str, places: dict[str, Place]) -> None:
    """Write the staged cases into the folders of their parts."""
    for split in SPLITS:
        storage.delete(storage.join(out, split))
    of_chunk: dict[int, dict[str, Place]] = defaultdict(dict)
    for note in usable:
        of_chunk[note.chunk][note.case_id] = places[note.case_id]
    chunks = [{"chunk": c, "places": json.dumps(own)} for c, own in sorted(of_chunk.items())]
    for _ in spread(chunks, Distribute, tasks_per_cpu=2, staging=staging, out=out):
        pass


def _write_rejected(out: str, rows: list[dict[str, str]]) -> None:
    storage.write_text(storage.join(out, "rejected.csv"), to_csv(_REJECTED_COLUMNS, rows))
    if rows:
        say(f"         rejected {len(rows)}: {_commonest(rows)}")


def _commonest(rows: Sequence[dict[str, str]]) -> str:
    reasons = Counter(row["reason"] for row in rows).most_common(3)
    return "; ".join(f"{count} × {reason}" for reason, count in reasons)


def _info(
    usable: Sequence[Note],
    places: dict[str, Place],
    rejected: int,
    settings: DataSettings,
    mark: str,
) -> dict[str, Any]:
    sources: dict[str, dict[str, Any]] = {}
    for note in usable:
        entry = sources.setdefault(note.source, {"cases": 0, "mask_conventions": []})
        entry["cases"] += 1
        if note.mask_convention not in entry["mask_conventions"]:
            entry["mask_conventions"].append(note.mask_convention)
    counted = Counter(place.split for place in places.values())
    validating = "val" if settings.folds == 1 else "train"
    folds = Counter(place.fold for place in places.values() if place.split == validating)
    return {
        "format": shards.FORMAT,
        "size": settings.size,
        "counts": {split: counted[split] for split in SPLITS},
        "folds": settings.folds,
        "fold_counts": [folds[fold] for fold in range(settings.folds)],
        "patients": len({note.patient for note in usable}),
        "rejected": rejected,
        "sources": sources,
        "trained_conventions": sorted(
            {note.mask_convention for note in usable if places[note.case_id].split != "test"}
        ),
        "settings": settings.model_dump(mode="json"),
        "fingerprint": fingerprint(
            settings.size,
            sorted([note.case_id, note.digest, *places[note.case_id]] for note in usable),
        ),
        "inputs": mark,
    }


if __name__ == "__main__":
    from jobs.command import main

    main("shard")
