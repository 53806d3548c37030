"""Adam in one pass over each variable, which can also leave a step out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

Tensor = Any


class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam (Kingma 2015, arXiv 1412.6980), computed by TensorFlow's fused operation.

    The same variables, arguments and, to rounding, the same results as the class it extends.
    """

    def apply_reduced(self, gradients: Sequence[Tensor], take: Tensor) -> None:
        """Do one step with gradients that are equal on all replicas.

        To be called by every replica. A step that is not taken leaves all variables as they are:
        nothing branches, so no replica can wait for another.

        Args:
            gradients: float32, one for each variable the optimizer was built with.
            take: bool scalar, equal on all replicas.
        """
        gradients = [tf.where(take, gradient, tf.zeros_like(gradient)) for gradient in gradients]
        context = tf.distribute.get_replica_context()
        context.merge_call(self._update_all, args=(gradients, take))
        self.iterations.assign_add(tf.cast(take, self.iterations.dtype))

    def _update_all(self, strategy: Any, gradients: Sequence[Tensor], take: Tensor) -> None:
        for index, gradient in enumerate(gradients):
            variable = self._trainable_variables[index].value
            strategy.extended.update(
                variable, self._update, args=(gradient, take), kwargs={"index": index}, group=False
            )

    def _update(self, variable: Any, gradient: Tensor, take: Tensor, *, index: int) -> None:
        dtype, zero, one = gradient.dtype, tf.zeros([], gradient.dtype), tf.ones([], gradient.dtype)
        step = tf.cast(self.iterations + 1, dtype)
        rate = tf.where(take, tf.cast(self.learning_rate, dtype), zero)
        if self.weight_decay:
            variable.assign_sub(variable * rate * self.weight_decay)
        # With both betas 1 and a gradient of 0 the moments stay as they are.
        betas = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        beta_1, beta_2 = (tf.where(take, beta, one) for beta in betas)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(betas[0], step),
            beta2_power=tf.pow(betas[1], step),
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, dtype),
            grad=gradient,
        )
