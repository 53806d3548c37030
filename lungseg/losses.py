"""Losses, one value a film so that the sum over replicas is that of one big batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from keras import KerasTensor, ops

from lungseg.settings import TrainSettings

Loss = Callable[[KerasTensor, KerasTensor], KerasTensor]

SMOOTH = 1.0
EPSILON = 1e-6
"""Probabilities are kept this far from 0 and 1 in the cross-entropy."""


def dice_loss(mask: KerasTensor, probability: KerasTensor) -> KerasTensor:
    """1 − Dice coefficient of each film (Milletari 2016, arXiv 1606.04797, without the squares).

    Args:
        mask: float32 (B, H, W, 1) of 0 and 1.
        probability: float32 (B, H, W, 1) in 0…1.

    Returns:
        float32 (B,) in 0…1; `SMOOTH` keeps it defined for empty masks.
    """
    axes = (1, 2, 3)
    overlap = ops.sum(mask * probability, axis=axes)
    total = ops.sum(mask, axis=axes) + ops.sum(probability, axis=axes)
    return 1.0 - (2.0 * overlap + SMOOTH) / (total + SMOOTH)


def dice_bce_loss(mask: KerasTensor, probability: KerasTensor) -> KerasTensor:
    """Half `dice_loss`, half the mean binary cross-entropy of each film (as nnU-Net's loss).

    Shapes and ranges as in `dice_loss`.
    """
    clipped = ops.clip(probability, EPSILON, 1.0 - EPSILON)
    entropy = -(mask * ops.log(clipped) + (1.0 - mask) * ops.log(1.0 - clipped))
    return 0.5 * dice_loss(mask, probability) + 0.5 * ops.mean(entropy, axis=(1, 2, 3))


def tversky_loss(mask: KerasTensor, probability: KerasTensor, missed: float) -> KerasTensor:
    """1 − Tversky index of each film (Salehi 2017, arXiv 1706.05721, equation 3).

    Shapes and ranges as in `dice_loss`, which it equals at `missed` = 0.5.

    Args:
        mask: the reference.
        probability: of lung.
        missed: weight of missed pixels (β); extra ones weigh 1 − `missed` (α).
    """
    axes = (1, 2, 3)
    overlap = ops.sum(mask * probability, axis=axes)
    extra = ops.sum((1.0 - mask) * probability, axis=axes)
    absent = ops.sum(mask * (1.0 - probability), axis=axes)
    smooth = SMOOTH / 2.0
    return 1.0 - (overlap + smooth) / (overlap + (1.0 - missed) * extra + missed * absent + smooth)


def make_loss(settings: TrainSettings) -> Loss:
    """The loss that the settings name."""
    if settings.loss == "tversky":
        return partial(tversky_loss, missed=settings.tversky_missed)
    return {"dice": dice_loss, "dice_bce": dice_bce_loss}[settings.loss]


def hard_dice(mask: KerasTensor, probability: KerasTensor, threshold: float) -> KerasTensor:
    """Dice coefficient of each film's thresholded prediction.

    Args:
        mask: float32 (B, H, W, 1) of 0 and 1.
        probability: float32 (B, H, W, 1) in 0…1.
        threshold: lung where the probability is above it.

    Returns:
        float32 (B,): 2·TP / (2·TP + FP + FN), 1 where both are empty.
    """
    axes = (1, 2, 3)
    predicted = ops.cast(probability > threshold, "float32")
    overlap = ops.sum(mask * predicted, axis=axes)
    total = ops.sum(mask, axis=axes) + ops.sum(predicted, axis=axes)
    return ops.where(total > 0, 2.0 * overlap / ops.maximum(total, 1.0), 1.0)
