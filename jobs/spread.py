"""Chunks of work on all CPUs of the cluster, with Ray Data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.ahead import submit_ahead
from jobs.session import resources

_MOST_CHUNKS = 16
"""Of a task, so that a large job tells how far it is."""


def spread(
    chunks: list[dict[str, Any]], worker: type[Any], *, tasks_per_cpu: int, **arguments: Any
) -> Iterator[dict[str, Any]]:
    """What the workers return for each chunk, in any order.

    A task takes some 12 ms of the driver, so it does several chunks.

    Args:
        chunks: rows of plain values.
        worker: class whose instances are called with a chunk.
        tasks_per_cpu: into how many tasks the chunks are put, unless they would be long.
        arguments: of the class.
    """
    import ray.data

    if not chunks:
        return
    cpus = max(1, int(resources()["CPU"]))
    tasks = min(len(chunks), max(tasks_per_cpu * cpus, len(chunks) // _MOST_CHUNKS))
    data = submit_ahead(ray.data.from_items(chunks, override_num_blocks=tasks), tasks)
    yield from data.map(worker(**arguments).__call__).iter_rows()
