"""Films that circulate in several sets: a copy of a training film in the test spoils it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lungseg.opencv import cv2
from lungseg.report.films import Film, read_films
from lungseg.report.run import Run

_BITS = 6
_ALIKE = 0.97
_ROWS = 1024
_MOST = 5000
_SIDE = 64


class Duplicate(NamedTuple):
    """Two cases that show the same film."""

    first: tuple[str, str]
    second: tuple[str, str]
    """Source and case id."""
    bits: int
    """In which their perceptual hashes differ, of 64."""
    correlation: float
    """Of the films at 64 × 64 px."""


def near_duplicates(runs: Sequence[Run], cases: pd.DataFrame) -> list[Duplicate]:
    """Pairs across splits or sources whose hashes and pixels nearly agree.

    Chests look alike: of 31,125 pairs of different real films the nearest hashes differ in 4 bits
    (copies in another size or compression: 0 to 4), and their pixels correlate by 0.9. Hence
    both must agree: at most 6 bits, and a correlation of at least 0.97.

    Args:
        runs: in whose shards the films lie.
        cases: rows with `source, case_id, split, image_hash`.
    """
    candidates = similar_hashes(cases, _BITS)[:_MOST]
    keys = list(zip(cases["source"], cases["case_id"], strict=True))
    wanted = {keys[index] for first, second, _ in candidates for index in (first, second)}
    films = read_films(runs, wanted) if wanted else {}
    found = []
    for first, second, bits in candidates:
        pair = keys[first], keys[second]
        if all(key in films for key in pair):
            alike = _correlation(*(films[key] for key in pair))
            if alike >= _ALIKE:
                found.append(Duplicate(*pair, bits, alike))
    return found


def similar_hashes(cases: pd.DataFrame, bits: int) -> list[tuple[int, int, int]]:
    """Pairs of rows of other splits or sources whose hashes differ in few bits, nearest first."""
    rows = np.flatnonzero(cases["image_hash"].str.fullmatch("[0-9a-f]{16}").to_numpy(bool))
    hashes = np.array([int(text, 16) for text in cases["image_hash"].iloc[rows]], np.uint64)
    groups = (cases["split"] + "\n" + cases["source"]).iloc[rows].to_numpy()
    found = []
    for start in range(0, len(hashes), _ROWS):
        block = hashes[start : start + _ROWS]
        apart = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        for below, right in np.argwhere(apart <= bits):
            first, second = start + below, start + right
            if first < second and groups[first] != groups[second]:
                found.append((int(rows[first]), int(rows[second]), int(apart[below, right])))
    return sorted(found, key=lambda pair: pair[2])


def _correlation(first: Film, second: Film) -> float:
    small = [
        cv2.resize(film.pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel().astype(float)
        for film in (first, second)
    ]
    if any(np.ptp(pixels) == 0 for pixels in small):
        return 0.0
    return float(np.corrcoef(small[0], small[1])[0, 1])
