from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import label

from lungseg.postprocess import clean


def film() -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[4:14, 4:10] = True
    mask[4:14, 20:24] = True
    return mask


def test_keeps_two_lungs_and_drops_the_third_part() -> None:
    mask = film()
    mask[17:19, 14:17] = True
    assert (clean(mask, min_area_fraction=0.001) == film()).all()


def test_fills_holes_but_not_bays() -> None:
    mask = film()
    mask[6:8, 6:8] = False  # a hole
    mask[10, 20:22] = False  # a bay, open at the lung's side
    expected = film()
    expected[10, 20:22] = False
    assert (clean(mask, min_area_fraction=0.001) == expected).all()


def test_hole_closed_only_at_a_corner_is_filled() -> None:
    mask = np.zeros((5, 5), bool)
    mask[1, 2] = mask[2, 1] = mask[2, 3] = mask[3, 2] = True
    assert clean(mask, min_area_fraction=0.0)[2, 2]


def test_gap_at_the_edge_of_the_film_is_no_hole() -> None:
    mask = np.zeros((6, 6), bool)
    mask[0:3, 0:5] = True
    mask[0, 2] = False
    assert not clean(mask, min_area_fraction=0.0)[0, 2]


def test_second_part_below_the_smallest_area_is_dropped() -> None:
    # The second part has 40 of 600 pixels: 6.67 %.
    assert clean(film(), min_area_fraction=40 / 600)[5, 21]
    assert not clean(film(), min_area_fraction=0.07)[5, 21]


def test_largest_part_is_kept_however_small() -> None:
    mask = np.zeros((20, 30), bool)
    mask[3, 3] = True
    assert (clean(mask, min_area_fraction=0.5) == mask).all()


def test_empty_stays_empty() -> None:
    assert not clean(np.zeros((8, 8), bool), min_area_fraction=0.001).any()


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)), st.floats(0, 1))
def test_cleaning_twice_is_cleaning_once(mask: np.ndarray, fraction: float) -> None:
    once = clean(mask, min_area_fraction=fraction)
    assert once.dtype == bool
    assert once.any() == mask.any()
    assert (clean(once, min_area_fraction=fraction) == once).all()


@given(
    arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16)),
    st.sampled_from([0.0, 0.01, 0.1, 0.3]),
)
def test_what_is_kept_is_what_labels_would_keep(mask: np.ndarray, fraction: float) -> None:
    holes, _ = label(~np.pad(mask, 1))
    filled = holes[1:-1, 1:-1] != holes[0, 0]
    parts, _ = label(filled, np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[1:]
    kept = clean(mask, min_area_fraction=fraction)
    wanted = sorted(areas, reverse=True)[:2]
    if len(wanted) == 2 and wanted[1] < fraction * mask.size:
        wanted.pop()
    assert sorted(Counter(parts[kept].tolist()).values(), reverse=True) == wanted
    assert filled[kept].all()
