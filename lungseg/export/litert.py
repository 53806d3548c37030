"""LiteRT (once TensorFlow Lite), by Keras through TensorFlow's converter; run by LiteRT."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lungseg.export.network import INPUT, OUTPUT, deployable
from lungseg.frozen import Predict


def write(network: keras.Model, path: str, variant: str, films: np.ndarray) -> None:
    """Write `path`, ending in ".tflite"; films are not needed.

    Args:
        network: of `lungseg.networks`.
        path: local file.
        variant: "float32", "float16" or "int8".
        films: uint8 (N, size, size, 1).
    """
    options: dict[str, Any] = {}
    if variant != "float32":
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        options["target_spec"] = {"supported_types": [tf.float16]}
    deployable(network).export(path, format="litert", verbose=False, **options)


def load(path: str) -> Predict:
    """The exported network: uint8 (B, size, size, 1) to float32 (B, size, size)."""
    from ai_edge_litert.interpreter import Interpreter

    run_one = Interpreter(path).get_signature_runner("serving_default")

    def run(images: np.ndarray) -> np.ndarray:
        return np.array(run_one(**{INPUT: images})[OUTPUT])[..., 0]

    return run
