"""The network as it is exported: with the scaling of grey levels inside, folded for prediction."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from lungseg.folded import fold
from lungseg.networks.batch_norm import FusedBatchNormalization
from lungseg.networks.blocks import NonLocalBlock
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
    plain = keras.models.clone_model(model, clone_function=_plain, call_function=_call)
    for layer in model.layers:
        if isinstance(layer, NonLocalBlock):
            for part in (layer.theta, layer.phi, layer.g, layer.back):
                plain.get_layer(f"{layer.name}_{part.name}").set_weights(part.get_weights())
        elif layer.weights:
            plain.get_layer(layer.name).set_weights(layer.get_weights())
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


def _call(layer: layers.Layer, *inputs: Any, **arguments: Any) -> Any:
    if isinstance(layer, NonLocalBlock):
        return _non_local(inputs[0], layer.name, layer.dtype_policy)
    return layer(*inputs, **arguments)


def _non_local(x: Any, name: str, dtype: Any) -> Any:
    """`NonLocalBlock` of Keras's own layers, with the convolutions named after its own."""
    _, height, width, channels = x.shape
    inner, positions = max(1, channels // 2), height * width

    def convolve(source: Any, features: int, part: str) -> Any:
        return layers.Conv2D(features, 1, name=f"{name}_{part}", dtype=dtype)(source)

    query, key, value = (convolve(x, inner, part) for part in ("theta", "phi", "g"))
    if positions > NonLocalBlock.MAX_POSITIONS:
        key, value = (layers.MaxPooling2D()(part) for part in (key, value))
    query, key, value = (layers.Reshape((-1, inner))(part) for part in (query, key, value))
    query = layers.Rescaling(inner**-0.5, dtype=dtype)(query)
    mixed = layers.Attention(dtype="float32")([query, value, key])
    return convolve(layers.Reshape((height, width, inner))(mixed), channels, "back")
