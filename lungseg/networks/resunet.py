"""ResUNet."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from lungseg.networks.blocks import attention_gate, head, non_local, residual_unit


def resunet(
    *,
    size: int,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    batch_norm: str = "fused",
    attention: bool = False,
    gates: bool = False,
    channels: int = 1,
    classes: int = 1,
) -> keras.Model:
    """ResUNet (Zhang, Liu, Wang 2018, arXiv 1711.10684).

    Pre-activation residual units; stride 2 instead of pooling down, nearest up-sampling and
    concatenation with the skip connection up. `attention` and `gates` are the two steps from here
    to RNGU-Net, each on its own for an ablation.

    | widths | parameters |
    |---|---|
    | 64-128-256-512 (the paper's) | 8,231,745 |
    | 32-64-128-256-512 | 8,302,241 |

    Args:
        size: side of the input in px, a multiple of 2^(levels - 1).
        widths: feature maps a level, the last one is the bridge.
        batch_norm: "fused", "synchronized" or "none".
        attention: put a non-local block behind the bottleneck's residual unit.
        gates: put attention gates on the skip connections.
        channels: of the input; films have one.
        classes: of the output; one is lung or not, several exclude each other.

    Returns:
        A model from float32 (B, size, size, channels) in 0…1 to probabilities (B, size, size,
        classes).
    """
    inputs = x = keras.Input((size, size, channels))
    skips = []
    for level, width in enumerate(widths):
        x = residual_unit(x, width, batch_norm, stride=1 if level == 0 else 2, first=level == 0)
        skips.append(x)
    if attention:
        x = non_local(x, batch_norm)
    for width, skip in zip(reversed(widths[:-1]), reversed(skips[:-1]), strict=True):
        x = layers.UpSampling2D()(x)
        skip = attention_gate(skip, x) if gates else skip
        x = residual_unit(layers.Concatenate()([x, skip]), width, batch_norm)
    return keras.Model(inputs, head(x, classes), name="resunet")
