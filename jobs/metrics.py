"""Figures for the cluster's Prometheus, by Ray's own exporter, which puts `ray_` before each name.

| name | kind | tags | where |
|---|---|---|---|
| lungseg_epoch | gauge | model, fold, seed | finished epochs of a training |
| lungseg_loss | gauge | model, fold, seed | loss of the last epoch |
| lungseg_val_dice | gauge | model, fold, seed | validation Dice of the last epoch |
| lungseg_images_per_second | gauge | model, fold, seed | training rate of the last epoch |
| lungseg_predicted_images | counter | | images predicted |
| lungseg_rejected_images | counter | | images that could not be read |
| lungseg_predict_images_per_second | gauge | | since the job began |

(The lengths of queues are Ray Data's: `ray_data_*` by operator.)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

_TRAINING = {
    "lungseg_epoch": ("epoch", "Finished epochs of a training"),
    "lungseg_loss": ("loss", "Training loss of the last epoch"),
    "lungseg_val_dice": ("val_dice", "Validation Dice of the last epoch"),
    "lungseg_images_per_second": ("images_per_second", "Training images a second, last epoch"),
}


class TrainingMetrics:
    """The gauges of one training; rank 0 sets them after each epoch."""

    def __init__(self, model: str, fold: int, seed: int) -> None:
        from ray.util.metrics import Gauge

        tags = {"model": model, "fold": str(fold), "seed": str(seed)}
        self._gauges = {}
        for name, (column, told) in _TRAINING.items():
            gauge = Gauge(name, description=told, tag_keys=tuple(tags))
            gauge.set_default_tags(tags)
            self._gauges[column] = gauge

    def show(self, row: Mapping[str, Any]) -> None:
        """Set the gauges to a row of the history."""
        for column, gauge in self._gauges.items():
            gauge.set(float(row[column]))


class PredictionMetrics:
    """The counters of a prediction, which its driver raises with each part."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge

        self._done = Counter("lungseg_predicted_images", description="Images predicted")
        self._rejected = Counter(
            "lungseg_rejected_images", description="Images that could not be read"
        )
        self._rate = Gauge(
            "lungseg_predict_images_per_second", description="Images a second since the job began"
        )
        self._started, self._count = time.monotonic(), 0

    def add(self, done: int, rejected: int) -> None:
        """Count the images of a part."""
        self._count += done + rejected
        for counter, number in ((self._done, done), (self._rejected, rejected)):
            if number:
                counter.inc(number)
        self._rate.set(self._count / max(time.monotonic() - self._started, 1e-9))
