"""What each worker of a training gets of the cluster, and how many trainings run side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobs.session import resources
from lungseg.errors import UserError
from lungseg.settings import ComputeSettings

_CPUS_SIDE_BY_SIDE = 4
"""CPUs a worker without a GPU should have before a second training runs beside it."""


@dataclass(frozen=True)
class Placement:
    """Workers of one training and the share of the cluster that each of them has."""

    workers: tuple[int, int]
    """At least and at most; equal but for elastic trainings."""
    cpus: float
    gpus: float
    parallel: int
    """Trainings at a time."""

    @property
    def threads(self) -> int:
        """CPU threads a worker computes with."""
        return max(1, math.floor(self.cpus))

    @property
    def resources(self) -> dict[str, float]:
        """What a worker reserves: a CPU less than it computes with, so that reading has some."""
        reserved = self.cpus - 1 if self.cpus >= 2 else self.cpus / 2
        return {"CPU": reserved} | ({"GPU": self.gpus} if self.gpus else {})


def place(compute: ComputeSettings, trainings: int = 1) -> Placement:
    """Share the cluster out.

    Args:
        compute: what is asked for.
        trainings: how many there are to do.

    Raises:
        UserError: the cluster has less than what is asked for.
    """
    there = resources()
    cpus_there, gpus_there = there.get("CPU", 0.0), there.get("GPU", 0.0)
    low, high = compute.workers
    gpus = compute.gpus_per_worker
    if gpus < 0:
        gpus = 1.0 if gpus_there >= low else 0.0
    parallel = compute.parallel or _room(compute, gpus, cpus_there, gpus_there)
    parallel = max(1, min(parallel, trainings))
    cpus = compute.cpus_per_worker or max(cpus_there / (high * parallel), 0.5)
    for kind, each, total in (("CPU", cpus, cpus_there), ("GPU", gpus, gpus_there)):
        needed = each * low * parallel
        if needed > total:
            beside = f" in {parallel} trainings side by side" if parallel > 1 else ""
            raise UserError(
                f"{low} workers of {each:g} {kind}s each{beside} need {needed:g}, the cluster has "
                f"{total:g}: take fewer with --workers, or smaller ones with "
                f"--{kind.lower()}s-per-worker"
            )
    return Placement((low, high), cpus, gpus, parallel)


def _room(compute: ComputeSettings, gpus: float, cpus_there: float, gpus_there: float) -> int:
    """Trainings that the cluster has room for."""
    workers = compute.workers[1]
    if gpus:
        return int(gpus_there / (gpus * workers))
    return int(cpus_there / (workers * max(compute.cpus_per_worker, _CPUS_SIDE_BY_SIDE)))
