"""What a trained network's probabilities are worth on the validation films."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

BINS = 64
"""Probability bins; thresholds are their edges."""


@dataclass(frozen=True)
class Calibration:
    """Sums over the validation films at the network's size."""

    positives: np.ndarray
    """float (BINS,): lung pixels by predicted probability, a film counting 1 in all."""
    pixels: np.ndarray
    """float (BINS,): all pixels by predicted probability, a film counting 1 in all."""
    mean_dice: np.ndarray
    """float (BINS,): mean per-image Dice when lung is at or above the bin's lower edge."""

    @property
    def thresholds(self) -> np.ndarray:
        """float (BINS,): lower edges of the bins."""
        return np.arange(BINS) / BINS

    @property
    def threshold(self) -> float:
        """The threshold of the best mean Dice; the middle one where several tie."""
        best = np.flatnonzero(self.mean_dice >= self.mean_dice.max() - 1e-4)
        return float(self.thresholds[best[len(best) // 2]])


def film_histograms(masks: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """For each film: lung and all pixels by probability bin (as fractions), Dice by threshold.

    Args:
        masks: float32 (B, S, S, 1) of 0 and 1.
        probability: float32 (B, S, S, 1) in 0…1.

    Returns:
        float32 (B, 3 × BINS + 1); the last column is 1 and counts the films.
    """
    batch = tf.shape(masks)[0]
    flat = tf.reshape(masks, [batch, -1])
    bins = tf.cast(tf.minimum(tf.reshape(probability, [batch, -1]) * BINS, BINS - 1), tf.int32)
    bins += tf.range(batch)[:, None] * BINS
    lung = tf.reshape(tf.math.unsorted_segment_sum(flat, bins, batch * BINS), [batch, BINS])
    ones = tf.ones_like(flat)
    every = tf.reshape(tf.math.unsorted_segment_sum(ones, bins, batch * BINS), [batch, BINS])
    overlap = tf.cumsum(lung, axis=1, reverse=True)
    predicted = tf.cumsum(every, axis=1, reverse=True)
    reference = tf.reduce_sum(lung, axis=1, keepdims=True)
    dice = 2.0 * overlap / tf.maximum(predicted + reference, 1.0)
    area = tf.reduce_sum(every, axis=1, keepdims=True)
    return tf.concat([lung / area, every / area, dice, tf.ones([batch, 1])], axis=1)


def from_sums(sums: np.ndarray) -> Calibration:
    """The calibration out of the weighted sums of `film_histograms` over all films."""
    lung, every, dice = np.split(sums[:-1].astype(float), 3)
    return Calibration(lung, every, dice / max(sums[-1], 1.0))
