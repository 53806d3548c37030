"""One battery for all architectures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungseg import networks
from lungseg.errors import UserError
from lungseg.networks.blocks import NonLocalBlock
from lungseg.networks.cost import gflops

SMALL: dict[str, Any] = {"widths": (4, 8, 16)}
VARIANTS = [
    ("unet", {}),
    ("unet", {"upsampling": "transpose", "batch_norm": "none"}),
    ("resunet", {}),
    ("resunet", {"attention": True}),
    ("resunet", {"gates": True}),
    ("rngunet", {}),
    ("rngunet", {"batch_norm": "synchronized"}),
]


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


def films(size: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((count, size, size, 1), np.float32)


@pytest.mark.parametrize(
    ("name", "arguments", "parameters"),
    [
        (
            "unet",
            {"widths": (64, 128, 256, 512, 1024), "batch_norm": "none", "upsampling": "transpose"},
            31_030_593,
        ),
        ("unet", {"widths": (64, 128, 256, 512, 1024), "upsampling": "transpose"}, 31_054_145),
        ("unet", {"widths": (32, 64, 128, 256, 512)}, 7_771_297),
        ("resunet", {"widths": (64, 128, 256, 512)}, 8_231_745),
        ("resunet", {"widths": (32, 64, 128, 256, 512)}, 8_302_241),
        ("rngunet", {"widths": (32, 64, 128, 256, 512)}, 8_960_901),
    ],
)
def test_parameter_counts_are_those_of_the_literature(
    name: str, arguments: dict[str, Any], parameters: int
) -> None:
    model = networks.build(name, size=256, **arguments)
    assert model.count_params() == parameters
    module = __import__(f"lungseg.networks.{name}", fromlist=[name])
    assert f"{parameters:,}" in getattr(module, name).__doc__


@pytest.mark.parametrize(("name", "arguments"), VARIANTS)
@pytest.mark.parametrize("size", [16, 40])
def test_output_is_a_float32_probability_a_pixel(
    name: str, arguments: dict[str, Any], size: int
) -> None:
    model = networks.build(name, size=size, **SMALL, **arguments)
    output = model(films(size))
    assert output.shape == (2, size, size, 1)
    assert output.dtype == tf.float32
    assert 0 <= float(tf.reduce_min(output)) <= float(tf.reduce_max(output)) <= 1


@pytest.mark.parametrize(("name", "arguments"), VARIANTS)
def test_a_gradient_reaches_every_variable(name: str, arguments: dict[str, Any]) -> None:
    model = networks.build(name, size=16, **SMALL, **arguments)
    for layer in model.layers:
        if isinstance(layer, NonLocalBlock):
            # It starts as the identity: what lies before its last convolution gets no gradient.
            layer.back.kernel.assign(tf.random.normal(layer.back.kernel.shape))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(films(16), training=True) - 1.0) ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient.numpy()).all(), variable.path
        if "phi/bias" not in variable.path:  # a constant over all keys leaves a softmax as it is
            assert np.abs(gradient.numpy()).max() > 0, variable.path


@pytest.mark.parametrize(("name", "arguments"), VARIANTS)
def test_weights_and_keras_file_give_the_same_network(
    name: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    model = networks.build(name, size=16, **SMALL, **arguments)
    model(films(16), training=True)
    expected = model(films(16)).numpy()
    model.save_weights(tmp_path / "w.weights.h5")
    again = networks.build(name, size=16, **SMALL, **arguments)
    again.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(again(films(16)).numpy(), expected)
    model.save(tmp_path / "m.keras")
    whole = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(whole(films(16)).numpy(), expected)


@pytest.mark.parametrize("name", networks.ARCHITECTURES)
def test_mixed_precision_ends_in_float32(name: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = networks.build(name, size=16, **SMALL)
    assert model(films(16)).dtype == tf.float32
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)


def test_rngunet_starts_as_the_gated_resunet() -> None:
    rngu = networks.build("rngunet", size=16, **SMALL)
    gated = networks.build("resunet", size=16, gates=True, **SMALL)
    (block,) = (layer for layer in rngu.layers if isinstance(layer, NonLocalBlock))
    norm = block.input._keras_history.operation
    added = {id(variable) for layer in (block, norm) for variable in layer.variables}
    kept = [variable for variable in rngu.variables if id(variable) not in added]
    for variable, value in zip(gated.variables, kept, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(rngu(films(16)).numpy(), gated(films(16)).numpy())


def test_cost_of_a_small_unet_by_hand() -> None:
    model = networks.build("unet", size=8, widths=(2, 4), upsampling="transpose")
    down = 64 * 9 * (1 * 2 + 2 * 2) + 16 * 9 * (2 * 4 + 4 * 4)
    up = 16 * 4 * 4 * 2 + 64 * 9 * (4 * 2 + 2 * 2) + 64 * 2
    assert gflops(model) == pytest.approx(2e-9 * (down + up))


def test_wrong_names_and_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="'vnet': take one of unet, resunet, rngunet"):
        networks.build("vnet", size=64)
    with pytest.raises(UserError, match="5 levels takes sizes that are multiples of 16, not 100"):
        networks.build("unet", size=100)
    with pytest.raises(UserError, match="'bilinear': take one of transpose, nearest"):
        networks.build("unet", size=32, widths=(2, 4), upsampling="bilinear")
    with pytest.raises(UserError, match="no batch_norm 'layer': take one of fused"):
        networks.build("resunet", size=32, widths=(2, 4), batch_norm="layer")
