"""U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from lungseg.networks.blocks import double_convolution, head, upsample


def unet(
    *,
    size: int,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    batch_norm: str = "fused",
    upsampling: str = "transpose",
    channels: int = 1,
    classes: int = 1,
) -> keras.Model:
    """U-Net (Ronneberger, Fischer, Brox 2015, arXiv 1505.04597) with `same` padding.

    Each level is twice 3×3 convolution and ReLU; 2×2 max-pooling down, up-sampling and
    concatenation with the skip connection up.

    | widths | batch norm | way up | parameters |
    |---|---|---|---|
    | 64-128-256-512-1024 | none | transpose | 31,030,593 |
    | 64-128-256-512-1024 | fused | transpose | 31,054,145 |
    | 32-64-128-256-512 | fused | either | 7,771,297 |

    Args:
        size: side of the input in px, a multiple of 2^(levels - 1).
        widths: feature maps a level, the last one is the bottleneck.
        batch_norm: "fused", "synchronized" or "none", after every 3×3 convolution.
        upsampling: "transpose" or "nearest".
        channels: of the input; films have one.
        classes: of the output; one is lung or not, several exclude each other.

    Returns:
        A model from float32 (B, size, size, channels) in 0…1 to probabilities (B, size, size,
        classes).
    """
    inputs = x = keras.Input((size, size, channels))
    skips = []
    for width in widths[:-1]:
        skips.append(double_convolution(x, width, batch_norm))
        x = layers.MaxPooling2D()(skips[-1])
    x = double_convolution(x, widths[-1], batch_norm)
    for width, skip in zip(reversed(widths[:-1]), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(x, width, upsampling), skip])
        x = double_convolution(x, width, batch_norm)
    return keras.Model(inputs, head(x, classes), name="unet")
