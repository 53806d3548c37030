"""The up-convolution against Keras's transposed convolution."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungseg.networks.up_convolution import UpConvolution


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2)])
def test_results_and_gradients_are_those_of_keras(policy: str, tolerance: float) -> None:
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(2, 5, 3, 4)), tf.float32)
    weights = [random.normal(size=(2, 2, 6, 4)), random.normal(size=6)]
    seen = []
    for layer in (
        UpConvolution(6, dtype=policy),
        keras.layers.Conv2DTranspose(6, 2, strides=2, dtype=policy),
    ):
        layer.build(x.shape)
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cast(layer(x), tf.float32)
            loss = tf.reduce_sum(y**2)
        assert y.shape == (2, 10, 6, 6)
        seen.append([y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])])
    for ours, theirs in zip(*seen, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def test_it_survives_its_configuration() -> None:
    layer = UpConvolution(6, kernel_initializer="he_normal")
    again = UpConvolution.from_config(layer.get_config())
    assert again.filters == 6
    assert tuple(again.compute_output_shape((2, 5, 3, 4))) == (2, 10, 6, 6)
