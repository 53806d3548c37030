"""How many network processes a prediction has, and what each of its parts asks a cluster for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lungseg.settings import PredictSettings

TASK_CPUS = 0.95
"""Of a task before or after the network. A machine has room for as many of them as it has CPUs, or
more, and for network processes in the rest: each of the two has the cores while the other waits."""


@dataclass(frozen=True)
class Pool:
    """Network processes: how many, and what each takes."""

    smallest: int
    largest: int
    cpus: float
    gpus: float
    threads: int


def pool_of(settings: PredictSettings, cpus: Sequence[float], gpus: int) -> Pool:
    """Network processes for a cluster.

    The tasks before and after the network always find a CPU, even when machines are lost and all
    processes move to the smallest one: without it the chunks that they wait for would never come.
    A process asks for less than a task does: of equal requests Ray Data makes one operator, and the
    network's processes would decode.

    Args:
        settings: actors and threads.
        cpus: of each machine, at least one.
        gpus: of the whole cluster.
    """
    smallest, largest = 1, gpus or len(cpus)
    if settings.actors:
        numbers = [int(number) for number in settings.actors.split(":")]
        smallest, largest = numbers[0], numbers[-1]
    share = min((1 - TASK_CPUS) * min(cpus) / largest, TASK_CPUS - 0.05)
    share = math.floor(1e4 * share) / 1e4  # Ray's unit
    threads = settings.threads or max(1, int(sum(cpus) // max(largest, len(cpus))))
    return Pool(smallest, largest, share, min(1.0, gpus / largest) if gpus else 0, threads)
