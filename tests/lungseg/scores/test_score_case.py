from __future__ import annotations

import math

import numpy as np
import pytest

from lungseg.scores import score_case


def two_lungs() -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[4:14, 4:10] = True  # 60 pixels: the patient's right lung, at the viewer's left
    mask[4:14, 20:24] = True  # 40 pixels
    return mask


def test_lungs_apart_by_hand() -> None:
    prediction = two_lungs()
    prediction[4:14, 4:7] = False  # half of the right lung is missed
    prediction[4:14, 24:26] = True  # 20 pixels too many at the left
    scores = score_case(prediction, two_lungs(), (0.2, 0.2))
    assert (scores["tp"], scores["fp"], scores["fn"], scores["tn"]) == (70, 20, 30, 480)
    assert scores["dice"] == pytest.approx(140 / 190)
    assert (scores["right_tp"], scores["right_fp"], scores["right_fn"]) == (30, 0, 30)
    assert (scores["left_tp"], scores["left_fp"], scores["left_fn"]) == (40, 20, 0)
    assert scores["right_dice"] == pytest.approx(60 / 90)
    assert scores["left_dice"] == pytest.approx(80 / 100)
    assert scores["left_iou"] == pytest.approx(40 / 60)
    assert scores["boundary_unit"] == "mm"
    assert scores["failed"] is False


def test_empty_prediction_fails() -> None:
    scores = score_case(np.zeros((20, 30), bool), two_lungs())
    assert scores["failed"] is True
    assert scores["dice"] == scores["iou"] == scores["nsd_5mm"] == scores["left_dice"] == 0
    assert scores["hd95"] == pytest.approx(math.hypot(20, 30))
    assert not any(isinstance(value, float) and math.isnan(value) for value in scores.values())


def test_reference_in_one_part_has_no_lungs_apart() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4:14, 4:10] = True
    scores = score_case(mask, mask)
    assert scores["dice"] == 1
    assert math.isnan(scores["left_dice"])
    assert math.isnan(scores["right_iou"])
    assert scores["left_tp"] == scores["right_fn"] == -1


@pytest.mark.parametrize("spacing", [None, (math.nan, math.nan), (0.0, 0.1), (math.inf, 1.0)])
def test_unknown_spacing_scores_in_pixels(spacing: tuple[float, float] | None) -> None:
    assert score_case(two_lungs(), two_lungs(), spacing)["boundary_unit"] == "px"


def test_empty_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="reference mask is empty"):
        score_case(two_lungs(), np.zeros((20, 30), bool))


def test_order_of_memory_does_not_matter() -> None:
    prediction, reference = np.roll(two_lungs(), 1, axis=1), two_lungs()
    turned = score_case(np.asfortranarray(prediction), np.asfortranarray(reference))
    assert turned == score_case(prediction, reference)
