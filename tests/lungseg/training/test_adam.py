"""The fused Adam against Keras's own, and steps that are left out."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungseg.training.adam import FusedAdam


def variables() -> list[keras.Variable]:
    random = np.random.default_rng(0)
    return [keras.Variable(random.normal(size=shape), dtype="float32") for shape in ((3, 4), (5,))]


def gradients(step: int) -> list[tf.Tensor]:
    random = np.random.default_rng(step + 1)
    return [tf.constant(random.normal(size=s), tf.float32) for s in ((3, 4), (5,))]


@pytest.mark.parametrize("weight_decay", [None, 0.01])
def test_ten_steps_equal_keras(weight_decay: float | None) -> None:
    ours, theirs = variables(), variables()
    fused = FusedAdam(0.02, weight_decay=weight_decay)
    usual = keras.optimizers.Adam(0.02, weight_decay=weight_decay)
    fused.build(ours)
    usual.build(theirs)
    for step in range(10):
        fused.apply_reduced(gradients(step), tf.constant(True))
        usual.apply(gradients(step))
    for one, other in zip(fused.variables + ours, usual.variables + theirs, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=2e-5, atol=1e-6)


def test_a_step_left_out_changes_nothing() -> None:
    weights = variables()
    optimizer = FusedAdam(0.02, weight_decay=0.1)
    optimizer.build(weights)
    optimizer.apply_reduced(gradients(0), tf.constant(True))
    before = [np.array(one) for one in optimizer.variables + weights]
    bad = [gradient * np.inf for gradient in gradients(1)]
    optimizer.apply_reduced(bad, tf.constant(False))
    for one, value in zip(optimizer.variables + weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(one), value)
