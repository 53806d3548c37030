"""Keras's own file, to go on with in Keras: layers and weights as trained."""

from __future__ import annotations

import keras
import numpy as np

from lungseg.export.network import editable
from lungseg.frozen import Predict


def write(network: keras.Model, path: str, variant: str, films: np.ndarray) -> None:
    """Write `path`, ending in ".keras"; the variant is that of the network, films not needed."""
    editable(network).save(path)


def load(path: str) -> Predict:
    """The exported network: uint8 (B, size, size, 1) to float32 (B, size, size)."""
    model = keras.saving.load_model(path, compile=False, safe_mode=True)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model(images, training=False))[..., 0]

    return run
