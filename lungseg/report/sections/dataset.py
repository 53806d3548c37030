"""The data: counts, what was rejected, copies across splits and sources, sizes, a contact sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lungseg import rle, shards, storage
from lungseg.case import SPLITS
from lungseg.figures.contact_sheet import contact_sheet
from lungseg.figures.sizes import image_sizes
from lungseg.report.duplicates import near_duplicates
from lungseg.report.films import read_films
from lungseg.report.run import Run
from lungseg.report.section import Picture, Section, Table, draw, raster

_COLUMNS = (
    "case_id",
    "patient_id",
    "source",
    "split",
    "mask_convention",
    "height",
    "width",
    "image_hash",
)
_MOST_ROWS = 40
_TILES, _IN_A_ROW, _TILE = 24, 6, 150


def dataset(runs: Sequence[Run]) -> Section | None:
    """Of the shards of all runs; a case that several runs share counts once."""
    folders = list(dict.fromkeys(run.shards for run in runs if run.shards))
    if not folders:
        return None
    tables = [_facts(folder) for folder in folders]
    cases = pd.concat(tables).drop_duplicates(["source", "case_id"], ignore_index=True)
    rejected = pd.concat([_rejected(folder) for folder in folders]).drop_duplicates()
    texts, found = [], [_counts(cases)]
    if len(rejected):
        found += [_reasons(rejected), _rejected_cases(rejected)]
    else:
        texts.append("No case was rejected.")
    if cases.loc[cases["split"] == "train", "mask_convention"].nunique() > 1:
        texts.append(
            "Training mixes mask conventions: with and without the lung behind the heart differ by "
            "Dice .84 to .94 on the same film. Look at the subgroups by mask convention."
        )
    duplicates = _duplicates(runs, cases)
    texts.append(
        "Films that are nearly the same in two splits or sources are listed below: a copy of a "
        "training film in the test makes the test too easy."
        if duplicates
        else "No film was found twice across splits or sources (perceptual hash and pixels)."
    )
    found += duplicates
    return Section("data", "Data set", texts, found, _pictures(runs, cases))


def _facts(folder: str) -> pd.DataFrame:
    files = [path for split in SPLITS for path in shards.files(folder, split)]
    return pd.concat([shards.read_file(path, list(_COLUMNS)).to_pandas() for path in files])


def _rejected(folder: str) -> pd.DataFrame:
    path = storage.join(folder, "rejected.csv")
    columns = ["case_id", "source", "path", "reason"]
    if not storage.exists(path):
        return pd.DataFrame(columns=columns)
    return pd.read_csv(io.StringIO(storage.read_text(path)), dtype=str, keep_default_na=False)


def _counts(cases: pd.DataFrame) -> Table:
    grouped = cases.groupby(["source", "mask_convention"], dropna=False)
    frame = (
        grouped["split"].value_counts().unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
    )
    frame["patients"] = grouped["patient_id"].nunique()
    frame = frame.reset_index()
    rows = [[str(cell) or "–" for cell in row] for row in frame.itertuples(index=False)]
    total = [str(frame[name].sum()) for name in (*SPLITS, "patients")]
    header = ["Source", "Mask convention", "Train", "Val", "Test", "Patients"]
    return Table("data-counts", "Cases", frame, header, [*rows, ["All", "", *total]])


def _reasons(rejected: pd.DataFrame) -> Table:
    # Numbers and names in a reason differ from case to case: the first words tell its kind.
    kinds = rejected["reason"].str.replace(r"[\d×]+", "…", regex=True)
    cases = kinds.groupby([rejected["source"], kinds.rename("kind")]).size().rename("cases")
    frame = cases.reset_index().sort_values("cases", ascending=False, kind="stable")
    rows = [
        [row["kind"], row["source"] or "–", str(row["cases"])] for row in frame.to_dict("records")
    ]
    header = ["Reason", "Source", "Cases"]
    caption = f"Why {len(rejected)} cases were rejected"
    return Table("rejected-reasons", caption, frame, header, rows[:_MOST_ROWS])


def _rejected_cases(rejected: pd.DataFrame) -> Table:
    shown = rejected.head(_MOST_ROWS)
    rows = [[row["case_id"], row["source"], row["reason"]] for row in shown.to_dict("records")]
    more = f" (the first {len(shown)} of {len(rejected)})" if len(rejected) > len(shown) else ""
    caption = f"Rejected cases{more}"
    return Table("rejected", caption, rejected, ["Case", "Source", "Reason"], rows, folded=True)


def _duplicates(runs: Sequence[Run], cases: pd.DataFrame) -> list[Table]:
    found = near_duplicates(runs, cases)
    if not found:
        return []
    split = cases.set_index(["source", "case_id"])["split"]
    records = [
        {
            "first": pair.first[1],
            "first_source": pair.first[0],
            "first_split": split[pair.first],
            "second": pair.second[1],
            "second_source": pair.second[0],
            "second_split": split[pair.second],
            "bits": pair.bits,
            "correlation": round(pair.correlation, 4),
        }
        for pair in found
    ]
    frame = pd.DataFrame(records)
    rows = [[str(cell) for cell in record.values()] for record in records[:_MOST_ROWS]]
    header = ["Case", "Source", "Split", "Same film", "Source", "Split", "Bits", "Correlation"]
    caption = f"Near-duplicates across splits or sources: {len(found)}"
    return [Table("near-duplicates", caption, frame, header, rows)]


def _pictures(runs: Sequence[Run], cases: pd.DataFrame) -> list[Picture]:
    by_source = cases.groupby("source")
    sizes = {
        str(source) or "no source": (own["width"].to_numpy(), own["height"].to_numpy())
        for source, own in by_source
    }
    sides = cases[["width", "height"]].max(axis=1)
    alt = f"Width and height of the films: longer side {sides.min()} to {sides.max()} px"
    pictures = [draw("image-sizes", alt, image_sizes(sizes))]
    chosen = cases.iloc[np.linspace(0, len(cases) - 1, min(_TILES, len(cases))).round().astype(int)]
    keys = list(zip(chosen["source"], chosen["case_id"], strict=True))
    films = read_films(runs, set(keys))
    tiles = [
        (
            films[key].pixels,
            rle.decode(films[key].reference_rle, films[key].height, films[key].width),
        )
        for key in keys
        if key in films
    ]
    if tiles:
        sheet = contact_sheet(tiles, columns=_IN_A_ROW, tile=_TILE)
        alt = f"{len(tiles)} films of the data set with the outline of their reference masks"
        pictures.append(raster("contact-sheet", alt, sheet))
    return pictures
