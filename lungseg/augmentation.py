"""Random changes of training films, drawn inside the training step.

Film and mask go through one affine map; brightness, contrast, gamma and noise touch the film
alone. All draws are stateless: the same seed gives the same picture on any worker, so a resumed
epoch sees what the undisturbed one would have seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import tensorflow as tf
from keras import ops

from lungseg.settings import AugmentationSettings

if TYPE_CHECKING:
    Pair = tuple[tf.Tensor, tf.Tensor]


def augment(
    images: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor, settings: AugmentationSettings
) -> Pair:
    """Change films and masks at random.

    Args:
        images: float32 (B, S, S, 1) in 0…1.
        masks: float32 (B, S, S, 1) of 0 and 1.
        seed: int32 (2,).
        settings: how strongly.

    Returns:
        Films and masks of the same shapes, dtypes and ranges.
    """
    seeds = tf.random.split(seed, 3)
    transform = _affine(tf.shape(images)[0], tf.shape(images)[1], seeds[0], settings)
    images = ops.image.affine_transform(images, transform, interpolation="bilinear")
    masks = ops.image.affine_transform(masks, transform, interpolation="nearest")
    return _exposure(images, seeds[1], seeds[2], settings), masks


def _affine(
    batch: tf.Tensor, side: tf.Tensor, seed: tf.Tensor, settings: AugmentationSettings
) -> tf.Tensor:
    """Maps of output to input pixels about the centre, float32 (B, 8)."""
    draw = tf.random.stateless_uniform([5, batch], seed, -1.0, 1.0)
    size = tf.cast(side, tf.float32)
    angle = draw[0] * math.radians(settings.rotation)
    scale = 1.0 + draw[1] * settings.zoom
    shift_x, shift_y = draw[2] * settings.shift * size, draw[3] * settings.shift * size
    mirror = tf.where(draw[4] > 0, 1.0, -1.0) if settings.flip else tf.ones_like(scale)
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    a, b, d, e = cosine * mirror, -sine, sine * mirror, cosine
    centre = (size - 1.0) / 2.0
    c = centre - a * centre - b * centre + shift_x
    f = centre - d * centre - e * centre + shift_y
    zero = tf.zeros_like(scale)
    return tf.stack([a, b, c, d, e, f, zero, zero], axis=1)


def _exposure(
    images: tf.Tensor, seed: tf.Tensor, noise_seed: tf.Tensor, settings: AugmentationSettings
) -> tf.Tensor:
    batch = tf.shape(images)[0]
    draw = tf.random.stateless_uniform([3, batch, 1, 1, 1], seed, -1.0, 1.0)
    images = tf.clip_by_value(images, 1e-4, 1.0) ** tf.pow(2.0, draw[0] * settings.gamma)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = (images - mean) * (1.0 + draw[1] * settings.contrast) + mean
    images = images + draw[2] * settings.brightness
    if settings.noise:
        level = tf.random.stateless_uniform([batch, 1, 1, 1], noise_seed, 0.0, settings.noise)
        grain = tf.random.stateless_normal(tf.shape(images), noise_seed)
        images = images + level * grain
    return tf.clip_by_value(images, 0.0, 1.0)
