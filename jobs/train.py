"""`lungseg train`: one network on Ray Train's workers, fed from the shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jobs import films
from jobs.failures import explain
from jobs.fitting import INFO, PLAN, check, finished, plan_of
from jobs.follow import Follow
from jobs.placement import Placement, place
from jobs.screen import say
from jobs.session import silence
from jobs.side_by_side import side_by_side
from jobs.train_worker import (
    CHECKPOINTS,
    FAILURE,
    Training,
    WorkerConfig,
    config_to_dict,
    work_from_dict,
)
from lungseg import storage
from lungseg.errors import UserError, WorkError
from lungseg.folds import fold_counts
from lungseg.search import trials
from lungseg.settings import Settings
from lungseg.training import checkpoint


def train(
    training: Training, settings: Settings, placement: Placement | None = None
) -> dict[str, Any]:
    """Train a network, or go on with a training that was cut short, or do nothing if it is done.

    Args:
        training: which one, and where it goes.
        settings: of the run.
        placement: its share of the cluster; all of it by default.

    Returns:
        The content of the model's `segmenter.json`.

    Raises:
        UserError: the shards do not fit, the cluster is too small, or `out` holds another training.
        WorkError: the training failed; its checkpoints stay.
    """
    info = check(training.shards, settings, training.fold)
    done = finished(training, settings, info)
    plan = plan_of(training, settings, info["fingerprint"])
    if done:
        _write_card(training, done, plan, info)
        say(f"         {training.name}: done before, val Dice {done['scores']['val_dice']:.4f}")
        return done
    storage.write_text(storage.join(training.out, PLAN), json.dumps(plan, indent=2))
    own = checkpoint.newest_complete(storage.join(training.out, CHECKPOINTS))
    begin_from = (not own and _in_search(training, plan)) or ""
    if begin_from:
        say(f"         {training.name}: the search's best trial was this training")
    found = own or begin_from
    done_epochs = len(checkpoint.read_history(found)) if found else 0
    placement = placement or place(settings.compute)
    with Follow(training.out, settings.train.epochs, training.name, done_epochs, placement.wanted):
        work = partial(
            run_trainer, settings=settings, info=info, placement=placement, begin_from=begin_from
        )
        side_by_side(work, [training], 1)
    model: dict[str, Any] = json.loads(storage.read_text(storage.join(training.out, INFO)))
    _write_card(training, model, plan, info)
    return model


def _in_search(training: Training, plan: dict[str, Any]) -> str | None:
    """Checkpoint of the trial of a search that was this very training, if it was the best one."""
    folder = trials.of_training(training.search, plan["fingerprint"]) if training.search else None
    return checkpoint.newest_complete(storage.join(folder, CHECKPOINTS)) if folder else None


def _write_card(
    training: Training, model: dict[str, Any], plan: dict[str, Any], info: dict[str, Any]
) -> None:
    """The model's card, unless it is there: a run adds the scores of the test to it."""
    if not storage.exists(storage.join(training.out, "card.json")):
        from lungseg.report.folder_card import write_card

        write_card(training.out, model, plan, info)


def run_trainer(
    training: Training,
    settings: Settings,
    info: dict[str, Any],
    placement: Placement,
    callbacks: Sequence[Any] = (),
    begin_from: str = "",
) -> None:
    """Run Ray Train's group of workers to the end of a training.

    Args:
        training: which one, and where it goes.
        settings: of the run.
        info: of its shards.
        placement: its share of the cluster.
        callbacks: Ray Train's, told of each epoch.
        begin_from: checkpoint for a training that has none of its own.

    Raises:
        UserError: there are fewer training cases than workers.
        WorkError: the training failed; its checkpoints stay.
    """
    with silence():
        from ray.exceptions import ActorDiedError
        from ray.train import CheckpointConfig, DataConfig, FailureConfig, RunConfig, ScalingConfig
        from ray.train.v2.api.exceptions import TrainingFailedError

        from jobs.tensorflow_group import TensorflowGroup
        from jobs.trainer import Trainer, fit

        ingest = DataConfig.default_ingest_options()
    ingest.preserve_order = True
    low, high = placement.workers
    config = replace(worker_config(training, settings, info, placement), begin_from=begin_from)
    cases = films.read(training, info)
    kept = isinstance(cases["train"], films.Kept)

    def make() -> Trainer:
        _mend(storage.join(training.out, CHECKPOINTS))
        return Trainer(
            work_from_dict,
            train_loop_config=config_to_dict(config) | {"kept": cases if kept else None},
            backend_config=TensorflowGroup(),
            scaling_config=ScalingConfig(
                num_workers=low if low == high else (low, high),
                use_gpu=placement.gpus > 0,
                resources_per_worker=placement.resources,
                elastic_resize_monitor_interval_s=settings.compute.resize_seconds,
            ),
            run_config=RunConfig(
                name=CHECKPOINTS,
                storage_path=storage.absolute(training.out),
                checkpoint_config=CheckpointConfig(num_to_keep=2),
                failure_config=FailureConfig(max_failures=settings.train.max_failures),
                callbacks=list(callbacks),
            ),
            datasets={} if kept else cases,
            dataset_config=DataConfig(datasets_to_split=["train"], execution_options=ingest),
        )

    failure = storage.join(training.out, FAILURE)
    storage.delete(failure)
    try:
        fit(make, settings.train.max_failures)
    except TrainingFailedError as error:
        raise WorkError(f"{training.name}: {explain(error, training.out)}") from error
    except ActorDiedError as error:
        raise WorkError(
            f"{training.name}: the process that leads its workers was lost after the "
            f"{settings.train.max_failures} restarts of train.max_failures: see that the command's "
            "machine has memory left; the same command goes on from there"
        ) from error
    if storage.exists(failure):
        raise WorkError(storage.read_text(failure))


def worker_config(
    training: Training, settings: Settings, info: dict[str, Any], placement: Placement
) -> WorkerConfig:
    """What the workers of a training are told.

    Raises:
        UserError: there are fewer training cases than workers.
    """
    cases = fold_counts(info, training.fold)
    if cases["train"] < placement.workers[1]:
        raise UserError(
            f"{cases['train']} training cases cannot feed {placement.workers[1]} workers: take "
            "fewer with --workers"
        )
    return WorkerConfig(
        training=training,
        settings=settings,
        threads=placement.threads,
        train_cases=cases["train"],
        val_cases=cases["val"],
        data_fingerprint=info["fingerprint"],
        mask_conventions=_conventions(info),
    )


def _conventions(info: dict[str, Any]) -> list[str]:
    """Of the masks to train and validate on; of all masks where older shards do not tell them."""
    of_all = {name for source in info["sources"].values() for name in source["mask_conventions"]}
    found: list[str] = info.get("trained_conventions") or sorted(of_all)
    return found


def _mend(folder: str) -> None:
    """Tell what was cut short, and set Ray's record of checkpoints aside where it was.

    The newest complete one is gone on from; no record is needed to find it.
    """
    found = checkpoint.newest_complete(folder)
    short = [path for path in storage.list_folders(folder)[-1:] if path != found]
    record = storage.join(folder, "checkpoint_manager_snapshot.json")
    if storage.exists(record):
        try:
            json.loads(storage.read_text(record))
        except ValueError:
            short.append(record)
            storage.delete(record)
    if short:
        going_on = "going on from the newest complete checkpoint" if found else "starting over"
        say(f"         {' and '.join(short)} cut short: {going_on}")


if __name__ == "__main__":
    from jobs.command import main

    main("train")
