"""What augmentation makes of training films, to be looked at while the training runs."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lungseg import shards, storage
from lungseg.augmentation import augment
from lungseg.figures.overlay import PREDICTION, fit, outline, png
from lungseg.settings import AugmentationSettings

FILMS, VARIANTS, TILE = 4, 5, 160


def write_augmented_samples(
    path: str, folder: str, settings: AugmentationSettings, seed: int = 0
) -> None:
    """Write `augmented_samples` of some training films in a folder of shards as a PNG file."""
    films, masks = sample_films(folder, "train")
    storage.write_bytes(path, png(augmented_samples(films, masks, settings, seed)))


def augmented_samples(
    films: np.ndarray, masks: np.ndarray, settings: AugmentationSettings, seed: int = 0
) -> np.ndarray:
    """A row a film: the film itself, then variants as a training sees them, all with their mask.

    Args:
        films: uint8 (N, S, S, 1).
        masks: uint8 (N, S, S, 1) of 0 and 1.
        settings: strength of the augmentation.
        seed: of the training.

    Returns:
        uint8 (N · TILE, (1 + VARIANTS) · TILE, 3) RGB.
    """
    images, lungs = tf.cast(films, tf.float32) / 255.0, tf.cast(masks, tf.float32)
    columns = [_column(films, masks)]
    for step in range(1, VARIANTS + 1):
        changed, moved = augment(images, lungs, tf.constant([seed, step]), settings)
        pixels = np.asarray(tf.round(changed * 255.0)).astype(np.uint8)
        columns.append(_column(pixels, np.asarray(moved)))
    return np.hstack(columns)


def sample_films(folder: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Some films of a folder of shards, taken from all over it.

    Returns:
        Films and masks, uint8 (FILMS, S, S, 1), as `augmented_samples` takes them.
    """
    files = shards.files(folder, split)
    pairs = []
    for number in range(FILMS):
        table = shards.read_file(files[number * len(files) // FILMS], [*shards.TENSORS])
        row = table.slice(number * table.num_rows // FILMS, 1)
        pairs.append([row[name].combine_chunks().to_numpy_ndarray() for name in shards.TENSORS])
    films, masks = zip(*pairs, strict=True)
    return np.concatenate(films), np.concatenate(masks)


def _column(films: np.ndarray, masks: np.ndarray) -> np.ndarray:
    tiles = []
    for film, mask in zip(films[..., 0], masks[..., 0] > 0.5, strict=True):
        inner = TILE - 4
        picture = outline(fit(film, inner, inner), fit(mask, inner, inner), PREDICTION)
        tiles.append(np.pad(picture, ((2, 2), (2, 2), (0, 0)), constant_values=255))
    return np.vstack(tiles)
