"""Up-convolution: a 2×2 transposed convolution of stride 2, computed without one."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="lungseg")
class UpConvolution(layers.Conv2DTranspose):
    """Keras's `Conv2DTranspose(filters, 2, strides=2)` as a 1×1 convolution and a rearrangement.

    The windows do not overlap, so each input position alone makes four output positions: four
    1×1 convolutions at once, whose results are then put in place. The same variables and, to
    rounding, the same results; the gradients cost half on a CPU.
    """

    def __init__(self, filters: int, **arguments: Any) -> None:
        """Take the arguments of `Conv2DTranspose` but for the window, which is fixed."""
        fixed = {"kernel_size": 2, "strides": 2, "padding": "valid"}
        super().__init__(filters, **arguments | fixed)

    def call(self, inputs: Any) -> Any:
        """(B, H, W, C) to (B, 2H, 2W, filters)."""
        _, height, width, channels = inputs.shape
        kernel = ops.transpose(self.kernel, (3, 0, 1, 2))
        kernel = ops.reshape(kernel, (1, 1, channels, 4 * self.filters))
        # `ops.add` and not `+`: Keras makes it one operation with the convolution.
        outputs = ops.add(ops.conv(inputs, kernel, padding="valid"), ops.tile(self.bias, 4))
        # A window's two columns lie side by side already, its two rows change places with width.
        outputs = ops.reshape(outputs, (-1, width, 2, 2 * self.filters))
        outputs = ops.transpose(outputs, (0, 2, 1, 3))
        return ops.reshape(outputs, (-1, 2 * height, 2 * width, self.filters))
