from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lungseg import rle
from lungseg.errors import RejectedCase


def test_runs_are_one_based_row_major_and_absolute() -> None:
    mask = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]], bool)
    assert rle.encode(mask) == "2 3 9 1"


def test_empty_mask_is_the_empty_text() -> None:
    assert rle.encode(np.zeros((3, 4), bool)) == ""
    assert not rle.decode("", 3, 4).any()


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
def test_round_trip(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(rle.decode(rle.encode(mask), *mask.shape), mask)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "0 3",
        "5 9",
        "a b",
        "1 -2",
        "3 0",
        "1.5 2",
        "9223372036854775808 1",
        "1 999999999999999999",
    ],
)
def test_nonsense_is_rejected(text: str) -> None:
    with pytest.raises(RejectedCase):
        rle.decode(text, 3, 3)


@given(st.text(max_size=30))
def test_any_text_gives_a_mask_or_a_rejection(text: str) -> None:
    with contextlib.suppress(RejectedCase):
        assert rle.decode(text, 5, 7).shape == (5, 7)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_packed_run_lengths_are_the_same_mask(mask: np.ndarray) -> None:
    packed = rle.pack(rle.encode(mask))
    np.testing.assert_array_equal(rle.decode(packed, *mask.shape), mask)


def test_packed_run_lengths_are_checked_too() -> None:
    packed = rle.pack("1 3 9 1")
    for text in ("~", "~???", packed[:-3], "~\u20ac", rle.pack("9 9"), rle.pack("3000000000 1")):
        with pytest.raises(RejectedCase):
            rle.decode(text, 3, 3)
