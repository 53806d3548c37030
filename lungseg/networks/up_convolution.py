"""Up-convolution: a 2×2 transposed convolution of stride 2, computed without one."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="lungseg")
class UpConvolution(layers.Conv2DTranspose):
    """Keras's `Conv2DTranspose(filters, 2, strides=2)` as a 1×1 convolution and a rearrangement.

    The windows do not overlap, so each input position alone makes four output positions: four
    1×1 convolutions at once, whose results `depth_to_space` puts in place. The same variables
    and, to rounding, the same results; the gradients cost half on a CPU.
    """

    def __init__(self, filters: int, **arguments: Any) -> None:
        """Take the arguments of `Conv2DTranspose` but for the window, which is fixed."""
        fixed = {"kernel_size": 2, "strides": 2, "padding": "valid"}
        super().__init__(filters, **arguments | fixed)

    def call(self, inputs: Any) -> Any:
        """(B, H, W, C) to (B, 2H, 2W, filters)."""
        kernel = ops.transpose(self.kernel, (3, 0, 1, 2))
        kernel = ops.reshape(kernel, (1, 1, inputs.shape[-1], 4 * self.filters))
        outputs = ops.conv(inputs, kernel, padding="valid")
        return ops.depth_to_space(outputs + ops.tile(self.bias, 4), 2)
