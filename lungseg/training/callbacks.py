"""Keras's own callbacks, as a training uses them."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from lungseg.settings import Settings

MONITOR = "val_dice"
"""What all of them watch: hard per-image Dice on the validation cases."""


def make_callbacks(settings: Settings, best_weights: str) -> list[keras.callbacks.Callback]:
    """Keras's own callbacks; all watch validation Dice, which is equal on all workers."""
    train = settings.train
    return [
        keras.callbacks.ModelCheckpoint(
            best_weights, monitor=MONITOR, mode="max", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.ReduceLROnPlateau(
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


def out_of_patience(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether training was stopped early before it was resumed."""
    stopper = next(one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping))
    return bool(stopper.wait >= stopper.patience)
