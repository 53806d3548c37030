"""The fused layer against Keras's own, to rounding."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungseg.networks.batch_norm import FusedBatchNormalization


def pair(dtype: str) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    """Both layers with the same, not trivial, variables."""
    random = np.random.default_rng(1)
    layers = [
        kind(momentum=0.9, dtype=dtype)
        for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)
    ]
    values = [random.uniform(0.5, 2.0, 5).astype(np.float32) for _ in range(4)]
    for layer in layers:
        layer.build((None, 6, 7, 5))
        layer.set_weights(values)
    return layers[0], layers[1]


def features(dtype: str) -> tf.Tensor:
    x = np.random.default_rng(2).normal(3.0, 2.0, (4, 6, 7, 5)).astype(np.float32)
    return tf.cast(x, dtype)


@pytest.mark.parametrize(
    ("policy", "dtype", "tolerance"),
    [("float32", "float32", 2e-5), ("mixed_bfloat16", "bfloat16", 2e-2)],
)
@pytest.mark.parametrize("training", [False, True])
def test_forward_gradient_and_statistics(
    policy: str, dtype: str, tolerance: float, training: bool
) -> None:
    fused, usual = pair(policy)
    weights = tf.cast(np.random.default_rng(3).normal(size=(4, 6, 7, 5)), "float32")
    results = []
    for layer in (fused, usual):
        x = features(dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.cast(y, "float32") * weights)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        assert y.dtype == dtype
        results.append([y, *gradients, layer.moving_mean, layer.moving_variance])
    for ours, theirs in zip(*results, strict=True):
        ours, theirs = (np.asarray(tf.cast(v, "float32")) for v in (ours, theirs))
        scale = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def test_a_frozen_layer_uses_and_keeps_its_statistics() -> None:
    fused, usual = pair("float32")
    before = fused.moving_mean.numpy()
    for layer in (fused, usual):
        layer.trainable = False
    x = features("float32")
    np.testing.assert_allclose(fused(x, training=True), usual(x, training=True), atol=1e-5)
    np.testing.assert_array_equal(fused.moving_mean, before)


def test_other_shapes_fall_back_to_keras() -> None:
    layer = FusedBatchNormalization()
    assert layer(np.ones((4, 3), np.float32), training=True).shape == (4, 3)
