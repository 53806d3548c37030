"""The picture of augmented samples: the film as it is, then variants that carry their mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lungseg.figures.augmentation import (
    FILMS,
    TILE,
    VARIANTS,
    augmented_samples,
    write_augmented_samples,
)
from lungseg.figures.overlay import PREDICTION
from lungseg.settings import AugmentationSettings


def pair() -> tuple[np.ndarray, np.ndarray]:
    masks = np.zeros((2, 64, 64, 1), np.uint8)
    masks[:, 16:48, 20:44] = 1
    return masks * 90 + 60, masks


def tiles(picture: np.ndarray) -> list[list[np.ndarray]]:
    return [np.hsplit(row, 1 + VARIANTS) for row in np.vsplit(picture, len(picture) // TILE)]


def outlined(tile: np.ndarray) -> np.ndarray:
    return (tile == PREDICTION).all(axis=-1)


def test_without_strength_all_tiles_are_the_film() -> None:
    still = {"rotation", "zoom", "shift", "brightness", "contrast", "gamma", "noise"}
    picture = augmented_samples(*pair(), AugmentationSettings(**dict.fromkeys(still, 0)))
    assert picture.shape == (2 * TILE, (1 + VARIANTS) * TILE, 3)
    for row in tiles(picture):
        for tile in row[1:]:
            np.testing.assert_array_equal(tile, row[0])
        rows, columns = np.nonzero(outlined(row[0]))
        scale = (TILE - 4) / 64
        assert rows.min() == pytest.approx(2 + 16 * scale, abs=1)
        assert columns.max() == pytest.approx(2 + 44 * scale - 1, abs=1)


def test_variants_differ_and_the_outline_follows_the_film() -> None:
    geometry = AugmentationSettings(brightness=0, contrast=0, gamma=0, noise=0)
    for first, *variants in tiles(augmented_samples(*pair(), geometry)):
        for tile in variants:
            assert not np.array_equal(outlined(tile), outlined(first))
            bright = (tile[..., 0] > 105) & (tile[..., 0] < 200)
            inside = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5)))
            edge = cv2.dilate(inside, np.ones((7, 7))) - cv2.erode(inside, np.ones((7, 7)))
            assert (edge[outlined(tile)] > 0).mean() > 0.95
    one, other = (augmented_samples(*pair(), AugmentationSettings(), seed) for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.usefixtures("cluster")
def test_written_from_shards(tiny_shards: str, tmp_path: Path) -> None:
    path = tmp_path / "augmentation.png"
    write_augmented_samples(str(path), tiny_shards, AugmentationSettings())
    picture = cv2.imread(str(path))
    assert picture.shape == (FILMS * TILE, (1 + VARIANTS) * TILE, 3)
