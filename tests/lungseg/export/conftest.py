"""Shared by the tests of the export: small networks that are far from doing nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from lungseg import networks, segmenter
from lungseg.export.films import drawn
from lungseg.letterbox import letterbox_mask
from lungseg.losses import dice_loss

SIZE = 32


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A function that gives the model folder of an architecture."""
    made: dict[str, str] = {}

    def make(name: str) -> str:
        if name not in made:
            made[name] = str(tmp_path_factory.mktemp(name))
            _save(made[name], name)
        return made[name]

    return make


def _save(path: str, name: str) -> None:
    arguments = {"widths": [4, 6, 8], "batch_norm": "fused"}
    keras.utils.set_random_seed(1)
    model = networks.build(name, size=SIZE, **arguments)
    random = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            for value in (layer.gamma, layer.moving_variance):
                value.assign(random.uniform(0.5, 2, value.shape))
            for value in (layer.beta, layer.moving_mean):
                value.assign(random.normal(0, 0.5, value.shape))
        if hasattr(layer, "back"):  # a non-local block starts as the identity
            layer.back.kernel.assign(random.normal(0, 0.3, layer.back.kernel.shape))
    films = drawn(0, 8, {"size": SIZE}).squares / np.float32(255)
    low, high = np.percentile(np.asarray(model(films, training=False)), [10, 90])
    info = {
        "architecture": name,
        "arguments": arguments,
        "size": SIZE,
        "threshold": float(low + high) / 2,
        "min_area_fraction": 0.005,
        "mask_conventions": ["heart-excluded"],
    }
    segmenter.save(path, model, info)


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small U-Net that has learnt to find the lungs of phantoms."""
    info: dict[str, Any] = {
        "architecture": "unet",
        "size": SIZE,
        "threshold": 0.5,
        "min_area_fraction": 0.005,
    }
    info["arguments"] = {"widths": [4, 8, 16], "batch_norm": "fused"}
    films = drawn(100, 32, info)
    masks = [
        letterbox_mask(mask, geometry)
        for mask, geometry in zip(films.references, films.geometries, strict=True)
    ]
    keras.utils.set_random_seed(0)
    model = networks.build("unet", size=SIZE, **info["arguments"])
    model.compile(keras.optimizers.Adam(0.01), loss=dice_loss)
    images, targets = films.squares / np.float32(255), np.stack(masks)[..., None]
    model.fit(images, targets.astype(np.float32), batch_size=8, epochs=25, verbose=0)
    folder = str(tmp_path_factory.mktemp("trained"))
    segmenter.save(folder, model, info)
    return folder


@pytest.fixture
def film(tmp_path: Path) -> str:
    """A film as a PNG file in the current folder of the test."""
    import cv2

    from lungseg import phantoms

    path = str(tmp_path / "film.png")
    cv2.imwrite(path, phantoms.draw(3, seed=1, size=200).image)
    return path
