"""Tasks of Ray Data that wait at Ray for a CPU, a stated number of them.

By itself Ray Data submits a task once it has seen a CPU free: of its first ones all but one a
second late, and each later one some 0.15 s after the one before has ended. Where tasks are as short
as ours, the cores are idle for half of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.data import Dataset

_POLICIES = "backpressure_policies.enabled"
_MOST = "lungseg.tasks_ahead"


class Ahead:
    """A backpressure policy of Ray Data: how far an operator may be ahead of the next one.

    It stands in for Ray Data's own ones, which count CPUs and bytes. Each task has to give one
    block: then the tasks that an operator has submitted and the next one has not are those that run
    or wait for a CPU, and the blocks that wait in memory.
    """

    name = "Ahead"

    def __init__(self, data_context: Any, _topology: Any, _resource_manager: Any) -> None:
        self._most = data_context.get_config(_MOST)

    def can_add_input(self, op: Any) -> bool:
        """Whether the operator may submit one more task."""
        after = op.output_dependencies
        gone = after[0].metrics.num_tasks_submitted if after else op.metrics.num_tasks_finished
        return bool(op.metrics.num_tasks_submitted - gone < self._most)

    def max_task_output_bytes_to_read(self, _op: Any) -> int | None:
        """No bound on what is read of a task's output, which is one block."""
        return None


def submit_ahead(data: Dataset, most: int) -> Dataset:
    """Let each operator be ahead of the next one by a number of tasks.

    Args:
        data: what the operators will be added to; each of their tasks gives one block.
        most: tasks that run or wait, and blocks that wait for the next operator, together.
    """
    data.context.set_config(_POLICIES, [Ahead])
    data.context.set_config(_MOST, most)
    return data
