"""Chunks of work on all CPUs of the cluster, with Ray Data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.session import resources, silence

_TASKS_FOR_ACTORS = 8


def spread(
    chunks: list[dict[str, Any]], worker: type[Any], *, tasks_per_cpu: int, **arguments: Any
) -> Iterator[dict[str, Any]]:
    """What the workers return for each chunk, in any order.

    Ray Data leaves about 0.2 s between two tasks on a CPU and takes 12 ms of the driver for each,
    so a task does several chunks; and where there are many tasks, actors do them, which start
    slowly but have their next tasks waiting.

    Args:
        chunks: rows of plain values.
        worker: class whose instances are called with a chunk.
        tasks_per_cpu: into how many tasks the chunks are put at most.
        arguments: of the class.
    """
    import ray.data

    if not chunks:
        return
    cpus = max(1, int(resources()["CPU"]))
    tasks = min(len(chunks), tasks_per_cpu * cpus)
    data = ray.data.from_items(chunks, override_num_blocks=tasks)
    if tasks > _TASKS_FOR_ACTORS * cpus:
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=cpus, initial_size=cpus)
        data = data.map(worker, fn_constructor_kwargs=arguments, compute=pool)
    else:
        data = data.map(worker(**arguments).__call__)
    # Ray warns of each actor pool on standard error (ray issue 53727).
    with silence():
        yield from data.iter_rows()
