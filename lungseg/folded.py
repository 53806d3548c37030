"""The same function with less to compute: a network rewritten for prediction alone.

Exact but for rounding: what training needs apart, prediction can do at once.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

Tensor = Any


def fold(model: keras.Model) -> keras.Model:
    """Rewrite a network of `lungseg.networks` for prediction; the original is left as it is.

    A batch normalisation behind a convolution goes into that one's kernel and bias (Jacob 2018,
    arXiv 1712.05877, section 3.2), and a 2×2 convolution behind nearest up-sampling is computed
    before it.

    Args:
        model: functional, weights as trained.

    Returns:
        A model of the same inputs and, in inference mode, the same outputs.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    origins: dict[int, tuple[layers.Layer, Tensor, Tensor]] = {}

    def call(layer: layers.Layer, inputs: Any, **_: Any) -> Tensor:
        source, first, _ = origins.get(id(inputs), (None, None, None))
        if isinstance(layer, layers.BatchNormalization) and type(source) is layers.Conv2D:
            layer, inputs = _merge(source, layer), first
        elif isinstance(source, layers.UpSampling2D) and _is_up_convolution(layer):
            layer, inputs = _UpConvolution(layer), first
        outputs = layer(inputs)
        origins[id(outputs)] = (layer, inputs, outputs)  # kept alive, or ids would come again
        return outputs

    return keras.models.clone_model(copy, clone_function=lambda layer: layer, call_function=call)


def _merge(convolution: layers.Conv2D, norm: layers.BatchNormalization) -> layers.Conv2D:
    """One convolution for a convolution and the normalisation behind it."""
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    kernel, bias = (np.asarray(value, np.float64) for value in convolution.get_weights())
    merged = layers.Conv2D.from_config(convolution.get_config())
    merged.build(convolution.input.shape)
    merged.set_weights([kernel * scale, beta + (bias - mean) * scale])
    return merged


def _is_up_convolution(layer: layers.Layer) -> bool:
    return type(layer) is layers.Conv2D and layer.kernel_size == (2, 2) and layer.strides == (1, 1)


class _UpConvolution(layers.Layer):
    """Nearest up-sampling and 2×2 convolution, computed on the small grid.

    Two or four of the pixels under a window are copies of one another, so their weights can be
    added beforehand. Even rows of the output see one row of the input, odd ones two; even and odd
    columns are made together and lie side by side already. Three quarters of the multiplications.
    """

    def __init__(self, convolution: layers.Conv2D) -> None:
        super().__init__(dtype=convolution.dtype_policy)
        kernel, bias = convolution.get_weights()
        columns = np.zeros((*kernel.shape[:3], 2, kernel.shape[3]), np.float32)
        columns[:, 0, :, 0] = kernel.sum(axis=1)
        columns[:, :, :, 1] = kernel
        odd = columns.reshape((*kernel.shape[:3], -1))
        self._rows = (odd.sum(axis=0, keepdims=True), odd)
        self._bias = np.tile(bias, 2)

    def call(self, inputs: Tensor) -> Tensor:
        """(B, H, W, C) to (B, 2H, 2W, filters)."""
        _, height, width, _ = inputs.shape
        rows = [
            ops.conv(inputs, ops.cast(kernel, inputs.dtype), padding="same")
            + ops.cast(self._bias, inputs.dtype)
            for kernel in self._rows
        ]
        wide = (-1, height, 1, width * rows[0].shape[-1])
        both = ops.concatenate([ops.reshape(row, wide) for row in rows], axis=2)
        return ops.reshape(both, (-1, 2 * height, 2 * width, rows[0].shape[-1] // 2))
