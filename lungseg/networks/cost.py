"""What one film costs a network."""

from __future__ import annotations

import math

import keras
from keras import layers

from lungseg.networks.blocks import NonLocalBlock


def gflops(model: keras.Model) -> float:
    """Floating-point operations of one forward pass over one film, in 10⁹.

    Counts multiplications and additions of convolutions and of attention (two a multiply-add);
    normalisation, activations and up-sampling are left out, as is usual.
    """
    return 2e-9 * sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: keras.layers.Layer) -> int:
    if isinstance(layer, NonLocalBlock):
        _, height, width, channels = layer.input.shape
        positions, inner = height * width, channels // 2
        keys = positions // 4 if positions > layer.MAX_POSITIONS else positions
        return 4 * positions * channels * inner + 2 * positions * keys * inner
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:3])
    if isinstance(layer, layers.Conv2D):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    return 0
