"""A training by itself: it repeats itself, and keeps its memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs import films
from jobs.command import _status
from lungseg.training.history import COLUMNS, Row, read_history

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

MEASURED = {"seconds", "images_per_second", "memory_mb"}


def history(model: Path) -> list[Row]:
    return read_history(str(model / "history.csv"))


def test_memory_does_not_grow_over_epochs(twenty_epochs: Path) -> None:
    memory = [row["memory_mb"] for row in history(twenty_epochs)]
    assert len(memory) == 20
    assert memory[19] < 1.03 * memory[1], memory


def test_the_same_seed_gives_the_same_history_also_with_films_read_in_every_epoch(
    twenty_epochs: Path,
    repeatable: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(films, "_KEPT_SHARE", 0.0)
    command = [*repeatable, "--out", str(tmp_path / "model"), "--epochs", "4"]
    with monkeypatch.context() as patch:
        patch.setattr(films, "machines", lambda: [{"CPU": 1.0, "object_store_memory": 2.0**30}])
        capsys.readouterr()
        assert _status(command) == 2
        assert "takes a machine of 2 CPUs" in capsys.readouterr().err
    assert _status(command) == 0
    again = history(tmp_path / "model")
    assert len(again) == 4
    for one, other in zip(again, history(twenty_epochs), strict=False):
        for name in set(COLUMNS) - MEASURED:
            assert one[name] == other[name], (one["epoch"], name)


def test_a_model_of_another_post_processing_is_refused(
    twenty_epochs: Path, repeatable: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*repeatable, "--out", str(twenty_epochs), "--epochs", "20"]
    command += ["--set", "train.stop_patience=20"]
    capsys.readouterr()
    assert _status([*command, "--set", "evaluate.min_area_fraction=0.02"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "holds a model of evaluate.min_area_fraction=0.005, not 0.02" in line
    assert _status(command) == 0
    assert "done before" in capsys.readouterr().out


def test_a_checkpoint_of_another_network_is_refused(
    twenty_epochs: Path, repeatable: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(twenty_epochs / "checkpoints", model / "checkpoints")
    capsys.readouterr()
    command = [*repeatable, "--out", str(model), "--epochs", "30"]
    assert _status([*command, "--set", "network.widths=[4,8]"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is of another architecture or size: train into another folder" in line
    assert read_history(str(twenty_epochs / "history.csv"))[-1]["epoch"] == 20
