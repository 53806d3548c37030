"""The loss scale by hand, and the step at which the loss was lost."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lungseg.training import step_guard
from lungseg.training.step_guard import StepGuard


def follow(guard: StepGuard, *, finite: bool, loss: float = 0.5, step: int = 1) -> None:
    guard.follow(tf.constant(loss), tf.constant(finite), tf.constant(step))


def test_the_scale_halves_after_an_overflow_and_doubles_after_many_good_steps() -> None:
    guard = StepGuard(scaled=True)
    follow(guard, finite=False)
    assert float(np.asarray(guard.factor)) == 2.0**14
    for _ in range(step_guard.GROWTH_STEPS - 1):
        follow(guard, finite=True)
    assert float(np.asarray(guard.factor)) == 2.0**14
    follow(guard, finite=True)
    assert float(np.asarray(guard.factor)) == 2.0**15
    follow(guard, finite=True)
    assert float(np.asarray(guard.factor)) == 2.0**15


def test_the_scale_stays_one_without_need_and_never_falls_below() -> None:
    plain = StepGuard(scaled=False)
    follow(plain, finite=False)
    assert float(np.asarray(plain.factor)) == 1
    scaled = StepGuard(scaled=True)
    for _ in range(20):
        follow(scaled, finite=False)
    assert float(np.asarray(scaled.factor)) == 1


def test_the_first_lost_step_is_remembered() -> None:
    guard = StepGuard(scaled=False)
    follow(guard, finite=False, step=3)
    assert guard.lost_step is None
    follow(guard, finite=False, loss=np.nan, step=5)
    follow(guard, finite=False, loss=np.inf, step=6)
    assert guard.lost_step == 5
