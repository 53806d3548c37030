"""The architectures by name: what the command, the settings and the documents offer."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lungseg.errors import UserError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """What is told of an architecture; its function is `lungseg.networks.NAME.NAME`."""

    title: str
    reference: str
    sentence: str
    literature: Mapping[str, Any]
    """Arguments of the published network."""


ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(
        title="U-Net",
        reference="Ronneberger, Fischer, Brox 2015, arXiv 1505.04597",
        sentence="Convolutions down and up again, with skip connections between.",
        literature={
            "widths": (64, 128, 256, 512, 1024),
            "batch_norm": "none",
            "upsampling": "transpose",
        },
    ),
    "resunet": Architecture(
        title="ResUNet",
        reference="Zhang, Liu, Wang 2018, arXiv 1711.10684",
        sentence="A U-Net of pre-activation residual units.",
        literature={"widths": (64, 128, 256, 512)},
    ),
    "rngunet": Architecture(
        title="RNGU-Net",
        reference="PeerJ Computer Science 2024, e1780 (our reading of its abstract)",
        sentence="ResUNet with a non-local bottleneck and attention gates.",
        literature={"widths": (64, 128, 256, 512)},
    ),
}


def build(name: str, *, size: int, **arguments: Any) -> keras.Model:
    """Build an architecture by its name.

    >>> for name in ARCHITECTURES:
    ...     network = build(name, size=64, widths=(8, 16, 32))
    ...     print(name, network.input_shape, network.output_shape)
    unet (None, 64, 64, 1) (None, 64, 64, 1)
    resunet (None, 64, 64, 1) (None, 64, 64, 1)
    rngunet (None, 64, 64, 1) (None, 64, 64, 1)

    For another task, say colour pictures and four tissues, of which each pixel is one:

    >>> network = build("rngunet", size=64, widths=(8, 16, 32), channels=3, classes=4)
    >>> network.compile("adam", "sparse_categorical_crossentropy")
    >>> network.output_shape
    (None, 64, 64, 4)

    Args:
        name: a key of `ARCHITECTURES`.
        size: side of the input in px.
        arguments: of the architecture's own function.

    Returns:
        A model from float32 (B, size, size, channels) in 0…1 to probabilities (B, size, size,
        classes), float32 whatever the precision; both are 1 by default, for the lungs on a film.

    Raises:
        UserError: the name or an argument's value is unknown, or the size does not halve often
            enough.
    """
    if name not in ARCHITECTURES:
        raise UserError(
            f"there is no architecture {name!r}: take one of {', '.join(ARCHITECTURES)}"
        )
    levels = len(arguments.get("widths", range(5)))
    if size % 2 ** (levels - 1):
        raise UserError(
            f"a network of {levels} levels takes sizes that are multiples of {2 ** (levels - 1)}, "
            f"not {size} px"
        )
    function = getattr(importlib.import_module(f"lungseg.networks.{name}"), name)
    model: keras.Model = function(size=size, **arguments)
    return model
