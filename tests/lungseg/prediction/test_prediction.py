"""Sides, flags, agreement and parts, by hand-worked values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import label

from lungseg import rle
from lungseg.errors import UserError
from lungseg.postprocess import clean
from lungseg.prediction.ensemble import Ensemble, finish_of
from lungseg.prediction.film import prepare
from lungseg.prediction.flags import flags
from lungseg.prediction.inputs import Input
from lungseg.prediction.orientation import overlap_rows, spread
from lungseg.prediction.parts import SCHEMA, read_part, write_part
from lungseg.prediction.sides import lungs_of, sides


def test_the_right_lung_is_at_the_viewers_left() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:15, 2:10] = mask[5:15, 18:28] = True
    left, right, parts = lungs_of(mask)
    assert (left.pixels.shape, left.top, left.left) == ((10, 10), 5, 18)
    assert (right.pixels.shape, right.top, right.left) == ((10, 8), 5, 2)
    assert left.pixels.all()
    assert right.pixels.all()
    assert parts == 2
    mask[10, 10:18] = True
    one, other = sides(mask)
    assert lungs_of(mask)[2] == 1
    assert not (one & other).any()
    assert ((one | other) == mask).all()
    assert one[:, 18:].sum() == 100
    only = np.zeros((20, 30), bool)
    only[5:15, 18:28] = True
    one, other = sides(only)
    assert (int(one.sum()), int(other.sum()), lungs_of(only)[2]) == (100, 0, 1)
    assert lungs_of(np.zeros((4, 4), bool))[2] == 0


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)))
def test_the_lungs_together_are_the_mask(mask: np.ndarray) -> None:
    cleaned = clean(mask, min_area_fraction=0.0)
    left, right, parts = lungs_of(cleaned)
    one, other = sides(cleaned)
    np.testing.assert_array_equal(one | other, cleaned)
    assert not (one & other).any()
    assert parts == label(cleaned, np.ones((3, 3)))[1]
    for lung, film in ((left, one), (right, other)):
        text = rle.encode_within(lung.pixels, lung.top, lung.left, mask.shape[1])
        assert text == rle.encode(film)
        np.testing.assert_array_equal(rle.decode(text, *mask.shape), film)


def test_lungs_spread_downward_on_a_film_that_is_the_right_way_up() -> None:
    mask = np.zeros((16, 20), bool)
    mask[0:16, 12:14] = mask[8:16, 14:18] = True
    mask[0:16, 6:8] = mask[8:16, 2:6] = True
    left, right, _ = lungs_of(mask)
    # Centre of the upper ends 12.5, of the lower ends 14.5, width 6.
    assert spread(left, right) == pytest.approx(2 / 6)
    turned = lungs_of(np.ascontiguousarray(mask[::-1, ::-1]))
    assert spread(*turned[:2]) == pytest.approx(-2 / 6)
    assert overlap_rows(left, right) == 1.0
    mask[:8, 12:14] = False
    assert overlap_rows(*lungs_of(mask)[:2]) == 1.0
    mask[8:, 2:8] = False
    assert overlap_rows(*lungs_of(mask)[:2]) == 0.0
    mask[:, :10] = False
    assert np.isnan(overlap_rows(*lungs_of(mask)[:2]))
    assert np.isnan(spread(*lungs_of(mask)[:2]))


def test_true_masks_are_told_from_turned_ones(real_cases: Path) -> None:
    upright, turned = [], []
    for path in sorted((real_cases / "masks").glob("*.png"))[::5]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        for one, found in ((mask, upright), (mask[::-1, ::-1], turned)):
            left, right, _ = lungs_of(clean(one, min_area_fraction=0.005))
            found.append(spread(left, right))
    assert np.mean(np.array(upright) > 0) >= 0.98
    assert np.mean(np.array(turned) < 0) >= 0.98


def test_a_lateral_view_is_flagged_by_its_file(originals: Path, tmp_path: Path) -> None:
    film = pydicom.dcmread(originals / "cxr_monochrome2_jpeg.dcm")
    for view, expected in (("PA", False), ("LL", True)):
        film.ViewPosition = view
        film.save_as(tmp_path / f"{view}.dcm")
        assert prepare(Input(view, str(tmp_path / f"{view}.dcm")), 64, 0.0).lateral is expected


GOOD: dict[str, Any] = {
    "area_fraction_left": 0.12,
    "area_fraction_right": 0.14,
    "parts": 2,
    "changed": 0.0,
    "probability_inside": 0.97,
    "agreement": 0.97,
    "coloured": False,
    "contrast": 50.0,
    "overlap_rows": 0.95,
    "lateral": False,
    "spread": 0.4,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"area_fraction_left": 0.0, "parts": 1}, ["one-lung"]),
        ({"parts": 1}, ["lungs-touch"]),
        ({"area_fraction_left": 0.04}, ["unequal"]),
        ({"agreement": 0.5}, ["disagreement"]),
        ({"agreement": float("nan")}, []),
        ({"coloured": True}, ["colour"]),
        ({"contrast": -5.0}, ["not-a-chest"]),
        ({"overlap_rows": 0.1}, ["not-frontal"]),
        ({"spread": -0.2}, ["upside-down"]),
        ({"lateral": True}, ["lateral"]),
    ],
)
def test_flags(change: dict[str, Any], expected: list[str]) -> None:
    assert flags(GOOD | change, 0.9) == expected


INFO: dict[str, Any] = {"threshold": 0.5, "min_area_fraction": 0.0}


class _Constant:
    def __init__(self, output: np.ndarray) -> None:
        self.output, self.info = output, {"threshold": 0.5}

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return self.output[: len(images)]


def test_agreement_is_the_dice_of_the_members() -> None:
    one = np.array([[[1, 1], [0, 0]]], np.float32)
    other = np.array([[[1, 0], [0, 0]]], np.float32)
    squares = np.zeros((1, 2, 2), np.uint8)
    mean, agreement = Ensemble([_Constant(one), _Constant(other)])(squares)  # type: ignore[list-item]
    np.testing.assert_allclose(mean[0], [[1, 0.5], [0, 0]])
    np.testing.assert_allclose(agreement, [2 / 3], rtol=1e-6)
    assert np.isnan(Ensemble([_Constant(one)])(squares)[1]).all()  # type: ignore[list-item]


def test_members_of_different_sizes_are_refused() -> None:
    infos = [{"size": size, **INFO, "sha256": str(size)} for size in (64, 128)]
    with pytest.raises(UserError, match="needs models of one size"):
        finish_of(infos, ["a", "b"])


def test_a_network_does_not_vote_twice() -> None:
    with pytest.raises(UserError, match="a and c are the same network"):
        finish_of([{"size": 64, **INFO, "sha256": name} for name in "aba"], ["a", "b", "c"])


def test_the_fingerprint_is_of_all_that_the_masks_depend_on() -> None:
    info = {"size": 64, **INFO, "sha256": "a", "scores": {"val_dice": 0.9}}
    prints = {
        finish_of([info | change], ["a"]).fingerprint
        for change in ({}, {"threshold": 0.4}, {"sha256": "b"}, {"min_area_fraction": 0.01})
    }
    assert len(prints) == 4
    assert finish_of([info | {"scores": {}}], ["a"]).fingerprint in prints


def test_a_part_tells_its_rejected_images_even_without_rows(tmp_path: Path) -> None:
    rejected = [{"image_id": "a", "path": "a.png", "reason": "the file is empty"}]
    write_part(str(tmp_path / "part.parquet"), [], rejected)
    table, reasons = read_part(str(tmp_path / "part.parquet"))
    assert reasons == rejected
    assert list(table.columns) == SCHEMA.names
