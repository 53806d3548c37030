"""The state of a training after an epoch, as a folder that is complete or not used.

`last.npz` holds all variables of network and optimizer, `best.weights.h5` the best weights so
far, `state.json` history and callbacks. `complete.json` is written last and lists the size of
each file: Ray copies a checkpoint file by file, and a folder cut short must be told apart.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lungseg import storage
from lungseg.errors import WorkError

if TYPE_CHECKING:
    import keras

MARKER = "complete.json"
BEST = "best.weights.h5"
_LAST = "last.npz"
_STATE = "state.json"

_CALLBACK_STATE = ("best", "wait", "best_epoch", "cooldown_counter")


def save(
    folder: str,
    *,
    variables: Sequence[keras.Variable],
    callbacks: Sequence[keras.callbacks.Callback],
    history: Sequence[dict[str, Any]],
    best_weights: str,
    learning_rate: float,
    seed: int,
) -> None:
    """Write a checkpoint into an empty local folder.

    Order and augmentation are drawn anew from seed and epoch, so they have no state to store.

    Args:
        folder: where it goes.
        variables: of network and optimizer.
        callbacks: of the training.
        history: a row an epoch.
        best_weights: file of the best epoch's.
        learning_rate: that a training of this group begins with; the optimizer has the present one.
        seed: of the training.
    """
    arrays: dict[str, Any] = {
        f"{index:05d}": np.asarray(variable) for index, variable in enumerate(variables)
    }
    np.savez(os.path.join(folder, _LAST), allow_pickle=False, **arrays)
    shutil.copyfile(best_weights, os.path.join(folder, BEST))
    state = {
        "seed": seed,
        "learning_rate": learning_rate,
        "history": list(history),
        "variables": [[variable.path, list(variable.shape)] for variable in variables],
        "callbacks": {type(callback).__name__: _state_of(callback) for callback in callbacks},
    }
    storage.write_text(os.path.join(folder, _STATE), json.dumps(state))
    sizes = {
        name: os.path.getsize(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
    }
    storage.write_text(os.path.join(folder, MARKER), json.dumps(sizes))


def store(local: str, folder: str, epoch: int) -> None:
    """Copy a checkpoint to where those of its training are kept, and delete the older ones.

    Args:
        local: folder that `save` has written.
        folder: of the training's checkpoints, local or by URL.
        epoch: finished, from 1.
    """
    target = storage.join(folder, f"checkpoint_{epoch:06d}")
    # What a kill has left of a copy of the same epoch is none of the older ones.
    storage.delete(target)
    older = storage.list_folders(folder)
    # The marker comes last: a copy cut short is not complete.
    for name in sorted(os.listdir(local), key=lambda name: name == MARKER):
        with open(os.path.join(local, name), "rb") as stream:
            storage.write_bytes(storage.join(target, name), stream.read())
    for path in older:
        storage.delete(path)


def is_complete(folder: str) -> bool:
    """Whether every file of a checkpoint is there at its full size."""
    try:
        sizes = json.loads(storage.read_text(storage.join(folder, MARKER)))
        return all(storage.size(storage.join(folder, name)) == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def newest_complete(folder: str) -> str | None:
    """The newest complete checkpoint below a folder, None where there is none.

    Names sort by time. Ray's own record of checkpoints is not asked: it is written in place, and
    cut short it would take the good checkpoints with it.
    """
    found = (path for path in reversed(storage.list_folders(folder)) if is_complete(path))
    return next(found, None)


def fetch(checkpoint: str, folder: str) -> str:
    """A local copy of a checkpoint in a folder; what is local already stays where it is."""
    if not storage.is_url(checkpoint):
        return storage.local(checkpoint)
    for path in storage.list_files(checkpoint):
        target = os.path.join(folder, path.rsplit("/", 1)[-1])
        storage.write_bytes(target, storage.read_bytes(path))
    return folder


def load_variables(folder: str, variables: Sequence[keras.Variable]) -> None:
    """Assign the stored values.

    Raises:
        WorkError: the checkpoint is of another network.
    """
    state = json.loads(storage.read_text(os.path.join(folder, _STATE)))
    shapes = [list(variable.shape) for variable in variables]
    if [shape for _, shape in state["variables"]] != shapes:
        raise WorkError(
            f"the checkpoint {folder} is of another architecture or size: train into another folder"
        )
    with np.load(os.path.join(folder, _LAST), allow_pickle=False) as arrays:
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"{i:05d}"])


def load_callbacks(folder: str, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Put the callbacks back where they were, once their training has begun."""
    state = json.loads(storage.read_text(os.path.join(folder, _STATE)))
    for callback in callbacks:
        for name, value in state["callbacks"].get(type(callback).__name__, {}).items():
            setattr(callback, name, value)


def read_history(folder: str) -> list[dict[str, Any]]:
    """The epochs that led to a checkpoint."""
    state = json.loads(storage.read_text(storage.join(folder, _STATE)))
    history: list[dict[str, Any]] = state["history"]
    return history


def read_learning_rate(folder: str) -> float | None:
    """The rate that a training of the group that wrote a checkpoint begins with; None in one from
    before it was kept."""
    state = json.loads(storage.read_text(storage.join(folder, _STATE)))
    return state.get("learning_rate")


def _state_of(callback: keras.callbacks.Callback) -> dict[str, float | int]:
    found = {name: getattr(callback, name, None) for name in _CALLBACK_STATE}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> float | int:
    return value if isinstance(value, int) else float(value)
