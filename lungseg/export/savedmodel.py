"""TensorFlow's SavedModel, by Keras; run by TensorFlow."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from lungseg.export.network import INPUT, OUTPUT, deployable
from lungseg.frozen import Predict


def write(network: keras.Model, path: str, variant: str, films: np.ndarray) -> None:
    """Write the folder `path`; the variant is that of the network, and films are not needed."""
    deployable(network).export(path, format="tf_saved_model", verbose=False)


def load(path: str) -> Predict:
    """The exported network: uint8 (B, size, size, 1) to float32 (B, size, size)."""
    model = tf.saved_model.load(path)

    def run(images: np.ndarray) -> np.ndarray:
        served = model.signatures["serving_default"](**{INPUT: tf.constant(images)})
        return np.asarray(served[OUTPUT])[..., 0]

    return run
