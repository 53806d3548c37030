"""What a worker is fed: equal batches in training, each validation case exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lungseg.training.films import Films

Batch = dict[str, np.ndarray]
"""`image` and `mask`, uint8 (B, S, S, 1), masks of 0 and 1; `weight` float32 (B,) in validation."""


@dataclass(frozen=True)
class Feed:
    """Where batches come from; made by the job, which knows the cluster."""

    train: Callable[[int, int], Iterable[Batch]]
    """This worker's batches of an epoch (from 0), each of the batch size given."""
    val: Callable[[], Iterable[Batch]]
    """All validation cases in one order on every worker, in batches of any size."""
    train_cases: int
    """Training cases of all workers together."""
    val_cases: int


def kept(train: Films, val: Films, *, rank: int, workers: int, seed: int, val_batch: int) -> Feed:
    """Batches of films in memory: in each epoch the workers share out all of them anew.

    Args:
        train: the same on every worker.
        val: the same.
        rank: of this worker.
        workers: in the group.
        seed: of the training.
        val_batch: size of the batches to validate with.
    """

    def of_epoch(epoch: int, size: int) -> Iterator[Batch]:
        random = np.random.default_rng(shuffle_seed(seed, epoch, 0))
        return _batches(train, random.permutation(len(train[0]))[rank::workers], size)

    def of_validation() -> Iterator[Batch]:
        return _batches(val, np.arange(len(val[0])), val_batch)

    return Feed(of_epoch, of_validation, len(train[0]), len(val[0]))


def _batches(films: Films, order: np.ndarray, size: int) -> Iterator[Batch]:
    images, masks = films
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        yield {
            "image": np.stack([images[number] for number in chosen]),
            "mask": np.stack([masks[number] for number in chosen]),
        }


def batch_size(wanted: int, cases: int, workers: int, devices: int) -> int:
    """Cases a worker and step: as wanted, or what a very small data set has; always a multiple of
    the worker's devices."""
    each = max(1, min(wanted, cases // workers) // devices)
    return each * devices


def shuffle_seed(seed: int, epoch: int, rank: int) -> int:
    """Seed of the order of one worker's cases in one epoch."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0])


def steps_per_epoch(cases: int, workers: int, batch_size: int) -> int:
    """Steps that every worker can do: the remainder is dropped, since a missing batch on one
    worker would leave the others waiting in a collective."""
    return (cases // workers) // batch_size


def share(
    batches: Iterable[Batch], *, rank: int, workers: int, batch_size: int, cases: int
) -> Iterator[Batch]:
    """This rank's share of the validation cases, every rank getting equally many batches.

    Case number i goes to rank i mod workers; what is missing in a last batch is filled with
    copies of weight 0.

    Args:
        batches: all cases, in the same order on every rank.
        rank: of this worker.
        workers: in the group.
        batch_size: of the batches returned.
        cases: number of all cases.
    """
    wanted = -(-cases // workers)
    mine: list[tuple[np.ndarray, np.ndarray]] = []
    seen = given = 0
    for batch in batches:
        for image, mask in zip(batch["image"], batch["mask"], strict=True):
            if seen % workers == rank:
                mine.append((image, mask))
            filler = (image, mask)
            seen += 1
        while len(mine) >= batch_size:
            yield _weighted(mine[:batch_size], batch_size, filler)
            given += batch_size
            mine = mine[batch_size:]
    if seen != cases:
        raise RuntimeError(f"{seen} validation cases came, {cases} were announced")
    if given < wanted:
        yield _weighted(mine, batch_size, filler)


def _weighted(
    pairs: list[tuple[np.ndarray, np.ndarray]], size: int, filler: tuple[np.ndarray, np.ndarray]
) -> Batch:
    weight = np.zeros(size, np.float32)
    weight[: len(pairs)] = 1.0
    full = pairs + [filler] * (size - len(pairs))
    images, masks = zip(*full, strict=True)
    return {"image": np.stack(images), "mask": np.stack(masks), "weight": weight}
