"""Network processes of a prediction: every CPU stays free for the tasks beside them."""

from __future__ import annotations

from jobs.pool import TASK_CPUS, Pool, pool_of
from lungseg.settings import PredictSettings


def test_every_cpu_is_left_for_the_tasks() -> None:
    for machines, actors in (
        ([2.0], "1"),
        ([2.0, 2.0], "2"),
        ([8.0], "1:4"),
        ([64.0, 4.0], "4:8"),
        ([19.0], "1"),
    ):
        pool = pool_of(PredictSettings(actors=actors), machines, 0)
        for cpus in machines:
            assert (cpus - pool.largest * pool.cpus) // TASK_CPUS >= cpus
        assert 0 < pool.cpus < TASK_CPUS
        assert pool.threads >= 1
    assert pool_of(PredictSettings(), [8.0, 8.0, 8.0], 0).largest == 3
    assert pool_of(PredictSettings(), [8.0], 4) == Pool(1, 4, 0.1, 1.0, 2)
