from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungseg import shards
from lungseg.errors import UserError
from lungseg.preprocess import preprocess_phantom
from lungseg.training.films import of_tables, read_films


def test_films_of_some_folds_are_read_in_their_order(tmp_path: Path) -> None:
    rows = [preprocess_phantom(i, seed=0, drawn_size=64, size=16) for i in range(5)]
    table = shards.placed(shards.to_table(rows), "train", np.array([0, 1, 2, 1, 0]))
    path = str(tmp_path / "shard.parquet")
    shards.write_table(path, table)
    for folds, wanted in ((), range(5)), ((0, 1), (0, 1, 3, 4)), ((2,), (2,)), ((3,), ()):
        films = of_tables([read_films(path, folds)])
        for name, found in zip(shards.TENSORS, films, strict=True):
            assert len(found) == len(wanted)
            for film, number in zip(found, wanted, strict=True):
                assert film.shape == (16, 16, 1)
                np.testing.assert_array_equal(film[..., 0], rows[number][name])


def test_a_shard_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    shards.write_table(
        str(path), shards.to_table([preprocess_phantom(0, seed=0, drawn_size=64, size=16)])
    )
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"shard.parquet is damaged \(.*lungseg shard"):
        read_films(str(path))
