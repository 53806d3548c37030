"""Keras's own callbacks, as a training uses them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from lungseg.settings import Settings

MONITOR = "val_dice"
"""What all of them watch: hard per-image Dice on the validation cases."""


def make_callbacks(
    settings: Settings, best_weights: str, learning_rate: float
) -> list[keras.callbacks.Callback]:
    """Keras's own callbacks; all watch validation Dice, which is equal on all workers.

    Args:
        settings: of the run.
        best_weights: file for the weights of the best epoch.
        learning_rate: the initial one.
    """
    train = settings.train
    return [
        keras.callbacks.ModelCheckpoint(
            best_weights, monitor=MONITOR, mode="max", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.LearningRateScheduler(
            lambda epoch: learning_rate * cosine(epoch, train.epochs, train.warmup_epochs)
        )
        if train.schedule == "cosine"
        else keras.callbacks.ReduceLROnPlateau(
            monitor=MONITOR,
            mode="max",
            factor=train.plateau_factor,
            patience=train.plateau_patience,
            min_delta=1e-4,
        ),
        keras.callbacks.EarlyStopping(
            monitor=MONITOR, mode="max", patience=train.stop_patience, min_delta=1e-4
        ),
    ]


def cosine(epoch: int, epochs: int, warmup: int) -> float:
    """Part of the initial rate in an epoch (from 0): a linear rise, then half a cosine to 0.

    Loshchilov 2017, arXiv 1608.03983, equation 5, without restarts.
    """
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    return 0.5 * (1.0 + math.cos(math.pi * (epoch - warmup) / max(1, epochs - warmup)))


def out_of_patience(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether training was stopped early before it was resumed."""
    stopper = next(one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping))
    return bool(stopper.wait >= stopper.patience)
