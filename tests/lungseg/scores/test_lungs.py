from __future__ import annotations

import numpy as np
import pytest

from lungseg.scores import lung_zones


def two_lungs() -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[4:16, 4:10] = True  # at the viewer's left: the patient's right lung
    mask[6:14, 20:26] = True
    return mask


def test_zones_divide_the_film_midway() -> None:
    zones = lung_zones(two_lungs())
    assert zones is not None
    left, right = zones
    assert (left ^ right).all()
    # Row 10: the right lung ends in column 9, the left begins in column 20; midway is 14.5.
    assert np.flatnonzero(left[10]).tolist() == list(range(15, 30))
    assert right[10, :15].all()


def test_speck_beside_one_lung_is_no_second_lung() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4:14, 4:14] = True
    mask[4:7, 20:23] = True  # 9 pixels beside 100
    assert lung_zones(mask) is None
    mask[4:7, 23] = True  # 12 of 100
    assert lung_zones(mask) is not None


@pytest.mark.parametrize("fill", [False, True])
def test_one_part_or_none_has_no_zones(fill: bool) -> None:
    assert lung_zones(np.full((8, 8), fill)) is None


def test_third_part_joins_the_nearer_lung() -> None:
    mask = two_lungs()
    mask[18, 27] = True
    zones = lung_zones(mask)
    assert zones is not None
    assert zones[0][18, 27]
