"""Films that stay in Ray's object store for a training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from jobs import films
from jobs.command import _status
from jobs.train_worker import Training
from lungseg import shards
from lungseg.training.films import of_tables, read_films

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.mark.parametrize("processes", [1, 2, 9])
def test_films_are_those_of_the_shards_in_order(tiny_shards: str, processes: int) -> None:
    files = shards.files(tiny_shards, "train")
    assert len(files) == 8
    found = films._keep(files, (), processes).fetch()
    expected = of_tables([read_films(file) for file in files])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.stack(one), np.stack(other))


def test_a_training_keeps_what_fits(tiny_shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training, info = Training("unet", tiny_shards, "nowhere"), shards.read_info(tiny_shards)
    kept = films.read(training, info)
    assert [len(kept[part].fetch()[0]) for part in ("train", "val")] == [42, 9]
    monkeypatch.setattr(films, "_KEPT_SHARE", 0.0)
    streamed = films.read(training, info)
    assert [streamed[part].count() for part in ("train", "val")] == [42, 9]


def test_a_shard_cut_short_is_told_in_one_line(
    repeatable: list[str], tiny_shards: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "shards"
    shutil.copytree(tiny_shards, broken)
    file = sorted((broken / "train").glob("*.parquet"))[1]
    file.write_bytes(file.read_bytes()[:-100])
    command = [str(broken) if word == tiny_shards else word for word in repeatable]
    assert _status([*command, "--out", str(tmp_path / "model"), "--epochs", "1"]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert file.name in error
    assert "lungseg shard" in error
