"""What a cluster can do in a second, and what to ask of it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.session import silence
from lungseg.settings import Settings

PREDICTION = 3.0
"""A training step is a pass forward and two passes back: predicting is about so much faster."""
_GOOD = 0.95
"""A batch is large enough where it gives this part of the best rate."""
_SECONDS = 300

Facts = dict[str, Any]


def measure_rates(nodes: Sequence[Facts], settings: Settings) -> Facts:
    """Measure on the node with most GPUs, then CPUs, in a process of its own.

    Returns:
        read_per_core (films/s), train (see `lungseg.measure.training_rates`) and what they were
        measured with; or "failed" with the reason.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    able = [node for node in nodes if "error" not in node and node["cpus"] >= 1]
    if not able:
        return {"failed": "no node has a CPU"}
    best = max(able, key=lambda node: (node["gpus"], node["cpus"]))
    threads = int(best["cpus"])
    task = ray.remote(num_cpus=threads, num_gpus=min(1, int(best["gpus"])), max_retries=0)(_rates)
    answer = task.options(
        scheduling_strategy=NodeAffinitySchedulingStrategy(best["id"], soft=False),
        # A process of its own: threads are bound before TensorFlow's first operation.
        runtime_env={"env_vars": {"LUNGSEG_DOCTOR": uuid.uuid4().hex}},
    ).remote(settings.model_dump(mode="json"), threads)
    try:
        with silence():
            rates: Facts = ray.get(answer, timeout=_SECONDS)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(answer, force=True)
        return {"failed": f"{best['address']} was busy for {_SECONDS} s"}
    except ray.exceptions.RayError as error:
        return {"failed": last_line(error)}
    return rates | {"node": best["address"], "gpus": min(1, int(best["gpus"]))}


def _rates(plain: Facts, threads: int) -> Facts:
    from lungseg.measure import FILM_SIZE, reading_rate, training_rates

    settings = Settings.model_validate(plain)
    size = settings.train.batch_size
    return {
        "read_per_core": reading_rate(settings.data.size),
        "film_px": FILM_SIZE,
        "train": training_rates(settings, (size, 2 * size), threads),
        "model": settings.models[0],
        "size": settings.data.size,
        "threads": threads,
    }


def propose(nodes: Sequence[Facts], measured: Mapping[str, Any]) -> dict[str, Facts]:
    """What to ask of the cluster.

    A worker a GPU, or a machine where there are none; the smallest batch measured that is nearly as
    fast as any; and a GPU's CPUs so that they read films as fast as it predicts, and one more.
    """
    rates = {int(size): rate for size, rate in measured["train"]["images_per_second"].items()}
    batch = min(size for size, rate in rates.items() if rate >= _GOOD * max(rates.values()))
    gpus = int(sum(node["gpus"] for node in nodes))
    predicted = PREDICTION * rates[batch]
    workers = gpus or sum(node["cpus"] >= 1 for node in nodes)
    return {
        "computed": {
            "predict_images_per_second": predicted,
            "read_images_per_second": measured["read_per_core"]
            * sum(node["cpus"] for node in nodes),
        },
        "proposal": {
            "workers": workers,
            "batch_size": batch,
            "cpus_per_gpu": math.ceil(predicted / measured["read_per_core"]) + 1 if gpus else None,
        },
    }


def last_line(error: object) -> str:
    """The last line of a message, which in Ray's errors is the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
