from __future__ import annotations

import numpy as np
import pytest

from lungseg.losses import SMOOTH, dice_loss, hard_dice


def plane(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)[None, ..., None]


def test_dice_loss_by_hand() -> None:
    mask = plane([1, 1], [0, 0])
    probability = plane([1, 0.5], [0.5, 0])
    # overlap 1.5, sums 2 and 2
    expected = 1 - (2 * 1.5 + SMOOTH) / (4 + SMOOTH)
    assert float(dice_loss(mask, probability)[0]) == pytest.approx(expected)


def test_loss_is_one_value_a_film() -> None:
    mask = np.concatenate([plane([1, 1], [1, 1]), plane([0, 0], [0, 0])])
    loss = np.asarray(dice_loss(mask, mask))
    np.testing.assert_allclose(loss, [0, 0], atol=1e-6)
    np.testing.assert_allclose(np.asarray(dice_loss(mask, 1 - mask)), [0.8, 0.8], atol=1e-6)


def test_hard_dice_by_hand() -> None:
    mask = plane([1, 1], [0, 0])
    assert float(hard_dice(mask, plane([0.6, 0.4], [0.6, 0]), 0.5)[0]) == pytest.approx(0.5)
    empty = plane([0, 0], [0, 0])
    assert float(hard_dice(empty, empty, 0.5)[0]) == 1
