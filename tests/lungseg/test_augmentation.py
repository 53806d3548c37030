"""Augmentation: film and mask move together, and only as far as the settings say."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lungseg.augmentation import augment
from lungseg.settings import AugmentationSettings

STILL = {
    "rotation": 0,
    "zoom": 0,
    "shift": 0,
    "brightness": 0,
    "contrast": 0,
    "gamma": 0,
    "noise": 0,
}
SEED = tf.constant([1, 2])


def pair(side: int = 64) -> tuple[tf.Tensor, tf.Tensor]:
    rows, columns = np.mgrid[:side, :side]
    disk = ((rows - 28) ** 2 + (columns - 36) ** 2 < 144).astype(np.float32)
    masks = tf.constant(np.repeat(disk[None, ..., None], 6, axis=0))
    return masks * 0.6 + 0.2, masks


def test_no_strength_changes_nothing() -> None:
    images, masks = pair()
    changed, moved = augment(images, masks, SEED, AugmentationSettings(**STILL))
    np.testing.assert_allclose(changed, images, atol=1e-5)
    np.testing.assert_array_equal(moved, masks)


def test_film_and_mask_move_together() -> None:
    images, masks = pair()
    settings = AugmentationSettings(**STILL | {"rotation": 15, "zoom": 0.2, "shift": 0.1})
    changed, moved = augment(images, masks, SEED, settings)
    assert set(np.unique(moved)) == {0.0, 1.0}
    bright = np.asarray(changed) > 0.5
    moved = np.asarray(moved) > 0.5
    overlap = 2 * (bright & moved).sum((1, 2, 3)) / (bright.sum((1, 2, 3)) + moved.sum((1, 2, 3)))
    assert overlap.min() > 0.97
    assert (moved != (np.asarray(masks) > 0.5)).any(axis=(1, 2, 3)).all()


def test_shift_is_bounded() -> None:
    images, masks = pair()
    settings = AugmentationSettings(**STILL | {"shift": 0.1})
    _, moved = augment(images, masks, SEED, settings)
    for mask in np.asarray(moved)[..., 0]:
        row, column = (axis.mean() for axis in np.nonzero(mask))
        assert abs(row - 28) <= 6.9
        assert abs(column - 36) <= 6.9


def test_exposure_leaves_the_mask_and_the_range() -> None:
    images, masks = pair()
    settings = AugmentationSettings(rotation=0, zoom=0, shift=0)
    changed, moved = augment(images, masks, SEED, settings)
    np.testing.assert_array_equal(moved, masks)
    assert float(tf.reduce_min(changed)) >= 0
    assert float(tf.reduce_max(changed)) <= 1
    assert not np.allclose(changed, images, atol=0.01)


def test_the_same_seed_gives_the_same_picture() -> None:
    images, masks = pair()
    settings = AugmentationSettings()
    first, second = (augment(images, masks, SEED, settings)[0] for _ in range(2))
    other = augment(images, masks, tf.constant([1, 3]), settings)[0]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_flip_mirrors_some_films_only_when_asked() -> None:
    images, masks = pair()
    _, moved = augment(images, masks, SEED, AugmentationSettings(**STILL, flip=True))
    mirrored = np.asarray(masks)[:, :, ::-1]
    kinds = {
        (np.array_equal(new, old), np.array_equal(new, flipped))
        for new, old, flipped in zip(np.asarray(moved), np.asarray(masks), mirrored, strict=True)
    }
    assert kinds == {(True, False), (False, True)}
