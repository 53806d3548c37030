"""Ray Train's set-up of TensorFlow, made lighter.

`ray.train.tensorflow.TensorflowTrainer` imports TensorFlow wherever it is imported: in the driver
and in the controller of the run, which never compute with it. That is 4–5 s and 600 MB each; with
Ray Train's general trainer and these addresses only the workers import it.
"""

from __future__ import annotations

import json
import os
from typing import Any

import ray
from ray.train import BackendConfig
from ray.train.backend import Backend


class TensorflowGroup(BackendConfig):
    """For Ray Train's `DataParallelTrainer`: every worker knows the addresses of all."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _Addresses


class _Addresses(Backend):
    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Called on the controller each time a group of workers has started."""
        addresses = worker_group.execute(_free_address)
        told = [
            worker_group.execute_single_async(rank, _tell, addresses, rank)
            for rank in range(len(addresses))
        ]
        ray.get(told)


def _free_address() -> str:
    from ray.train._internal.utils import get_address_and_port

    host, port = get_address_and_port()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tell(addresses: list[str], rank: int) -> None:
    """Set what `tf.distribute.MultiWorkerMirroredStrategy` reads."""
    task = {"type": "worker", "index": rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
