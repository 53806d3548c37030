"""Losses, one value a film so that the sum over replicas is that of one big batch."""

from __future__ import annotations

from collections.abc import Callable

from keras import KerasTensor, ops

Loss = Callable[[KerasTensor, KerasTensor], KerasTensor]

SMOOTH = 1.0


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


LOSSES: dict[str, Loss] = {"dice": dice_loss}


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
