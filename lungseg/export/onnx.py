"""ONNX, by Keras through tf2onnx; run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator

import keras
import numpy as np

from lungseg.export.network import INPUT, OUTPUT, deployable
from lungseg.frozen import Predict


def write(network: keras.Model, path: str, variant: str, films: np.ndarray) -> None:
    """Write `path`.

    Args:
        network: of `lungseg.networks`.
        path: local file.
        variant: "float32" or "int8".
        films: uint8 (N, size, size, 1), from which int8 takes its ranges.
    """
    if variant == "float32":
        _export(network, path)
        return
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Films(CalibrationDataReader):
        """One film at a time, as ONNX Runtime asks for them."""

        def __init__(self) -> None:
            self._rest: Iterator[np.ndarray] = iter(films)

        def get_next(self) -> dict[str, np.ndarray] | None:
            film = next(self._rest, None)
            return None if film is None else {INPUT: film[None]}

    exact = f"{path}.float32.onnx"
    _export(network, exact)
    quantize_static(
        exact,
        path,
        Films(),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "MatMul"],
    )
    os.unlink(exact)


def _export(network: keras.Model, path: str) -> None:
    model = deployable(network)
    # Without a signature Keras wants a model that was called before.
    model.export(path, format="onnx", verbose=False, input_signature=[model.input])


def load(path: str) -> Predict:
    """The exported network: uint8 (B, size, size, 1) to float32 (B, size, size)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        (probability,) = session.run([OUTPUT], {INPUT: images})
        return np.asarray(probability)[..., 0]

    return run
