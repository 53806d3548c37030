"""What each worker of a training gets of the cluster, and how many trainings run side by side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.session import machines
from lungseg.errors import UserError
from lungseg.settings import ComputeSettings

_CPUS_SIDE_BY_SIDE = 4
"""CPUs a worker without a GPU should have before a second training runs beside it."""
_LEAST_CPUS = 0.5

Machines = Sequence[Mapping[str, float]]
"""What each machine has: CPU, GPU."""


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
    def wanted(self) -> str:
        """What one training asks for, in words."""
        return f"{_many(self.workers[0], 'worker')} of {_with(self.cpus, self.gpus)} each"

    @property
    def resources(self) -> dict[str, float]:
        """What a worker reserves: a CPU less than it computes with, so that reading has some."""
        reserved = self.cpus - 1 if self.cpus >= 2 else self.cpus / 2
        return {"CPU": reserved} | ({"GPU": self.gpus} if self.gpus else {})


def place(compute: ComputeSettings, trainings: int = 1) -> Placement:
    """Share the cluster out; a worker has all it gets on one machine.

    Args:
        compute: what is asked for.
        trainings: how many there are to do.

    Raises:
        UserError: the cluster has less than what is asked for.
    """
    there = machines()
    low, high = compute.workers
    gpus = compute.gpus_per_worker
    if gpus < 0:
        gpus = 1.0 if _slots(there, 0, 1) >= low else 0.0
    parallel = compute.parallel or _slots(there, _usual(compute, there, gpus), gpus) // high
    parallel = max(1, min(parallel, trainings))
    cpus = compute.cpus_per_worker or max(_share(there, high * parallel, gpus), _LEAST_CPUS)
    _check_room(there, low, parallel, cpus, gpus)
    return Placement((low, high), cpus, gpus, parallel)


def _usual(compute: ComputeSettings, there: Machines, gpus: float) -> float:
    """CPUs a worker should have for a second training to run beside its own."""
    if gpus:
        return compute.cpus_per_worker
    largest = max((machine.get("CPU", 0.0) for machine in there), default=0.0)
    return max(compute.cpus_per_worker, min(_CPUS_SIDE_BY_SIDE, largest), _LEAST_CPUS)


def _slots(there: Machines, cpus: float, gpus: float) -> int:
    """Workers that the machines have room for; 0 CPUs or GPUs are not looked at, but not both."""
    asked = {name: each for name, each in (("CPU", cpus), ("GPU", gpus)) if each}
    return sum(
        min(math.floor(machine.get(name, 0.0) / each + 1e-9) for name, each in asked.items())
        for machine in there
    )


def _share(there: Machines, workers: int, gpus: float) -> float:
    """The most CPUs that each of so many workers can have, those there are GPUs for at most."""
    if gpus:
        workers = min(workers, _slots(there, 0, gpus))
    cpus = {machine["CPU"] for machine in there if machine.get("CPU")}
    shares = {each / split for each in cpus for split in range(1, workers + 1)}
    fitting = (
        share for share in sorted(shares, reverse=True) if _slots(there, share, gpus) >= workers
    )
    return next(fitting, 0.0)


def _check_room(there: Machines, workers: int, parallel: int, cpus: float, gpus: float) -> None:
    needed = workers * parallel
    alone = [asked for asked in ((cpus, 0.0), (0.0, gpus)) if any(asked)]
    for asked in (*alone, (cpus, gpus)):
        room = _slots(there, *asked)
        if room < needed:
            beside = f" in each of {parallel} trainings side by side" if parallel > 1 else ""
            smaller = " or ".join(
                f"--{kind}s-per-worker"
                for kind, each in zip(("cpu", "gpu"), asked, strict=True)
                if each
            )
            raise UserError(
                f"there is no room for {_many(workers, 'worker')} of {_with(*asked)} each{beside}: "
                f"the cluster takes {room} ({_described(there)}); take fewer with --workers, or "
                f"smaller ones with {smaller}"
            )


def _described(there: Machines) -> str:
    """The machines in words, without those that only keep the others together."""
    kinds = Counter(
        (machine["CPU"], machine.get("GPU", 0.0)) for machine in there if machine.get("CPU")
    )
    told = [f"{_many(count, 'machine')} of {_with(*kind)}" for kind, count in kinds.items()]
    return ", ".join(told) if told else "no machine"


def _with(cpus: float, gpus: float) -> str:
    return " and ".join(_many(each, kind) for kind, each in (("CPU", cpus), ("GPU", gpus)) if each)


def _many(count: float, what: str) -> str:
    return f"{count:g} {what}{'s' * (count != 1)}"
