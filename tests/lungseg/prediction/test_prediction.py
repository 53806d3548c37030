"""Sides, flags, agreement and parts, by hand-worked values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest

from lungseg.errors import UserError
from lungseg.prediction.ensemble import Ensemble, finish_of
from lungseg.prediction.film import prepare
from lungseg.prediction.flags import flags
from lungseg.prediction.inputs import Input
from lungseg.prediction.orientation import overlap_rows, spread
from lungseg.prediction.parts import SCHEMA, read_part, write_part
from lungseg.prediction.sides import sides


def test_the_right_lung_is_at_the_viewers_left() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:15, 2:10] = mask[5:15, 18:28] = True
    left, right, parts = sides(mask)
    assert (int(left.sum()), int(right.sum()), parts) == (100, 80, 2)
    mask[10, 10:18] = True
    left, right, parts = sides(mask)
    assert parts == 1
    assert not (left & right).any()
    assert ((left | right) == mask).all()
    assert left[:, 18:].sum() == 100
    only = np.zeros((20, 30), bool)
    only[5:15, 18:28] = True
    left, right, parts = sides(only)
    assert (int(left.sum()), int(right.sum()), parts) == (100, 0, 1)
    assert sides(np.zeros((4, 4), bool))[2] == 0


def test_lungs_spread_downward_on_a_film_that_is_the_right_way_up() -> None:
    left, right = np.zeros((2, 16, 20), bool)
    left[0:16, 12:14] = left[8:16, 14:18] = True
    right[0:16, 6:8] = right[8:16, 2:6] = True
    # Centre of the upper ends 12.5, of the lower ends 14.5, width 6.
    assert spread(left, right) == pytest.approx(2 / 6)
    assert spread(right[::-1, ::-1], left[::-1, ::-1]) == pytest.approx(-2 / 6)
    assert overlap_rows(left, right) == 1.0
    assert overlap_rows(left[:, :10], right) != overlap_rows(left[:, :10], right)
    assert np.isnan(spread(left, np.zeros_like(left)))


def test_true_masks_are_told_from_turned_ones(real_cases: Path) -> None:
    upright, turned = [], []
    for path in sorted((real_cases / "masks").glob("*.png"))[::5]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        for one, found in ((mask, upright), (mask[::-1, ::-1], turned)):
            left, right, _ = sides(np.ascontiguousarray(one))
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
    infos = [{"size": size, "threshold": 0.5, "min_area_fraction": 0.0} for size in (64, 128)]
    with pytest.raises(UserError, match="needs models of one size"):
        finish_of(infos, ["a", "b"], "f")


def test_a_part_tells_its_rejected_images_even_without_rows(tmp_path: Path) -> None:
    rejected = [{"image_id": "a", "path": "a.png", "reason": "the file is empty"}]
    write_part(str(tmp_path / "part.parquet"), [], rejected)
    table, reasons = read_part(str(tmp_path / "part.parquet"))
    assert reasons == rejected
    assert list(table.columns) == SCHEMA.names
