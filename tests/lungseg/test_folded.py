"""A network folded for prediction computes the same, and what it came from stays as it was."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from lungseg import networks
from lungseg.folded import fold


def trained(name: str, **arguments: Any) -> keras.Model:
    """A small network whose normalisations are far from doing nothing."""
    keras.utils.set_random_seed(1)
    model = networks.build(name, size=32, widths=(4, 6, 8), **arguments)
    random = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            layer.bias.assign(random.normal(0, 0.3, layer.bias.shape)) if layer.use_bias else None
        if isinstance(layer, layers.BatchNormalization):
            for value in (layer.gamma, layer.moving_variance):
                value.assign(random.uniform(0.5, 2, value.shape))
            for value in (layer.beta, layer.moving_mean):
                value.assign(random.normal(0, 0.5, value.shape))
    return model


@pytest.mark.parametrize(
    ("name", "arguments", "left"),
    [
        ("unet", {"upsampling": "nearest"}, 0),
        ("unet", {"upsampling": "transpose"}, 0),
        ("unet", {"batch_norm": "synchronized"}, 0),
        ("unet", {"batch_norm": "none"}, 0),
        # Those before an activation that comes before its convolution cannot go.
        ("resunet", {}, 4),
        ("rngunet", {}, 5),
    ],
)
def test_a_folded_network_computes_the_same(
    name: str, arguments: dict[str, Any], left: int
) -> None:
    model = trained(name, **arguments)
    weights = [np.array(weight) for weight in model.get_weights()]
    folded = fold(model)
    films = np.random.default_rng(3).uniform(0, 1, (2, 32, 32, 1)).astype(np.float32)
    expected = np.asarray(model(films, training=False))
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.asarray(folded(films, training=False)), expected, atol=2e-5)
    norms = [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == left
    for now, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)
    assert all(layer.output is not None for layer in model.layers)
