"""Data sets as they lie on disk: which layout a folder has, and which cases are in it.

A new layout is one module here with the functions `recognise` and `find`, and one line below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets import (
    chexmask,
    covid19_radiography,
    covid_qu_ex,
    darwin,
    jsrt,
    kaggle_merge,
    manifest,
    montgomery,
    pairs,
    qata_cov19,
    shenzhen,
)
from lungseg.datasets.found import Found, Layout
from lungseg.errors import UserError

LAYOUTS: dict[str, Layout] = {
    "chexmask": chexmask,
    "manifest": manifest,
    "qata-cov19": qata_cov19,
    "montgomery": montgomery,
    "shenzhen": shenzhen,
    "kaggle-merge": kaggle_merge,
    "jsrt": jsrt,
    "covid19-radiography": covid19_radiography,
    "covid-qu-ex": covid_qu_ex,
    "darwin": darwin,
    "pairs": pairs,
}
"""In the order in which they are tried."""

_SPEAK_FOR_ALL = ("chexmask", "manifest")
_DEPTH = 4
_MOST_FOLDERS = 100

__all__ = ["LAYOUTS", "Found", "check", "find_cases"]


def check(paths: Sequence[str], layout: str | None = None) -> None:
    """See that there is a data set at each path, without looking for its films.

    Args:
        paths: folders, or CSV or Parquet lists.
        layout: one of `LAYOUTS`; None to recognise it.

    Raises:
        UserError: a path is missing, or is of no known layout, or there is no such layout.
    """
    _places(paths, layout)


def find_cases(paths: Sequence[str], layout: str | None = None) -> Found:
    """All cases of some data sets.

    Two cases of one source with one id: the later one is listed as unmatched. Cases of different
    sources with one id get their source's name before it ("source/id"). Folders without a layout
    of their own are taken as the images of a CheXmask table, if one is among the paths.

    Args:
        paths: folders, or CSV or Parquet lists.
        layout: one of `LAYOUTS`; None to recognise it.

    Raises:
        UserError: a path is missing, is of no known layout, or there is no case at all.
    """
    places, images = _places(paths, layout)
    founds = [
        (chexmask.find(path, images) if name == "chexmask" else LAYOUTS[name].find(path)).at(
            path, name
        )
        for path, name in places
    ]
    cases, doubles = _unique(case for found in founds for case in found.cases)
    unmatched = [entry for found in founds for entry in found.unmatched] + doubles
    if not cases:
        first = f", e.g. {unmatched[0][0]}: {unmatched[0][1]}" if unmatched else ""
        raise UserError(f"no image with a mask in {', '.join(paths)}{first}")
    sets = tuple(place for found in founds for place in found.sets)
    return Found(tuple(cases), tuple(unmatched), sets)


def _places(paths: Sequence[str], layout: str | None) -> tuple[list[tuple[str, str]], list[str]]:
    """(path, layout) of each data set, and the folders that only hold images of CheXmask."""
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}, allowed are {', '.join(LAYOUTS)}")
    chosen: list[tuple[str, str]] = []
    images: list[str] = []
    for path in paths:
        if not storage.exists(path):
            raise UserError(f"{path} is not there: give a folder with images and masks")
        recognised = [(path, layout)] if layout else _recognise(path, _DEPTH)
        if layout == "chexmask" and not chexmask.recognise(path) and len(paths) > 1:
            recognised = []
        chosen += recognised
        if not recognised:
            images.append(path)
    tables = any(name == "chexmask" for _, name in chosen)
    if images and not tables:
        raise UserError(
            f"{images[0]} holds no data set of a known layout: it needs images/ and masks/ with "
            f"the same names, a manifest.csv, or one of the layouts {', '.join(LAYOUTS)}"
        )
    return chosen, images


def _recognise(path: str, depth: int) -> list[tuple[str, str]]:
    """(path, layout) of the data sets in a folder, or else of those in the folders below it.

    Several published sets may share a folder; a list speaks for the whole folder. Archives unpack
    into folders within folders, so it goes some way down, but not below a folder a patient.
    """
    names = [name for name, layout in LAYOUTS.items() if layout.recognise(path)]
    whole = next((name for name in names if name in _SPEAK_FOR_ALL), None)
    if whole:
        names = [whole]
    elif len(names) > 1:
        names = [name for name in names if name != "pairs"]
    if names or depth == 0:
        return [(path, name) for name in names]
    below = storage.list_folders(path)
    depth = depth - 1 if len(below) <= _MOST_FOLDERS else 0
    return [found for sub in below for found in _recognise(sub, depth)]


def _unique(cases: Iterable[Case]) -> tuple[list[Case], list[tuple[str, str]]]:
    first: dict[tuple[str, str], Case] = {}
    doubles: list[tuple[str, str]] = []
    for case in cases:
        other = first.setdefault((case.source, case.case_id), case)
        if other is not case:
            doubles.append((case.image, f"another case has this name: {other.image}"))
    counts = Counter(case_id for _, case_id in first)
    return [
        replace(case, case_id=f"{case.source}/{case.case_id}") if counts[case.case_id] > 1 else case
        for case in first.values()
    ], doubles
