"""Short measurements of a machine: how fast it reads films, and how fast it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lungseg import phantoms
from lungseg.images import decode
from lungseg.network_input import network_input
from lungseg.one_core import use_one_core
from lungseg.opencv import cv2
from lungseg.settings import Settings

FILM_SIZE = 1024
"""Longer side of the film that is read [px]."""
_STEPS = 4

Batch = dict[str, np.ndarray]


def reading_rate(size: int, seconds: float = 1.0) -> float:
    """Films that one core decodes (PNG, 1024 px) and letterboxes in a second.

    Args:
        size: side of the network's input in px.
        seconds: how long to measure.
    """
    use_one_core()
    _, encoded = cv2.imencode(".png", phantoms.draw(0, seed=0, size=FILM_SIZE).image)
    data = encoded.tobytes()
    network_input(decode(data, "film.png").pixels, size)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        network_input(decode(data, "film.png").pixels, size)
        count += 1
    return count / (time.perf_counter() - started)


def training_rates(settings: Settings, batch_sizes: Sequence[int], threads: int) -> dict[str, Any]:
    """Images a second of the run's first model, in its second epoch of a few steps.

    The first epoch traces the functions; films are noise, which costs the same.

    Args:
        settings: of the run.
        batch_sizes: to measure.
        threads: CPU threads.

    Returns:
        images_per_second and memory_mb by batch size, and precision.
    """
    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(threads)
    from lungseg.training import feed
    from lungseg.training.fit import fit

    rates, memory, precision = {}, {}, ""
    for size in batch_sizes:
        batch = _noise(size, settings.data.size)
        few = settings.model_copy(deep=True)
        few.train.batch_size, few.train.epochs, few.train.mlflow = size, 2, ""
        trained = fit(
            few,
            settings.models[0],
            seed=0,
            source=feed.Feed(_repeat(batch, _STEPS), _once(batch), size * _STEPS, size),
            report=lambda row, folder: None,
        )
        rates[size] = float(trained.history[-1]["images_per_second"])
        memory[size] = float(trained.history[-1]["memory_mb"])
        precision = trained.precision
    return {"images_per_second": rates, "memory_mb": memory, "precision": precision}


def _noise(count: int, size: int) -> Batch:
    random = np.random.default_rng(0)
    masks = np.zeros((count, size, size, 1), np.uint8)
    masks[:, size // 4 : -size // 4, size // 4 : -size // 4] = 1
    return {"image": random.integers(0, 255, masks.shape).astype(np.uint8), "mask": masks}


def _repeat(batch: Batch, times: int) -> Callable[[int, int], Iterable[Batch]]:
    return lambda epoch, batch_size: (
        [{name: values[:batch_size] for name, values in batch.items()}] * times
    )


def _once(batch: Batch) -> Callable[[], Iterable[Batch]]:
    return lambda: [batch]
