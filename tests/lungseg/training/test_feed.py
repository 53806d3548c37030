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


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 9), st.integers(0, 3))
def test_workers_share_out_all_films_in_memory_anew_in_each_epoch(
    cases: int, workers: int, wanted: int, epoch: int
) -> None:
    workers = min(workers, cases)
    films = [np.full((1, 1, 1), number, np.uint8) for number in range(cases)]
    size = feed.batch_size(wanted, cases, workers, 1)
    seen: list[int] = []
    for rank in range(workers):
        source = feed.kept(
            (films, films), (films, films), rank=rank, workers=workers, seed=0, val_batch=wanted
        )
        batches = list(source.train(epoch, size))
        assert len(batches) >= feed.steps_per_epoch(cases, workers, size)
        assert all(len(batch["image"]) == size for batch in batches[:-1])
        for batch in batches:
            assert (batch["image"] == batch["mask"]).all()
            seen += batch["image"].ravel().tolist()
        val = np.concatenate([batch["image"] for batch in source.val()])
        assert val.ravel().tolist() == list(range(cases))
        assert (source.train_cases, source.val_cases) == (cases, cases)
    assert sorted(seen) == list(range(cases))


def test_films_in_memory_come_in_another_order_in_each_epoch() -> None:
    films = [np.full((1, 1, 1), number, np.uint8) for number in range(50)]
    source = feed.kept((films, films), (films, films), rank=1, workers=2, seed=0, val_batch=8)

    def order(epoch: int) -> list[int]:
        return [int(film) for batch in source.train(epoch, 5) for film in batch["image"].ravel()]

    assert order(0) == order(0)
    assert set(order(0)) != set(order(1))
