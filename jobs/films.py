"""The films of a training: kept in Ray's object store where they fit, else read in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.session import machines
from lungseg import shards
from lungseg.errors import UserError
from lungseg.folds import fold_counts, fold_part
from lungseg.training.films import Films, of_tables, read_films

if TYPE_CHECKING:
    from jobs.train_worker import Training

_KEPT_SHARE = 0.3
"""Training films stay in Ray's object store where they take at most this part of a machine's."""


@dataclass(frozen=True)
class Kept:
    """Films in Ray's object store."""

    tables: list[Any]
    """References to what `read_films` gives of each shard, in the order of the shards."""

    def fetch(self) -> Films:
        """The films, in memory that is shared by all processes of a machine."""
        import ray

        return of_tables(ray.get(self.tables))


def read(training: Training, info: dict[str, Any]) -> dict[str, Any]:
    """What a training's fold trains ("train") and validates ("val") on.

    Returns:
        `Kept` for both, or a Ray data set where they are too many to keep.

    Raises:
        UserError: films must be read beside the training, and no machine has a CPU for it.
    """
    cases = fold_counts(info, training.fold)
    size = sum(cases.values()) * len(shards.TENSORS) * info["size"] ** 2
    there = [machine for machine in machines() if machine.get("CPU", 0.0) > 0]
    store = min(machine["object_store_memory"] for machine in there)
    kept = size <= _KEPT_SHARE * store
    if not kept and max(machine["CPU"] for machine in there) < 2:
        raise UserError(
            f"{size / 2**20:,.0f} MiB of films do not stay in Ray's object store, and to read them "
            "beside the training takes a machine of 2 CPUs; here all have fewer: take a larger "
            "one, or a larger store (--set compute.object_store_mb)"
        )
    found: dict[str, Any] = {}
    for part in cases:
        split, folds = fold_part(info, part, training.fold)
        files = shards.files(training.shards, split)
        wanted = folds if info["folds"] > 1 else ()
        found[part] = _keep(files, wanted, len(there)) if kept else _stream(files, wanted)
    return found


def _keep(files: Sequence[str], folds: Sequence[int], processes: int) -> Kept:
    """Read the films by a process on each machine, which takes no CPU of Ray's: the trainings that
    run already may hold them all.

    Raises:
        UserError: a file is damaged.
    """
    import ray
    from ray.exceptions import RayTaskError

    tables: list[Any] = [None] * len(files)
    processes = min(processes, len(files))
    done = []
    for first in range(processes):
        part = files[first::processes]
        task = ray.remote(_read).options(
            num_cpus=0, num_returns=len(part) + 1, scheduling_strategy="SPREAD"
        )
        *tables[first::processes], read = task.remote(part, folds)
        done.append(read)
    try:
        ray.get(done)
    except RayTaskError as error:
        raise error.cause from error
    return Kept(tables)


def _read(files: Sequence[str], folds: Sequence[int]) -> list[Any]:
    return [*(read_films(path, folds) for path in files), True]


def _stream(files: Sequence[str], folds: Sequence[int]) -> Any:
    import ray.data
    from ray.data.expressions import col

    data = ray.data.read_parquet(list(files))
    if folds:
        data = data.filter(expr=col("fold").is_in(list(folds)))
    data = data.select_columns([*shards.TENSORS]).map_batches(
        shards.as_tensors, batch_size=None, batch_format="pyarrow", zero_copy_batch=True
    )
    # Files are read side by side: without it, cases come in another order each time.
    data.context.execution_options.preserve_order = True
    return data
