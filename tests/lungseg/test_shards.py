from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lungseg import shards
from lungseg.errors import UserError
from lungseg.preprocess import preprocess_phantom


def test_shards_of_another_contrast_are_refused() -> None:
    info = {"settings": {"clahe": 2.0}}
    shards.check_clahe(info, 2.0)
    with pytest.raises(UserError, match=r"data.clahe 2, the network takes 0.*data.clahe=2"):
        shards.check_clahe(info, 0.0)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no split 'tset': take one of train, val, test or all"):
        shards.read_table(str(tmp_path), "tset")
    with pytest.raises(UserError, match="have no val cases"):
        shards.read_table(str(tmp_path), "val")


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, count: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    squares = random.integers(0, 256, (2, count, size, size), np.uint8)
    facts = preprocess_phantom(0, seed=0, drawn_size=64, size=16)
    rows = [
        facts | {"case_id": f"é{i}", "image": squares[0, i], "mask": squares[1, i]}
        for i in range(count)
    ]
    table = shards.to_table(rows)
    shards.write_table(str(tmp_path / "shard.parquet"), table)
    shards.stage_table(str(tmp_path / "staged.arrow"), table)
    staged = shards.read_staged(str(tmp_path / "staged.arrow"))
    for back in (shards.read_file(str(tmp_path / "shard.parquet")), shards.as_tensors(staged)):
        assert back.column("case_id").to_pylist() == [row["case_id"] for row in rows]
        assert back.column("reference_rle").to_pylist() == [facts["reference_rle"]] * count
        for name, expected in zip(shards.TENSORS, squares, strict=True):
            tensors = back.column(name).combine_chunks().to_numpy_ndarray()
            assert tensors.dtype == np.uint8
            np.testing.assert_array_equal(tensors, expected[..., None])


def test_a_part_of_a_table_has_its_own_tensors() -> None:
    rows = [preprocess_phantom(i, seed=0, drawn_size=64, size=16) for i in range(4)]
    part = shards.as_tensors(shards.to_table(rows).slice(1, 2)).column("image").combine_chunks()
    expected = np.stack([row["image"] for row in rows[1:3]])
    np.testing.assert_array_equal(part.to_numpy_ndarray()[..., 0], expected)
