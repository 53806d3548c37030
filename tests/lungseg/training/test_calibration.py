from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lungseg.training.calibration import BINS, film_histograms, from_sums


def test_dice_by_threshold_is_that_of_thresholding() -> None:
    random = np.random.default_rng(0)
    masks = (random.random((3, 16, 16, 1)) > 0.6).astype(np.float32)
    probability = np.clip(masks * 0.5 + random.random(masks.shape) * 0.6, 0, 1).astype(np.float32)
    rows = np.asarray(film_histograms(tf.constant(masks), tf.constant(probability)))
    found = from_sums(rows.sum(axis=0))
    for index, threshold in enumerate(found.thresholds):
        predicted = probability >= threshold
        overlap = (predicted & (masks > 0)).sum((1, 2, 3))
        dice = 2 * overlap / (predicted.sum((1, 2, 3)) + masks.sum((1, 2, 3)))
        assert found.mean_dice[index] == pytest.approx(dice.mean(), rel=1e-5)
    best = max(np.mean(found.mean_dice[found.thresholds == t]) for t in found.thresholds)
    assert found.mean_dice[int(found.threshold * BINS)] == pytest.approx(best, abs=1e-4)


def test_histograms_are_fractions_of_the_film() -> None:
    masks = tf.constant(np.array([[1, 0], [0, 0]], np.float32)[None, ..., None])
    probability = tf.constant(np.array([[1, 0.5], [0, 0]], np.float32)[None, ..., None])
    found = from_sums(np.asarray(film_histograms(masks, probability)).sum(axis=0))
    assert found.pixels[0] == 0.5
    assert found.pixels[BINS // 2] == 0.25
    assert found.pixels[BINS - 1] == 0.25
    assert found.positives[BINS - 1] == 0.25
    assert found.positives.sum() == 0.25
    assert found.threshold > 0.5


def test_fillers_of_weight_0_do_not_count() -> None:
    masks = tf.ones((2, 4, 4, 1))
    rows = np.asarray(film_histograms(masks, masks))
    whole, half = from_sums(rows[0]), from_sums(rows[0] + 0 * rows[1])
    np.testing.assert_array_equal(whole.mean_dice, half.mean_dice)
