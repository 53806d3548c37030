from __future__ import annotations

import numpy as np
import pytest

from lungseg.losses import (
    SMOOTH,
    dice_bce_loss,
    dice_loss,
    hard_dice,
    make_loss,
    tversky_loss,
)
from lungseg.resolve import resolve


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


def test_dice_bce_by_hand() -> None:
    mask = plane([1, 1], [0, 0])
    probability = plane([0.5, 0.5], [0.25, 0.5])
    entropy = -(np.log(0.5) + np.log(0.5) + np.log(0.75) + np.log(0.5)) / 4
    dice = 1 - (2 * 1.0 + SMOOTH) / (2 + 1.75 + SMOOTH)
    loss = float(dice_bce_loss(mask, probability)[0])
    assert loss == pytest.approx(0.5 * dice + 0.5 * entropy, rel=1e-5)
    certain = np.asarray(dice_bce_loss(mask, 1 - mask))
    assert np.isfinite(certain).all()


def test_tversky_by_hand() -> None:
    mask = plane([1, 1], [0, 0])
    probability = plane([1, 0.5], [0.5, 0])
    # overlap 1.5, extra 0.5, missed 0.5
    expected = 1 - (1.5 + SMOOTH / 2) / (1.5 + 0.3 * 0.5 + 0.7 * 0.5 + SMOOTH / 2)
    assert float(tversky_loss(mask, probability, 0.7)[0]) == pytest.approx(expected, rel=1e-6)
    halves = float(tversky_loss(mask, probability, 0.5)[0])
    assert halves == pytest.approx(float(dice_loss(mask, probability)[0]), rel=1e-6)


def test_the_settings_name_the_loss() -> None:
    assert make_loss(resolve().train) is dice_loss
    assert make_loss(resolve(options={"train.loss": "dice_bce"}).train) is dice_bce_loss
    mask, probability = plane([1, 1], [0, 0]), plane([1, 0], [0, 0])
    tversky = {"train.loss": "tversky"}
    strict = make_loss(resolve(options=tversky | {"train.tversky_missed": 0.9}).train)
    mild = make_loss(resolve(options=tversky | {"train.tversky_missed": 0.1}).train)
    assert float(strict(mask, probability)[0]) > float(mild(mask, probability)[0])
