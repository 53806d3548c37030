"""Ray Train's trainer: fewer actors beside its workers, and a controller that may be lost.

The controller is the process of Ray that leads the workers of a training. Where it is killed they
end too, and Ray Train leaves it at that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import ActorDiedError
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer


class Trainer(DataParallelTrainer):
    """Ray Train's, without actors that only cost time.

    One deals data sets out: not needed where there are none. One frees what a lost controller had
    reserved: `fit` does, also where Ray has no dashboard, whose API that actor asks once a second.
    It stays below a trial of Ray Tune, which is ended without a word to `fit`.
    """

    def _create_default_callbacks(self) -> list[Any]:
        left_out = set()
        if not self.datasets:
            left_out.add("DatasetsCallback")
        if not ray.get_runtime_context().get_actor_id():
            left_out.add("PlacementGroupCleanerCallback")
        callbacks = super()._create_default_callbacks()
        return [one for one in callbacks if type(one).__name__ not in left_out]


def fit(make: Callable[[], Trainer], restarts: int) -> None:
    """Run a training to its end; one whose controller is lost starts again.

    Args:
        make: gives the trainer of each start.
        restarts: how often at most; -1: without limit.

    Raises:
        ActorDiedError: the controller was lost once more.
    """
    while True:
        try:
            make().fit()
        except ActorDiedError as error:
            # Ctrl-C ends the connection to Ray, and with it the controller.
            if not ray.is_initialized():
                raise
            _free_room_of(error.actor_id)
            if not restarts:
                raise
            restarts -= 1
        else:
            return


def _free_room_of(actor: str | None) -> None:
    """Remove the placement groups of a dead actor, which Ray would keep until the job ends."""
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    for plain in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(plain)
        if group.creator_actor_id.hex() == actor:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
