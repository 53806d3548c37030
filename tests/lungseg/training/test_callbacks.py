"""Schedules of the learning rate."""

from __future__ import annotations

import keras
import pytest

from lungseg.resolve import resolve
from lungseg.training.callbacks import cosine, make_callbacks


def test_cosine_with_warm_up_by_hand() -> None:
    rates = [cosine(epoch, 6, 2) for epoch in range(6)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1.0, 0.853553, 0.5, 0.146447], abs=1e-6)


def test_the_schedule_is_the_one_of_the_settings() -> None:
    by_name = {
        "plateau": keras.callbacks.ReduceLROnPlateau,
        "cosine": keras.callbacks.LearningRateScheduler,
    }
    for name, kind in by_name.items():
        settings = resolve(options={"train.schedule": name})
        assert any(
            isinstance(one, kind) for one in make_callbacks(settings, "best.weights.h5", 1e-3)
        )
