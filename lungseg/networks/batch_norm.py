"""Batch normalisation by TensorFlow's fused operation, which Keras 3 does not use."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lungseg")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's `BatchNormalization` over the last axis, computed in one pass on TensorFlow.

    The same variables, arguments and results as the layer it extends; statistics are float32
    whatever the activations are. On other backends, and for anything but (B, H, W, C) without a
    mask, Keras's own computation is used. Statistics are those of one replica: average the moving
    ones over replicas before the network is validated or stored.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise float (B, H, W, C); moving statistics follow in training."""
        usual = mask is not None or len(inputs.shape) != 4 or self.axis not in (-1, 3)
        if usual or self.synchronized or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        inputs = ops.cast(inputs, self.compute_dtype)
        scale = self.gamma if self.scale else ops.ones(inputs.shape[-1], "float32")
        offset = self.beta if self.center else ops.zeros(inputs.shape[-1], "float32")
        fused = tf.compat.v1.nn.fused_batch_norm
        scale, offset = ops.cast(scale, "float32"), ops.cast(offset, "float32")
        if not (training and self.trainable):
            mean, variance = self.moving_mean, self.moving_variance
            outputs, _, _ = fused(
                inputs,
                scale,
                offset,
                ops.cast(mean, "float32"),
                ops.cast(variance, "float32"),
                epsilon=self.epsilon,
                is_training=False,
            )
            return outputs
        outputs, mean, variance = fused(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        # The operation returns the unbiased variance, Keras keeps the biased one.
        count = ops.cast(ops.prod(ops.shape(inputs)[:-1]), "float32")
        variance = variance * ((count - 1.0) / count)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        return outputs

    def _follow(self, moving: keras.Variable, batch: Any) -> None:
        batch = ops.stop_gradient(batch)
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
