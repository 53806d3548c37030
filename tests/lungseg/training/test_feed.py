from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungseg.training import feed


def batches_of(cases: int, size: int) -> list[feed.Batch]:
    """Films whose only pixel is the number of the case."""
    films = np.arange(1, cases + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return [
        {"image": films[i : i + size], "mask": films[i : i + size]} for i in range(0, cases, size)
    ]


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_every_case_is_seen_once_and_ranks_get_equally_many_batches(
    cases: int, workers: int, batch_size: int, chunk: int
) -> None:
    seen: list[int] = []
    counts = set()
    for rank in range(workers):
        mine = list(
            feed.share(
                batches_of(cases, chunk),
                rank=rank,
                workers=workers,
                batch_size=batch_size,
                cases=cases,
            )
        )
        counts.add(len(mine))
        for batch in mine:
            assert len(batch["image"]) == batch_size
            seen += batch["image"][batch["weight"] > 0].ravel().tolist()
    assert sorted(seen) == list(range(1, cases + 1))
    assert len(counts) == 1


def test_missing_cases_are_noticed() -> None:
    with pytest.raises(RuntimeError, match="4 validation cases came, 5 were announced"):
        list(feed.share(batches_of(4, 2), rank=0, workers=1, batch_size=2, cases=5))


def test_small_data_sets_shrink_the_batch() -> None:
    assert feed.batch_size(8, 101, 3, 1) == 8
    assert feed.batch_size(8, 5, 2, 1) == 2
    assert feed.batch_size(8, 101, 3, 3) == 6
    assert feed.batch_size(1, 101, 3, 2) == 2
    assert feed.steps_per_epoch(101, 3, 8) == 4


def test_order_differs_by_epoch_and_rank_only() -> None:
    seeds = {feed.shuffle_seed(0, epoch, rank) for epoch in range(10) for rank in range(3)}
    assert len(seeds) == 30
    assert feed.shuffle_seed(0, 3, 1) == feed.shuffle_seed(0, 3, 1)
