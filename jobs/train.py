"""`lungseg train`: one network on Ray Train's workers, fed by Ray Data from the shards."""

from __future__ import annotations

import json
import math
from typing import Any

from jobs.follow import Follow
from jobs.screen import say
from jobs.session import resources, silence
from jobs.train_worker import CHECKPOINTS, Training, WorkerConfig, config_to_dict, work_from_dict
from lungseg import shards, storage
from lungseg.errors import UserError, WorkError
from lungseg.settings import Settings
from lungseg.training import checkpoint
from lungseg.training.plan import difference, make_plan

_PLAN = "plan.json"
_INFO = "segmenter.json"
_CACHED_SHARE = 0.3
"""Training films stay in Ray's object store where they take at most this part of it."""


def train(training: Training, settings: Settings) -> dict[str, Any]:
    """Train a network, or go on with a training that was cut short, or do nothing if it is done.

    Returns:
        The content of the model's `segmenter.json`.

    Raises:
        UserError: the shards do not fit, the cluster is too small, or `out` holds another training.
        WorkError: the training failed; its checkpoints stay.
    """
    info = shards.read_info(training.shards)
    if info["size"] != settings.data.size:
        raise UserError(
            f"the shards in {training.shards} are of {info['size']} px, the network is of "
            f"{settings.data.size} px: give --set data.size={info['size']}, or write other shards"
        )
    done = finished(training, settings, info)
    if done:
        say(f"         {training.name}: done before, val Dice {done['scores']['val_dice']:.4f}")
        return done
    plan = _plan(training, settings, info)
    storage.write_text(storage.join(training.out, _PLAN), json.dumps(plan, indent=2))
    _run(training, settings, info)
    model: dict[str, Any] = json.loads(storage.read_text(storage.join(training.out, _INFO)))
    return model


def finished(training: Training, settings: Settings, info: dict[str, Any]) -> dict[str, Any] | None:
    """`segmenter.json` of this very training if it is done.

    Raises:
        UserError: the folder holds a training with other settings or data.
    """
    path = storage.join(training.out, _PLAN)
    if not storage.exists(path):
        return None
    before, now = json.loads(storage.read_text(path)), _plan(training, settings, info)
    if before["fingerprint"] != now["fingerprint"]:
        raise UserError(
            f"{training.out} holds a training of another configuration "
            f"({difference(before, now)}): choose another folder, or delete it"
        )
    model = storage.join(training.out, _INFO)
    return json.loads(storage.read_text(model)) if storage.exists(model) else None


def _plan(training: Training, settings: Settings, info: dict[str, Any]) -> dict[str, Any]:
    return make_plan(
        settings,
        training.architecture,
        seed=training.seed,
        fold=training.fold,
        data_fingerprint=info["fingerprint"],
    )


def _run(training: Training, settings: Settings, info: dict[str, Any]) -> None:
    with silence():
        from ray.train import CheckpointConfig, DataConfig, FailureConfig, RunConfig, ScalingConfig
        from ray.train.tensorflow import TensorflowTrainer
        from ray.train.v2.api.exceptions import TrainingFailedError

        ingest = DataConfig.default_ingest_options()
    ingest.preserve_order = True
    workers, cases = settings.compute.workers, info["counts"]
    cpus, gpus = _share_out(settings)
    if cases["train"] < workers:
        raise UserError(
            f"{cases['train']} training cases cannot feed {workers} workers: take fewer with "
            "--workers"
        )
    config = WorkerConfig(
        training=training,
        settings=settings,
        threads=max(1, math.floor(cpus)),
        train_cases=cases["train"],
        val_cases=cases["val"],
        data_fingerprint=info["fingerprint"],
        mask_conventions=sorted(
            {name for source in info["sources"].values() for name in source["mask_conventions"]}
        ),
    )
    trainer = TensorflowTrainer(
        work_from_dict,
        train_loop_config=config_to_dict(config),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": _reserved(cpus)} | ({"GPU": gpus} if gpus else {}),
        ),
        run_config=RunConfig(
            name=CHECKPOINTS,
            storage_path=storage.absolute(training.out),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            failure_config=FailureConfig(max_failures=settings.train.max_failures),
        ),
        datasets={split: _read(training.shards, split, info) for split in ("train", "val")},
        dataset_config=DataConfig(datasets_to_split=["train"], execution_options=ingest),
    )
    _mend_record(storage.join(training.out, CHECKPOINTS))
    found = checkpoint.newest_complete(storage.join(training.out, CHECKPOINTS))
    done = len(checkpoint.read_history(found)) if found else 0
    with Follow(training.out, settings.train.epochs, training.name, done):
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise WorkError(f"{training.name}: {_root(error)}") from error


def _mend_record(folder: str) -> None:
    """Set Ray's record of checkpoints aside where it was cut short; ours are found without it."""
    path = storage.join(folder, "checkpoint_manager_snapshot.json")
    if not storage.exists(path):
        return
    try:
        json.loads(storage.read_text(path))
    except ValueError:
        say(f"         {path} was cut short: going on from the newest complete checkpoint")
        storage.delete(path)


def _read(path: str, split: str, info: dict[str, Any]) -> Any:
    import ray.data

    data = ray.data.read_parquet(shards.files(path, split)).select_columns([*shards.TENSORS])
    size = info["counts"][split] * len(shards.TENSORS) * info["size"] ** 2
    small = size <= _CACHED_SHARE * resources()["object_store_memory"]
    return data.materialize() if small else data


def _root(error: Any) -> str:
    """The last line of the first worker's own error: Ray wraps it several times."""
    failures = list(getattr(error, "worker_failures", {}).values())
    inner: BaseException = failures[0] if failures else error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    lines = str(inner).strip().splitlines() or [type(inner).__name__]
    return lines[-1]


def _share_out(settings: Settings) -> tuple[float, float]:
    """CPUs and GPUs of each worker.

    Raises:
        UserError: the cluster has fewer.
    """
    compute, there = settings.compute, resources()
    workers, cpus_there, gpus_there = compute.workers, there.get("CPU", 0), there.get("GPU", 0)
    gpus = compute.gpus_per_worker
    if gpus < 0:
        gpus = 1.0 if gpus_there >= workers else 0.0
    cpus = compute.cpus_per_worker or max(cpus_there / workers, 0.5)
    for kind, each, total in (("CPU", cpus, cpus_there), ("GPU", gpus, gpus_there)):
        if each * workers > total:
            raise UserError(
                f"{workers} workers of {each:g} {kind}s each need {each * workers:g}, the cluster "
                f"has {total:g}: take fewer with --workers, or smaller ones"
            )
    return cpus, gpus


def _reserved(cpus: float) -> float:
    """CPUs a worker reserves: one less than it computes with, so that reading has some left."""
    return cpus - 1 if cpus >= 2 else cpus / 2
