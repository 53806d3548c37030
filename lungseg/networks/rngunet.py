"""RNGU-Net."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from lungseg.networks.resunet import resunet


def rngunet(
    *,
    size: int,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    batch_norm: str = "fused",
    attention: bool = True,
    gates: bool = True,
    channels: int = 1,
    classes: int = 1,
) -> keras.Model:
    """RNGU-Net: residual, non-local, gated U-Net (PeerJ Computer Science 2024, e1780).

    Only the abstract is public in text, so this is our reading of it: the encoder of ResUNet; at
    the bottleneck its residual 3×3 pair (the local branch) and then a non-local block (Wang 2018,
    arXiv 1711.07971); in the decoder an additive attention gate on each skip connection (Oktay
    2018, arXiv 1804.03999), concatenation and a residual unit.

    | widths | parameters |
    |---|---|
    | 32-64-128-256-512 | 8,960,901 |

    Args:
        size: side of the input in px, a multiple of 2^(levels - 1).
        widths: feature maps a level, the last one is the bottleneck.
        batch_norm: "fused", "synchronized" or "none".
        attention: leave the non-local block; False for an ablation.
        gates: leave the attention gates; False for an ablation.
        channels: of the input; films have one.
        classes: of the output; one is lung or not, several exclude each other.

    Returns:
        A model from float32 (B, size, size, channels) in 0…1 to probabilities (B, size, size,
        classes).
    """
    model = resunet(
        size=size,
        widths=widths,
        batch_norm=batch_norm,
        attention=attention,
        gates=gates,
        channels=channels,
        classes=classes,
    )
    return keras.Model(model.input, model.output, name="rngunet")
