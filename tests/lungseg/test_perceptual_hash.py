from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungseg import phantoms
from lungseg.opencv import cv2
from lungseg.perceptual_hash import MAX_DISTANCE, image_hash, near_duplicates


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def saved_as_jpeg(film: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def copies(film: np.ndarray) -> list[np.ndarray]:
    """The film as other collections hold it: smaller, larger, square, recompressed."""
    small = cv2.resize(film, (299, 299), interpolation=cv2.INTER_AREA)
    return [
        small,
        cv2.resize(film, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        saved_as_jpeg(film, 40),
        saved_as_jpeg(small, 80),
    ]


def test_hash_is_sixteen_hex_digits_and_half_of_the_bits_are_set() -> None:
    code = image_hash(phantoms.draw(0, seed=1, size=128).image)
    assert len(code) == 16
    assert int(code, 16).bit_count() == 32


def test_copies_are_near_and_other_films_far() -> None:
    films = [phantoms.draw(index, seed=1, size=192).image for index in range(8)]
    codes = [image_hash(film) for film in films]
    for film, code in zip(films, codes, strict=True):
        assert max(distance(image_hash(copy), code) for copy in copies(film)) <= MAX_DISTANCE
    assert near_duplicates(codes) == []


def test_real_films(real_cases: Path) -> None:
    paths = sorted((real_cases / "images").iterdir())
    films = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    codes = [image_hash(film) for film in films]
    assert near_duplicates(codes) == []
    doubled = codes + [image_hash(copies(film)[3]) for film in films]
    assert near_duplicates(doubled) == [[n, n + len(films)] for n in range(len(films))]


def test_groups_are_chains_of_close_pairs() -> None:
    codes = ["0" * 16, "f" * 16, "000000000000000f", "00000000000000ff", "0" * 16]
    assert near_duplicates(codes, max_distance=0) == [[0, 4]]
    assert near_duplicates(codes, max_distance=4) == [[0, 2, 3, 4]]
    assert near_duplicates(codes, max_distance=64) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("codes", [[], ["0123456789abcdef"]])
def test_too_few_for_a_pair(codes: list[str]) -> None:
    assert near_duplicates(codes) == []


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 40))
def test_against_all_pairs(numbers: list[int], limit: int) -> None:
    codes = [f"{number:016x}" for number in numbers]
    linked = {
        (a, b)
        for a in range(len(codes))
        for b in range(a + 1, len(codes))
        if distance(codes[a], codes[b]) <= limit
    }
    groups = near_duplicates(codes, max_distance=limit)
    label = {index: number for number, group in enumerate(groups) for index in group}
    assert all(label.get(a, -1) == label.get(b, -2) for a, b in linked)
    assert set(label) == {index for pair in linked for index in pair}
