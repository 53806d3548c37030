"""Shares of clusters of one and of several machines, which are made up."""

from __future__ import annotations

import pytest

from jobs import placement
from jobs.placement import Placement
from lungseg.errors import UserError
from lungseg.settings import ComputeSettings

Cluster = list[dict[str, float]]


def cpus(*each: float) -> Cluster:
    return [{"CPU": number, "memory": 1e9} for number in each]


def gpus(*each: tuple[float, float]) -> Cluster:
    return [{"CPU": number, "GPU": cards} for number, cards in each]


HEAD: Cluster = [{"memory": 1e9}]


def place(
    monkeypatch: pytest.MonkeyPatch, there: Cluster, trainings: int = 1, **asked: object
) -> Placement:
    monkeypatch.setattr(placement, "machines", lambda: there)
    return placement.place(ComputeSettings.model_validate(asked), trainings)


@pytest.mark.parametrize(
    ("there", "trainings", "asked", "each", "parallel"),
    [
        (cpus(2), 1, {}, 2, 1),
        (cpus(2), 3, {}, 2, 1),
        (cpus(2), 1, {"workers": 2}, 1, 1),
        (cpus(16), 3, {}, 16 / 3, 3),
        (cpus(16), 9, {}, 4, 4),
        # No worker spans machines.
        (cpus(4, 4, 4, 4), 1, {}, 4, 1),
        (cpus(4, 4, 4, 4), 9, {}, 4, 4),
        (cpus(4, 4, 4, 4), 1, {"workers": 6}, 2, 1),
        (cpus(2, 2, 2), 9, {}, 2, 3),
        (cpus(4, 16), 1, {}, 16, 1),
        (cpus(4, 16), 1, {"workers": 3}, 16 / 3, 1),
        (HEAD + cpus(8, 8), 1, {"workers": 2}, 8, 1),
        (cpus(4, 4), 1, {"workers": 2, "cpus_per_worker": 3}, 3, 1),
        (cpus(2), 2, {"cpus_per_worker": 0.5, "parallel": 2}, 0.5, 2),
        # Workers with a GPU share the CPUs of the machines that have some.
        (gpus((8, 2), (8, 2)) + cpus(64), 1, {"workers": 4}, 4, 1),
        (gpus((8, 2)), 4, {}, 4, 2),
        (gpus((8, 1)), 1, {"gpus_per_worker": 0}, 8, 1),
        (gpus((8, 1)), 1, {"workers": 2}, 4, 1),
        (gpus((8, 4)), 1, {"workers": "2:8"}, 2, 1),
    ],
)
def test_shares(
    monkeypatch: pytest.MonkeyPatch,
    there: Cluster,
    trainings: int,
    asked: dict[str, object],
    each: float,
    parallel: int,
) -> None:
    found = place(monkeypatch, there, trainings, **asked)
    assert found.cpus == pytest.approx(each)
    assert found.threads == max(1, int(each))
    assert found.parallel == parallel
    enough = sum(int(machine.get("GPU", 0)) for machine in there) >= found.workers[0]
    assert found.gpus == (enough and asked.get("gpus_per_worker") != 0)
    assert ("GPU" in found.resources) == (found.gpus > 0)


@pytest.mark.parametrize(
    ("there", "asked", "line"),
    [
        (
            cpus(4, 4),
            {"cpus_per_worker": 6},
            "there is no room for 1 worker of 6 CPUs each: the cluster takes 0 (2 machines of 4 "
            "CPUs); take fewer with --workers, or smaller ones with --cpus-per-worker",
        ),
        (
            gpus((8, 1), (8, 1)),
            {"gpus_per_worker": 2},
            "there is no room for 1 worker of 2 GPUs each: the cluster takes 0 (2 machines of 8 "
            "CPUs and 1 GPU); take fewer with --workers, or smaller ones with --gpus-per-worker",
        ),
        (
            HEAD + gpus((4, 1)) + cpus(16),
            {"workers": 2, "cpus_per_worker": 4, "gpus_per_worker": 0.5},
            "2 workers of 4 CPUs and 0.5 GPUs each: the cluster takes 1 (1 machine of 4 CPUs and 1 "
            "GPU, 1 machine of 16 CPUs); take fewer with --workers, or smaller ones with "
            "--cpus-per-worker or --gpus-per-worker",
        ),
        (
            cpus(2, 2),
            {"workers": 3, "cpus_per_worker": 1, "parallel": 2},
            "3 workers of 1 CPU each in each of 2 trainings side by side: the cluster takes 4",
        ),
    ],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, there: Cluster, asked: dict[str, object], line: str
) -> None:
    with pytest.raises(UserError) as told:
        place(monkeypatch, there, 2, **asked)
    assert line in str(told.value)
