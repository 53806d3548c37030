"""The formats a network can be exported to: what the command, its checks and the documents offer.

Each is a module of this package with two functions: `write(network, path, variant, films)` and
`load(path)`, which gives the network back as its own runtime runs it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from lungseg.errors import UserError


@dataclass(frozen=True)
class Format:
    """What is told of a format; its module is `lungseg.export.NAME`."""

    title: str
    suffix: str
    """Of the file; "" where the export is a folder."""
    main: str
    """The file that is written last, in a folder that is named as target."""
    variants: Mapping[str, str]
    """The arithmetics it can be had in, each with a sentence."""
    beside: str = ""
    """Ending of a second file that the format has beside the main one."""
    runtime: str = ""
    """How its runtime has to be asked for the arithmetic of float32."""
    needs: tuple[str, ...] = ()
    """Python modules that come with the extra of the same name as the format."""
    more_needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further ones of single variants."""


_EXACT = "weights and arithmetic as trained, or finer"
_BFLOAT16 = "convolutions in bfloat16, as Keras's mixed_bfloat16 computes them"

FORMATS: dict[str, Format] = {
    "onnx": Format(
        title="ONNX",
        suffix=".onnx",
        main="model.onnx",
        variants={
            "float32": _EXACT,
            "int8": "weights and activations of 8 bits, their ranges taken from films",
        },
        needs=("onnx", "tf2onnx", "onnxruntime"),
    ),
    "openvino": Format(
        title="OpenVINO",
        suffix=".xml",
        main="model.xml",
        variants={
            "float32": _EXACT,
            "float16": "weights of 16 bits, arithmetic as the device likes it",
            "int8": "weights and activations of 8 bits, their ranges taken from films",
        },
        beside=".bin",
        runtime="compile_model(…, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'}): without it OpenVINO "
        "computes in bfloat16 where the CPU can, faster and less exact",
        needs=("openvino",),
        more_needs={"int8": ("nncf",)},
    ),
    "savedmodel": Format(
        title="SavedModel",
        suffix="",
        main="saved_model.pb",
        variants={"float32": _EXACT, "bfloat16": _BFLOAT16},
    ),
    "litert": Format(
        title="LiteRT",
        suffix=".tflite",
        main="model.tflite",
        variants={
            "float32": _EXACT,
            "float16": "weights of 16 bits, arithmetic as the device likes it",
            "int8": "weights of 8 bits, activations quantised as they come",
        },
        needs=("ai_edge_litert",),
    ),
    "keras": Format(
        title="Keras",
        suffix=".keras",
        main="model.keras",
        variants={"float32": _EXACT, "bfloat16": _BFLOAT16},
    ),
}
VARIANTS = ("float32", "bfloat16", "float16", "int8")


def check(name: str, variant: str) -> Format:
    """The format of a name, if the variant is one of its own and its packages are installed.

    Raises:
        UserError: otherwise.
    """
    if name not in FORMATS:
        raise UserError(f"there is no format {name!r}: take one of {', '.join(FORMATS)}")
    found = FORMATS[name]
    if variant not in found.variants:
        raise UserError(
            f"{name} has no variant {variant!r}: take one of {', '.join(found.variants)}"
        )
    needed = (*found.needs, *found.more_needs.get(variant, ()))
    missing = [module for module in needed if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"export to {found.title} needs {', '.join(missing)}: pip install 'lungseg[{name}]'"
        )
    return found
