"""A trained model as a folder, and what it is used for: `Segmenter.load(path).predict(image)`.

`segmenter.json` says what the network is and how films are prepared for it, `model.weights.h5`
holds its weights. Loading builds the network from our own registry and reads plain arrays; no
foreign code is ever deserialised.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lungseg import networks, storage
from lungseg.errors import UserError
from lungseg.folded import fold
from lungseg.frozen import Predict, freeze
from lungseg.letterbox import Geometry, restore
from lungseg.model_folder import FORMAT, INFO, WEIGHTS, read_info, read_weights
from lungseg.network_input import clahe_of, network_input
from lungseg.postprocess import clean
from lungseg.precision import dtype_policy
from lungseg.prediction.prediction import Prediction, segment
from lungseg.settings import Precision


@dataclass(frozen=True)
class Segmenter:
    """A trained network with all that belongs to its use."""

    model: keras.Model
    info: Mapping[str, Any]
    """The content of `segmenter.json`."""
    run: Predict
    """The network folded and frozen to constants (see `lungseg.folded`, `lungseg.frozen`)."""

    @classmethod
    def load(cls, path: str, precision: Precision = "auto") -> Segmenter:
        """Load a model folder, local or by URL.

        >>> segmenter = Segmenter.load("RUN/models/unet/fold-0/seed-0")
        >>> segmenter.size, segmenter.info["architecture"]
        (32, 'unet')

        Args:
            path: folder with `segmenter.json` and `model.weights.h5`.
            precision: arithmetic of the network here; need not be that of the training.

        Raises:
            UserError: the folder holds no complete model of a known architecture.
        """
        info = read_info(path)
        policy = dtype_policy(precision)
        # On the CPU the frozen graph is turned to bfloat16 by oneDNN, which is faster.
        onednn_bfloat16 = policy == "mixed_bfloat16" and not tf.config.list_physical_devices("GPU")
        model = load_network(path, info, "float32" if onednn_bfloat16 else policy)
        return cls(model, info, freeze(fold(model), onednn_bfloat16=onednn_bfloat16))

    @property
    def size(self) -> int:
        """Side of the network's square input in px."""
        return int(self.info["size"])

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Lung probability of letterboxed films.

        Args:
            images: uint8 (B, size, size, 1).

        Returns:
            float32 (B, size, size) in 0…1.
        """
        return self.run(images)

    def mask_at_original_size(
        self, probabilities: np.ndarray, geometry: Geometry
    ) -> tuple[np.ndarray, np.ndarray]:
        """Masks of one film on its own grid.

        Args:
            probabilities: float32 (size, size).
            geometry: of the film's letterbox.

        Returns:
            The mask after and before post-processing, both bool (H, W).
        """
        raw = restore(probabilities, geometry) > self.info["threshold"]
        return clean(raw, min_area_fraction=self.info["min_area_fraction"]), raw

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Mask of one film.

        >>> segmenter = Segmenter.load("RUN/models/unet/fold-0/seed-0")
        >>> image = read("film.png").pixels
        >>> mask = segmenter.predict(image)
        >>> mask.dtype, mask.shape == image.shape
        (dtype('bool'), True)

        Args:
            image: uint8 (H, W), bright where the film is dense (bone white, air black).

        Returns:
            bool (H, W), the lungs.

        Raises:
            UserError: the image has another dtype or more than one channel.
        """
        (mask,) = self.predict_many([image])
        return mask

    def predict_many(
        self, images: Iterable[np.ndarray], *, batch_size: int = 16
    ) -> Iterator[np.ndarray]:
        """Masks of any number of films, which need not be in memory at once.

        For whole collections there is `lungseg predict`, which uses all cores and goes on where it
        was cut short.

        >>> segmenter = Segmenter.load("RUN/models/unet/fold-0/seed-0")
        >>> images = (read(name).pixels for name in ["film.png", "other.png"])
        >>> [mask.shape for mask in segmenter.predict_many(images)]
        [(320, 279), (287, 320)]

        Args:
            images: uint8 (H, W) each, of any sizes.
            batch_size: films the network sees at a time.

        Yields:
            bool (H, W) each, in the same order.

        Raises:
            UserError: an image has another dtype or more than one channel, or `batch_size` is
                below 1.
        """
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}: give 1 or more")
        clahe = clahe_of(self.info)
        for batch in _batches(images, batch_size):
            seen = [network_input(_checked(image), self.size, clahe) for image in batch]
            probabilities = self.probabilities(np.stack([square for square, _ in seen])[..., None])
            for probability, (_, geometry) in zip(probabilities, seen, strict=True):
                yield self.mask_at_original_size(probability, geometry)[0]

    def segment(
        self, image: np.ndarray, spacing_mm: tuple[float, float] | None = None
    ) -> Prediction:
        """The mask of one film with probabilities, areas and flags; a picture in a notebook.

        Flags are those that grey levels tell. `colour`, `lateral` and `disagreement` need the file,
        or several models, and come from `lungseg predict` alone.

        >>> segmenter = Segmenter.load("RUN/models/unet/fold-0/seed-0")
        >>> film = read("film.png")
        >>> found = segmenter.segment(film.pixels, film.spacing_mm)
        >>> sorted(found.areas), found.probability.dtype
        (['left', 'right'], dtype('float32'))
        >>> set(found.flags) <= set(FLAGS)
        True

        Args:
            image: as for `predict`.
            spacing_mm: (row, column) distance of the pixels, for areas in mm².

        Raises:
            UserError: the image has another dtype or more than one channel.
        """
        return segment(self, _checked(image), spacing_mm)


def _checked(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        found = type(image).__name__
    elif image.dtype != np.uint8 or image.ndim != 2:
        found = f"{image.dtype} {image.shape}"
    else:
        return image
    raise UserError(
        f"predict takes a uint8 image (H, W), not {found}: read files with lungseg.read and give "
        "its .pixels"
    )


def _batches(images: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    rest = iter(images)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def load_network(path: str, info: Mapping[str, Any], policy: str) -> keras.Model:
    """The Keras network of a model folder, as it was trained.

    Args:
        path: the model folder.
        info: its `segmenter.json`.
        policy: name of Keras's dtype policy to compute by.

    Raises:
        UserError: the weights are not those that `info` describes.
    """
    weights = read_weights(path, info)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = networks.build(info["architecture"], size=info["size"], **info["arguments"])
    finally:
        keras.config.set_dtype_policy(previous)
    with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
        local = os.path.join(folder, WEIGHTS)
        storage.write_bytes(local, weights)
        model.load_weights(local)
    return model


def save(path: str, model: keras.Model, info: Mapping[str, Any]) -> None:
    """Write a model folder; `segmenter.json` comes last, so that a folder with it is complete.

    Args:
        path: folder, local or by URL.
        model: built by `lungseg.networks.build` from the architecture and arguments in `info`.
        info: content of `segmenter.json` but for format, parameters and hash.
    """
    with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
        local = os.path.join(folder, WEIGHTS)
        model.save_weights(local)
        weights = storage.read_bytes(local)
    storage.write_bytes(storage.join(path, WEIGHTS), weights)
    complete = {
        "format": FORMAT,
        **info,
        "parameters": model.count_params(),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    storage.write_text(storage.join(path, INFO), json.dumps(complete, indent=2, ensure_ascii=False))
