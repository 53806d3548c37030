"""OpenVINO's IR, by Keras through OpenVINO's converter; run by OpenVINO on the CPU."""

from __future__ import annotations

import os

import keras
import numpy as np

from lungseg.export.network import OUTPUT, deployable
from lungseg.frozen import Predict


def write(network: keras.Model, path: str, variant: str, films: np.ndarray) -> None:
    """Write `path` and, beside it, the weights with the ending `.bin`.

    Args:
        network: of `lungseg.networks`.
        path: local file, ending in ".xml".
        variant: "float32", "float16" or "int8".
        films: uint8 (N, size, size, 1), from which int8 takes its ranges.
    """
    if variant == "float32":
        deployable(network).export(path, format="openvino", verbose=False)
        return
    import openvino

    exact = f"{path}.float32.xml"
    deployable(network).export(exact, format="openvino", verbose=False)
    model = openvino.Core().read_model(exact)
    if variant == "int8":
        import nncf

        batches = [film[None] for film in films]
        model = nncf.quantize(
            model,
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
        )
    openvino.save_model(model, path, compress_to_fp16=variant == "float16")
    for file in (exact, exact.removesuffix(".xml") + ".bin"):
        os.unlink(file)


def load(path: str) -> Predict:
    """The exported network: uint8 (B, size, size, 1) to float32 (B, size, size).

    Computed in float32: where the CPU has bfloat16, OpenVINO takes that unless told otherwise.
    """
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(path, "CPU", exact)

    def run(images: np.ndarray) -> np.ndarray:
        return np.array(model(images)[OUTPUT])[..., 0]

    return run
