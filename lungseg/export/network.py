"""The network as it is exported: with the scaling of grey levels inside, folded for prediction."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from lungseg.folded import fold
from lungseg.networks.batch_norm import FusedBatchNormalization
from lungseg.networks.up_convolution import UpConvolution

INPUT = "images"
OUTPUT = "probability"


def deployable(model: keras.Model) -> keras.Model:
    """A network for other programs.

    Args:
        model: of `lungseg.networks`, takes float32 (B, size, size, 1) in 0…1.

    Returns:
        uint8 (B, size, size, 1), named "images", to float32 of the same shape, in a dictionary
        under the name "probability"; the same function otherwise.
    """
    return _with_scaling(fold(model), lambda output: {OUTPUT: output})


def editable(model: keras.Model) -> keras.Model:
    """The network as a Keras user goes on with it: Keras's own layers wherever there are any.

    Returns:
        uint8 (B, size, size, 1) to float32 of the same shape; layers and weights as trained.
    """
    plain = keras.models.clone_model(model, clone_function=_plain)
    plain.set_weights(model.get_weights())
    return _with_scaling(plain, lambda output: output)


def _with_scaling(model: keras.Model, name: Any) -> keras.Model:
    inputs = keras.Input(model.input_shape[1:], dtype="uint8", name=INPUT)
    scaled = layers.Rescaling(1 / 255, dtype="float32", name="scale")(inputs)
    return keras.Model(inputs, name(model(scaled)), name=f"{model.name}_on_films")


def _plain(layer: layers.Layer) -> layers.Layer:
    """Keras's layer of the same variables and results."""
    config = layer.get_config()
    if isinstance(layer, FusedBatchNormalization):
        return layers.BatchNormalization.from_config(config)
    if isinstance(layer, UpConvolution):
        return layers.Conv2DTranspose.from_config(config)
    return type(layer).from_config(config)
