"""What each worker of a training runs: Ray's side of `lungseg.training.fit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jobs.films import Kept
from jobs.starts import note_start
from lungseg import machine, storage
from lungseg.errors import WorkError
from lungseg.settings import Settings
from lungseg.training.history import Row, write_history

if TYPE_CHECKING:
    from lungseg.training.feed import Feed
    from lungseg.training.fit import Trained

CHECKPOINTS = "checkpoints"
"""Folder of Ray's checkpoints in that of the model."""
FAILURE = "failure.txt"
"""Why a training ended itself: a reason that a restart would not mend."""


@dataclass(frozen=True)
class Training:
    """One training of the grid: an architecture, a fold and a seed, and where its model goes."""

    architecture: str
    shards: str
    out: str
    seed: int = 0
    fold: int = 0
    search: str = ""
    """Folder of its architecture's search, one of whose trials may have been this very training."""

    @property
    def name(self) -> str:
        """Its name on the screen."""
        return f"{self.architecture} fold {self.fold} seed {self.seed}"


@dataclass(frozen=True)
class WorkerConfig:
    """What the driver tells every worker."""

    training: Training
    settings: Settings
    threads: int
    train_cases: int
    val_cases: int
    data_fingerprint: str
    mask_conventions: list[str]
    begin_from: str = ""
    """Checkpoint of a search's trial, for a training that has none of its own yet."""


Keep = Callable[[Row, str], None]
"""Takes note of a finished epoch: its row of the history, and the folder with its checkpoint."""


def work(config: WorkerConfig, kept: Mapping[str, Kept] | None) -> None:
    """Train with the other workers of Ray Train; rank 0 writes history and model.

    Args:
        config: of the training.
        kept: its films; None where Ray Train deals them out.
    """
    # Threads are bound before anything else touches TensorFlow.
    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(config.threads)
    import ray.train

    from jobs.metrics import TrainingMetrics
    from lungseg.figures.augmentation import write_augmented_samples
    from lungseg.training import finish

    training, settings = config.training, config.settings
    rank = ray.train.get_context().get_world_rank()
    workers = ray.train.get_context().get_world_size()
    if rank == 0:
        note_start(training.out, workers)
    started = time.perf_counter()

    metrics = TrainingMetrics(training.architecture, training.fold, training.seed)

    def keep(row: Row, folder: str) -> None:
        ray.train.report(row, checkpoint=ray.train.Checkpoint(folder) if rank == 0 else None)

    def show_augmentation() -> None:
        samples = storage.join(training.out, "augmentation.png")
        if settings.train.augment and not storage.exists(samples):
            write_augmented_samples(samples, training.shards, settings.augmentation, training.seed)

    def then(row: Row) -> None:
        if rank == 0:
            metrics.show(row)
            if row["epoch"] == 1:
                show_augmentation()

    cases = kept or {part: ray.train.get_dataset_shard(part) for part in ("train", "val")}
    try:
        trained = fit_and_record(config, rank, feed(config, rank, workers, cases), keep, then)
    except WorkError as error:
        # Raised on all ranks alike. Told in a file: Ray would start an error over again.
        if rank == 0:
            text = f"{training.name}: {error}"
            storage.write_text(storage.join(training.out, FAILURE), text)
        return
    if rank == 0:
        show_augmentation()
        facts = {
            "seed": training.seed,
            "fold": training.fold,
            "workers": workers,
            "workers_asked": settings.compute.workers,
            "made_with": machine.made_with(),
            "wall_seconds": time.perf_counter() - started,
            "data_fingerprint": config.data_fingerprint,
            "mask_conventions": config.mask_conventions,
        }
        finish.write_model(
            training.out, trained, settings, architecture=training.architecture, facts=facts
        )


def fit_and_record(
    config: WorkerConfig, rank: int, source: Feed, keep: Keep, then: Callable[[Row], None]
) -> Trained:
    """Train, or go on from the newest complete checkpoint; rank 0 keeps the history.

    Args:
        config: of the training.
        rank: of this worker.
        source: its batches.
        keep: called by every worker after each epoch, before the history tells of it.
        then: the same, after.

    Raises:
        WorkError: the loss is no longer finite, or the checkpoint is of another network.
    """
    from lungseg.training import checkpoint, trackers
    from lungseg.training.fit import fit
    from lungseg.training.scratch import scratch

    training, settings = config.training, config.settings
    history = storage.join(training.out, "history.csv")
    with scratch() as folder:
        own = checkpoint.newest_complete(storage.join(training.out, CHECKPOINTS))
        found = own or config.begin_from
        resume_from = checkpoint.fetch(found, folder) if found else None
        rows = checkpoint.read_history(resume_from) if resume_from else []
        if rank == 0 and rows:
            write_history(history, rows)
        with trackers.track(
            training.out, training.name, settings, len(rows) if own else 0, active=rank == 0
        ) as track:
            for row in [] if own else rows:
                track(row)

            def report(row: Row, checkpoint_folder: str) -> None:
                rows.append(row)
                keep(row, checkpoint_folder)
                if rank == 0:
                    write_history(history, rows)
                    track(row)
                then(row)

            return fit(
                settings,
                training.architecture,
                seed=training.seed,
                source=source,
                report=report,
                resume_from=resume_from,
            )


def feed(config: WorkerConfig, rank: int, workers: int, cases: Mapping[str, Any]) -> Feed:
    """A worker's batches.

    Args:
        config: of the training.
        rank: of this worker.
        workers: in the group.
        cases: "train" and "val": all of them as `Kept`, or Ray data sets of this worker's part of
            "train" and of all of "val".
    """
    from lungseg.training import feed

    train, val = cases["train"], cases["val"]
    if isinstance(train, Kept):
        return feed.kept(
            train.fetch(),
            val.fetch(),
            rank=rank,
            workers=workers,
            seed=config.training.seed,
            val_batch=config.settings.train.batch_size,
        )
    return _streamed(config, rank, train, val)


def _streamed(config: WorkerConfig, rank: int, train: Any, val: Any) -> Feed:
    from lungseg.training.feed import Feed, shuffle_seed

    settings = config.settings.train

    def of_epoch(epoch: int, batch_size: int) -> Iterable[Any]:
        return train.iter_batches(
            batch_size=batch_size,
            drop_last=True,
            prefetch_batches=2,
            local_shuffle_buffer_size=settings.shuffle_buffer,
            local_shuffle_seed=shuffle_seed(config.training.seed, epoch, rank),
        )

    def of_validation() -> Iterable[Any]:
        return val.iter_batches(batch_size=settings.batch_size, prefetch_batches=2)

    return Feed(of_epoch, of_validation, config.train_cases, config.val_cases)


def config_to_dict(config: WorkerConfig) -> dict[str, Any]:
    """`train_loop_config` for Ray, which takes a plain dictionary."""
    return asdict(config) | {"settings": config.settings.model_dump(mode="json")}


def config_from_dict(plain: dict[str, Any]) -> WorkerConfig:
    """What `config_to_dict` was given."""
    training, settings = Training(**plain["training"]), Settings.model_validate(plain["settings"])
    return WorkerConfig(**plain | {"training": training, "settings": settings})


def work_from_dict(plain: dict[str, Any]) -> None:
    """The train loop that Ray calls with `config_to_dict`'s dictionary and the films `kept`."""
    config = config_from_dict({name: plain[name] for name in plain if name != "kept"})
    work(config, plain["kept"])
