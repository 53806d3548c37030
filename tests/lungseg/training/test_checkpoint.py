"""Checkpoints: what comes back, and what is not taken for one."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from lungseg import storage
from lungseg.errors import WorkError
from lungseg.resolve import resolve
from lungseg.training import checkpoint
from lungseg.training.callbacks import make_callbacks
from lungseg.training.epochs import _resume


def network() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3)(inputs))


def saved(folder: Path, model: Any) -> str:
    best = folder / "best.weights.h5"
    best.write_bytes(b"weights")
    target = folder / "checkpoint"
    target.mkdir()
    callbacks = make_callbacks(resolve(), str(best), 1e-3)
    callbacks[0].best, callbacks[1].wait, callbacks[2].wait = np.float32(0.5), 2, 4
    checkpoint.save(
        str(target),
        variables=model.variables,
        callbacks=callbacks,
        history=[{"epoch": 1, "val_dice": 0.5}],
        best_weights=str(best),
        learning_rate=1e-3,
        seed=3,
    )
    return str(target)


def test_variables_callbacks_and_history_come_back(tmp_path: Path) -> None:
    model, other = network(), network()
    folder = saved(tmp_path, model)
    assert checkpoint.is_complete(folder)
    checkpoint.load_variables(folder, other.variables)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    callbacks = make_callbacks(resolve(), "unused.weights.h5", 1e-3)
    for callback in callbacks:
        callback.set_model(model)
    checkpoint.load_callbacks(folder, callbacks)
    assert (callbacks[0].best, callbacks[1].wait, callbacks[2].wait) == (0.5, 2, 4)
    assert checkpoint.read_history(folder) == [{"epoch": 1, "val_dice": 0.5}]


@pytest.mark.parametrize("name", ["last.npz", "state.json", "best.weights.h5", "complete.json"])
def test_a_folder_cut_short_is_not_complete(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path, network())
    file = Path(folder) / name
    file.write_bytes(file.read_bytes()[:-2])
    assert not checkpoint.is_complete(folder)
    file.unlink()
    assert not checkpoint.is_complete(folder)


def test_the_newest_complete_checkpoint_is_taken(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"run{number}").mkdir()
        folder = saved(tmp_path / f"run{number}", network())
        (tmp_path / "all").mkdir(exist_ok=True)
        shutil.move(folder, tmp_path / "all" / f"checkpoint_2026-11-0{number}")
    newest = tmp_path / "all" / "checkpoint_2026-11-03" / "last.npz"
    newest.write_bytes(newest.read_bytes()[:100])
    found = checkpoint.newest_complete(str(tmp_path / "all"))
    assert found == str(tmp_path / "all" / "checkpoint_2026-11-02")
    assert checkpoint.newest_complete(str(tmp_path / "none")) is None


def test_a_copy_cut_short_is_replaced_by_that_of_the_same_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    for number in (1, 2):
        (tmp_path / f"run{number}").mkdir()
        local = saved(tmp_path / f"run{number}", network())
        checkpoint.store(local, str(folder), epoch=number)
    assert [path.name for path in folder.iterdir()] == ["checkpoint_000002"]
    # Killed while the third was copied, it went on from the second.
    (folder / "checkpoint_000003").mkdir()
    (folder / "checkpoint_000003" / "last.npz").write_bytes(b"half")
    checkpoint.store(local, str(folder), epoch=3)
    assert [path.name for path in folder.iterdir()] == ["checkpoint_000003"]
    assert checkpoint.newest_complete(str(folder)) == str(folder / "checkpoint_000003")


def test_a_group_that_begins_with_another_rate_goes_on_in_proportion(tmp_path: Path) -> None:
    model, guard = network(), SimpleNamespace(variables=[])
    model.optimizer = keras.optimizers.Adam(5e-4)
    model.optimizer.build(model.trainable_variables)
    both = SimpleNamespace(variables=[*model.variables, *model.optimizer.variables])
    folder = saved(tmp_path, both)
    assert checkpoint.read_learning_rate(folder) == 1e-3
    # As by the setting, and √2 of it.
    for rate, expected in ((1e-3, 5e-4), (1.414e-3, 7.07e-4)):
        loop = SimpleNamespace(model=model, guard=guard, learning_rate=rate)
        _resume(loop, [], str(tmp_path / "best"), folder)
        assert float(model.optimizer.learning_rate) == pytest.approx(expected)


def test_a_remote_checkpoint_is_fetched(tmp_path: Path) -> None:
    remote = "memory://checkpoint-to-fetch"
    for path in Path(saved(tmp_path, network())).iterdir():
        storage.write_bytes(storage.join(remote, path.name), path.read_bytes())
    (tmp_path / "here").mkdir()
    folder = checkpoint.fetch(remote, str(tmp_path / "here"))
    assert checkpoint.is_complete(folder)
    assert checkpoint.read_history(folder) == [{"epoch": 1, "val_dice": 0.5}]


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path, network())
    inputs = keras.Input((5,))
    with pytest.raises(WorkError, match="another architecture or size"):
        checkpoint.load_variables(
            folder, keras.Model(inputs, keras.layers.Dense(3)(inputs)).variables
        )
