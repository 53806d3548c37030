"""The blocks that all three networks are made of."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from lungseg.errors import UserError
from lungseg.networks.batch_norm import FusedBatchNormalization
from lungseg.networks.up_convolution import UpConvolution

Tensor = Any

# Keras's 0.99 follows too slowly on sets of some hundred films: validation then looks broken.
MOMENTUM = 0.9


def normalise(x: Tensor, batch_norm: str) -> Tensor:
    """Batch normalisation over (B, H, W, C): "fused", "synchronized" or "none".

    Raises:
        UserError: it is none of these.
    """
    _see(batch_norm, "batch_norm", ("fused", "synchronized", "none"))
    if batch_norm == "none":
        return x
    if batch_norm == "synchronized":
        return layers.BatchNormalization(momentum=MOMENTUM, synchronized=True)(x)
    return FusedBatchNormalization(momentum=MOMENTUM)(x)


def normalised_convolution(
    x: Tensor, width: int, kernel: int, batch_norm: str, *, stride: int = 1
) -> Tensor:
    """Convolution and batch normalisation.

    The normalisation takes the convolution's bias away again. The bias keeps its place among the
    parameters but stays 0: its gradient would be nothing but rounding, which Adam scales up.
    """
    convolution = layers.Conv2D(
        width, kernel, strides=stride, padding="same", kernel_initializer="he_normal"
    )
    x = convolution(x)
    convolution.bias.trainable = batch_norm == "none"
    return normalise(x, batch_norm)


def double_convolution(x: Tensor, width: int, batch_norm: str) -> Tensor:
    """Twice 3×3 convolution, batch normalisation, ReLU (Ronneberger 2015, arXiv 1505.04597)."""
    for _ in range(2):
        x = layers.ReLU()(normalised_convolution(x, width, 3, batch_norm))
    return x


def residual_unit(
    x: Tensor, width: int, batch_norm: str, *, stride: int = 1, first: bool = False
) -> Tensor:
    """Pre-activation residual unit (Zhang 2018, arXiv 1711.10684, figure 1b).

    Batch normalisation, ReLU and 3×3 convolution twice, added to the input; where the shape
    changes the input goes through a 1×1 convolution with batch normalisation.

    Args:
        x: (B, H, W, C).
        width: feature maps of the output.
        batch_norm: see `normalise`.
        stride: of the first convolution and the shortcut.
        first: leave out the leading normalisation and ReLU (the unit on the film itself).
    """
    y = x if first else layers.ReLU()(normalise(x, batch_norm))
    y = layers.ReLU()(normalised_convolution(y, width, 3, batch_norm, stride=stride))
    y = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal")(y)
    if stride != 1 or x.shape[-1] != width:
        x = normalised_convolution(x, width, 1, batch_norm, stride=stride)
    return layers.Add()([x, y])


def upsample(x: Tensor, width: int, upsampling: str) -> Tensor:
    """Up-convolution to twice the height and width and `width` feature maps.

    "transpose" is a 2×2 transposed convolution, "nearest" repeats pixels and convolves 2×2
    (Ronneberger 2015, section 2); both have the same number of parameters.

    Raises:
        UserError: it is neither.
    """
    _see(upsampling, "upsampling", ("transpose", "nearest"))
    if upsampling == "transpose":
        return UpConvolution(width, kernel_initializer="he_normal")(x)
    x = layers.UpSampling2D()(x)
    return layers.Conv2D(width, 2, padding="same", kernel_initializer="he_normal")(x)


def attention_gate(skip: Tensor, gate: Tensor) -> Tensor:
    """Additive attention gate on a skip connection (Oktay 2018, arXiv 1804.03999, figure 2).

    Args:
        skip: (B, H, W, C), the encoder's features.
        gate: (B, H, W, G), the decoder's, already up-sampled to the same size.

    Returns:
        The skip, each position weighted by a value in 0…1; F_int is C / 2.
    """
    inner = max(1, skip.shape[-1] // 2)
    theta = layers.Conv2D(inner, 1, use_bias=False)(skip)
    phi = layers.Conv2D(inner, 1)(gate)
    weight = layers.Conv2D(1, 1)(layers.ReLU()(layers.Add()([theta, phi])))
    weight = layers.Activation("sigmoid", dtype="float32")(weight)
    return layers.Multiply()([skip, weight])


@keras.saving.register_keras_serializable(package="lungseg")
class NonLocalBlock(layers.Layer):
    """Non-local block, embedded Gaussian (Wang 2018, arXiv 1711.07971, figure 2).

    1×1 convolutions theta, phi, g to half the feature maps, attention over all positions with the
    softmax in float32, a 1×1 convolution back. The last convolution starts at zero, so that the
    block, added to what it came from, starts as the identity. With more than `MAX_POSITIONS`
    positions phi and g are max-pooled 2×2 (section 3.3).
    """

    MAX_POSITIONS = 1024

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the four convolutions for inputs of (B, H, W, C)."""
        width = input_shape[-1] or 0
        inner, dtype = max(1, width // 2), self.dtype_policy
        self.theta = layers.Conv2D(inner, 1, name="theta", dtype=dtype)
        self.phi = layers.Conv2D(inner, 1, name="phi", dtype=dtype)
        self.g = layers.Conv2D(inner, 1, name="g", dtype=dtype)
        self.back = layers.Conv2D(width, 1, kernel_initializer="zeros", name="back", dtype=dtype)
        for convolution in (self.theta, self.phi, self.g):
            convolution.build(input_shape)
        self.back.build((*input_shape[:-1], inner))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """(B, H, W, C) to the same shape."""
        _, height, width, _ = inputs.shape
        theta, phi, g = self.theta(inputs), self.phi(inputs), self.g(inputs)
        if height * width > self.MAX_POSITIONS:
            phi, g = (ops.max_pool(x, 2, 2) for x in (phi, g))
        inner = theta.shape[-1]
        query, key, value = (
            ops.reshape(x, (-1, x.shape[1] * x.shape[2], inner)) for x in (theta, phi, g)
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) * inner**-0.5
        attention = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        mixed = ops.matmul(ops.cast(attention, value.dtype), value)
        return self.back(ops.reshape(mixed, (-1, height, width, inner)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


def non_local(x: Tensor, batch_norm: str) -> Tensor:
    """Add a non-local block to (B, H, W, C).

    Like the residual units around it the block sees normalised features, and its scores are
    divided by the square root of their length (Vaswani 2017, section 3.2.1): on the raw sums of a
    pre-activation network the softmax saturates and training becomes unstable.
    """
    return layers.Add()([x, NonLocalBlock()(normalise(x, batch_norm))])


def head(x: Tensor, classes: int = 1) -> Tensor:
    """1×1 convolution to probabilities of each pixel, in float32.

    One class is a sigmoid; of several, which exclude each other, the softmax.
    """
    logit = layers.Conv2D(classes, 1, name="logit")(x)
    activation = "sigmoid" if classes == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probability")(logit)


def _see(value: str, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"there is no {name} {value!r}: take one of {', '.join(known)}")
