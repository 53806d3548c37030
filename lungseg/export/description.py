"""What a program needs to know that runs an exported network without lungseg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lungseg.export.check import Agreement
from lungseg.export.formats import FORMATS
from lungseg.export.network import INPUT, OUTPUT
from lungseg.network_input import clahe_of

USE = "For research. Not for diagnosis."


def describe(
    info: Mapping[str, Any], file: str, name: str, variant: str, agreement: Agreement
) -> dict[str, Any]:
    """The content of `preprocessing.json`.

    Args:
        info: `segmenter.json`.
        file: name of the exported file or folder.
        name: of the format.
        variant: of the arithmetic.
        agreement: with Keras.
    """
    size, clahe = int(info["size"]), clahe_of(info)
    return {
        "format": 1,
        "use": USE,
        "file": file,
        "kind": name,
        "variant": variant,
        **({"runtime": FORMATS[name].runtime} if FORMATS[name].runtime else {}),
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["B", size, size, 1],
            "scaling": "inside the graph: uint8 / 255",
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["B", size, size, 1],
            "meaning": "probability of lung",
        },
        "before": [
            "one grey channel of 8 bits, bone bright and air dark (invert MONOCHROME1); deeper "
            "films scaled linearly from their 0.5 to their 99.5 percentile to 0…255",
            f"scaled so that the longer side is {size} px, aspect ratio kept (sides rounded, area "
            "interpolation where it shrinks, bilinear where it grows)",
            *([f"contrast equalised by OpenCV's createCLAHE({clahe:g}, (8, 8))"] if clahe else []),
            f"centred on black in a square of {size} px (the smaller half of the padding first)",
        ],
        "after": [
            "the padding cut off, the probabilities scaled bilinearly to the film's own size",
            "lung where the probability is above the threshold",
            "holes filled (background that cannot reach the film's edge by steps along rows and "
            "columns)",
            "of the parts (connected over edges and corners) the largest kept, and the second if "
            "it covers at least min_area_fraction of the film",
        ],
        "size": size,
        "clahe": clahe,
        "threshold": float(info["threshold"]),
        "min_area_fraction": float(info["min_area_fraction"]),
        "mask_conventions": info.get("mask_conventions", []),
        "agreement_with_keras": asdict(agreement) | {"dice_lost": agreement.dice_lost},
        "segmenter": dict(info),
    }
