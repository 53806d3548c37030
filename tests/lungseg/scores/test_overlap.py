from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungseg.scores import OVERLAP_SCORES, count, overlap


def square(top: int, left: int, side: int, size: int = 10) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_two_squares_by_hand() -> None:
    # Two squares of 16 pixels, moved by (1, 2): they share 3 × 2 = 6 of the film's 100 pixels.
    counts = count(square(3, 4, 4), square(2, 2, 4))
    assert counts == {"tp": 6, "fp": 10, "fn": 10, "tn": 74}
    scores = overlap(**counts)
    assert tuple(scores) == OVERLAP_SCORES
    assert scores == pytest.approx(
        {
            "dice": 12 / 32,
            "iou": 6 / 26,
            "accuracy": 80 / 100,
            "precision": 6 / 16,
            "recall": 6 / 16,
            "f1": 12 / 32,
            "specificity": 74 / 84,
        }
    )


def test_precision_and_recall_are_not_swapped() -> None:
    # The prediction of 4 pixels lies inside the reference of 16.
    scores = overlap(**count(square(3, 3, 2), square(2, 2, 4)))
    assert (scores["precision"], scores["recall"]) == (1.0, 0.25)
    assert scores["dice"] == pytest.approx(8 / 20)


def test_empty_prediction_scores_zero() -> None:
    scores = overlap(**count(np.zeros((10, 10), bool), square(2, 2, 4)))
    assert {name: scores[name] for name in ("dice", "iou", "f1", "precision", "recall")} == (
        dict.fromkeys(("dice", "iou", "f1", "precision", "recall"), 0.0)
    )
    assert scores["specificity"] == 1.0
    assert scores["accuracy"] == pytest.approx(0.84)


def test_film_without_background_has_specificity_one() -> None:
    full = np.ones((4, 4), bool)
    assert overlap(**count(full, full)) == dict.fromkeys(OVERLAP_SCORES, 1.0)


def test_masks_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 10\).*\(9, 9\)"):
        count(square(0, 0, 2), square(0, 0, 2, size=9))


COUNTS = st.integers(0, 16_000_000)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_iou_follows_from_dice(tp: int, fp: int, fn: int, tn: int) -> None:
    scores = overlap(tp, fp, fn, tn)
    assert scores["iou"] == pytest.approx(scores["dice"] / (2 - scores["dice"]), abs=1e-12)
    assert all(0 <= value <= 1 for value in scores.values())


def test_many_cases_at_once_score_as_each_alone() -> None:
    table = pd.DataFrame(
        {"tp": [6, 0, 16, 0], "fp": [10, 0, 0, 5], "fn": [10, 16, 0, 3], "tn": [74, 84, 0, 8]}
    )
    together = overlap(**{str(name): table[name] for name in table})
    arrays = overlap(**{str(name): table[name].to_numpy() for name in table})
    for row, counts in enumerate(table.to_dict("records")):
        alone = overlap(**{str(name): value for name, value in counts.items()})
        for name in OVERLAP_SCORES:
            assert together[name].iloc[row] == alone[name]
            assert arrays[name][row] == alone[name]
