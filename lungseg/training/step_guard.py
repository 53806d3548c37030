"""Which steps count: the loss scale of float16, steps left out, a loss that is no number."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

INITIAL = 2.0**15
GROWTH_STEPS = 1000
"""Steps without an overflow after which the scale doubles."""


class StepGuard:
    """Follows what has been reduced over all replicas, so that all of them decide alike.

    Keras's `LossScaleOptimizer` branches on each replica's own gradients: where they overflow on
    some ranks only, the others wait for ever. Here every replica is told the same, and nothing
    branches. The scale is dynamic (Micikevicius 2018, arXiv 1710.03740, section 3.2).

    Args:
        scaled: whether to scale the loss, for float16; the factor is 1 otherwise.
    """

    def __init__(self, scaled: bool) -> None:
        self._scaled = scaled
        made = {"trainable": False, "dtype": "float32", "aggregation": "only_first_replica"}
        self.factor = keras.Variable(INITIAL if scaled else 1.0, name="loss_scale", **made)
        self._good_steps = keras.Variable(0.0, name="good_steps", **made)
        self._lost_step = keras.Variable(-1.0, name="lost_step", **made)

    @property
    def variables(self) -> list[keras.Variable]:
        """What belongs into a checkpoint."""
        return [self.factor, self._good_steps]

    @property
    def lost_step(self) -> int | None:
        """Number of the first step whose loss was not finite."""
        step = int(keras.ops.convert_to_numpy(self._lost_step))
        return step if step >= 0 else None

    def follow(self, loss: Any, finite: Any, step: Any) -> None:
        """Take note of a step; the arguments are equal on all replicas.

        Args:
            loss: float32 scalar of the global batch.
            finite: bool scalar, whether its gradient is.
            step: int32 scalar, its number.
        """
        lost = tf.convert_to_tensor(self._lost_step)
        now = tf.logical_and(lost < 0, ~tf.math.is_finite(loss))
        self._lost_step.assign(tf.where(now, tf.cast(step, tf.float32), lost))
        if not self._scaled:
            return
        factor, good = tf.convert_to_tensor(self.factor), tf.convert_to_tensor(self._good_steps)
        grown = good + 1.0 >= GROWTH_STEPS
        risen = tf.where(grown, factor * 2.0, factor)
        self.factor.assign(tf.where(finite, risen, tf.maximum(factor / 2.0, 1.0)))
        self._good_steps.assign(tf.where(tf.logical_and(finite, ~grown), good + 1.0, 0.0))
