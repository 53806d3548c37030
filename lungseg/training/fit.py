"""Train one network: the loop over epochs that every worker runs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lungseg import losses, networks
from lungseg.augmentation import augment
from lungseg.errors import WorkError
from lungseg.precision import dtype_policy
from lungseg.settings import Settings, network_arguments
from lungseg.training import calibration, checkpoint, feed, replicas
from lungseg.training.callbacks import MONITOR, make_callbacks, out_of_patience
from lungseg.training.history import Row

Report = Callable[[Row, str], None]
"""Called by every worker after an epoch with its row of the history and a folder with the
checkpoint (written by rank 0, empty on the others)."""

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Trained:
    """The outcome of a training; the same on every worker but for `seconds`."""

    model: keras.Model
    """With the weights of the best epoch."""
    history: list[Row]
    calibration: calibration.Calibration
    precision: str


@dataclass(frozen=True)
class _Steps:
    train: replicas.Step
    evaluate: replicas.Step
    average: replicas.Step
    calibrate: replicas.Step
    train_totals: tf.Variable
    eval_totals: tf.Variable
    calibration_totals: tf.Variable


def fit(
    settings: Settings,
    architecture: str,
    *,
    seed: int,
    source: feed.Feed,
    report: Report,
    resume_from: str | None = None,
) -> Trained:
    """Train one network until its epochs are done or validation no longer improves.

    Every worker of the group calls this with the same arguments but its own `source`.

    Args:
        settings: of the run.
        architecture: a key of `lungseg.networks.ARCHITECTURES`.
        seed: of weights, order and augmentation.
        source: where this worker's batches come from.
        report: takes note of each finished epoch.
        resume_from: local folder of a checkpoint to go on from.

    Raises:
        WorkError: the loss is no longer finite.
    """
    group = replicas.join()
    policy = dtype_policy(settings.train.precision)
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)
    with group.strategy.scope():
        model = networks.build(
            architecture, size=settings.data.size, **network_arguments(settings, architecture)
        )
        optimizer = keras.optimizers.Adam(settings.train.learning_rate)
        optimizer.build(model.trainable_variables)
    # What Keras's callbacks look for on a model that was compiled.
    model.optimizer, model.stop_training = optimizer, False
    steps = _make_steps(group, model, optimizer, settings)
    scratch = tempfile.mkdtemp(prefix="lungseg-")
    try:
        history = _epochs(settings, group, model, steps, source, report, seed, scratch, resume_from)
        model.load_weights(os.path.join(scratch, checkpoint.BEST))
        _validate(settings, group, steps.calibrate, source)
        result = calibration.from_sums(replicas.drain(steps.calibration_totals))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Trained(model, history, result, policy)


def _make_steps(
    group: replicas.Replicas,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    settings: Settings,
) -> _Steps:
    loss = losses.LOSSES[settings.train.loss]
    change = settings.augmentation if settings.train.augment else None

    def dice(masks: Any, probability: Any) -> Any:
        return losses.hard_dice(masks, probability, _THRESHOLD)

    def scores(masks: Any, probability: Any) -> Any:
        values = [loss(masks, probability), dice(masks, probability)]
        return tf.stack([*values, tf.ones_like(values[0])], axis=1)

    train_totals = replicas.make_totals(group, 3)
    eval_totals = replicas.make_totals(group, 3)
    calibration_totals = replicas.make_totals(group, 3 * calibration.BINS + 1)
    change_pair = None if change is None else lambda x, y, s: augment(x, y, s, change)
    return _Steps(
        train=replicas.make_train_step(
            group, model, optimizer, loss, dice, train_totals, change_pair
        ),
        evaluate=replicas.make_eval_step(group, model, scores, eval_totals),
        average=replicas.make_statistics_average(group, model),
        calibrate=replicas.make_eval_step(
            group, model, calibration.film_histograms, calibration_totals
        ),
        train_totals=train_totals,
        eval_totals=eval_totals,
        calibration_totals=calibration_totals,
    )


def _epochs(
    settings: Settings,
    group: replicas.Replicas,
    model: keras.Model,
    steps: _Steps,
    source: feed.Feed,
    report: Report,
    seed: int,
    scratch: str,
    resume_from: str | None,
) -> list[Row]:
    best_weights = os.path.join(scratch, checkpoint.BEST)
    callbacks = make_callbacks(settings, best_weights)
    driven = keras.callbacks.CallbackList(callbacks, model=model)
    driven.on_train_begin()
    variables = [*model.variables, *model.optimizer.variables]
    history: list[Row] = []
    if resume_from is not None:
        checkpoint.load_variables(resume_from, variables)
        checkpoint.load_callbacks(resume_from, callbacks)
        history = checkpoint.read_history(resume_from)
        shutil.copyfile(os.path.join(resume_from, checkpoint.BEST), best_weights)
    stopped = bool(history) and out_of_patience(callbacks)
    for epoch in range(len(history), 0 if stopped else settings.train.epochs):
        driven.on_epoch_begin(epoch)
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        started = time.perf_counter()
        loss, dice, films = _train_epoch(settings, group, steps, source, epoch, seed)
        seconds = time.perf_counter() - started
        if not np.isfinite(loss):
            raise WorkError(
                f"the loss of {model.name} is {loss} in epoch {epoch + 1} at learning rate "
                f"{rate:g}: train it with a lower one (--learning-rate {rate / 10:g})"
            )
        val_loss, val_dice = _score_validation(settings, group, steps, source)
        logs = {"loss": loss, "dice": dice, "val_loss": val_loss, MONITOR: val_dice}
        driven.on_epoch_end(epoch, logs)
        history.append(
            {"epoch": epoch + 1}
            | {name: float(logs[name]) for name in ("loss", "dice", "val_loss", "val_dice")}
            | {"learning_rate": rate, "seconds": seconds, "images_per_second": films / seconds}
        )
        with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
            if group.rank == 0:
                checkpoint.save(
                    folder,
                    variables=variables,
                    callbacks=callbacks,
                    history=history,
                    best_weights=best_weights,
                )
            report(history[-1], folder)
        if model.stop_training:
            break
    driven.on_train_end()
    return history


def _train_epoch(
    settings: Settings,
    group: replicas.Replicas,
    steps: _Steps,
    source: feed.Feed,
    epoch: int,
    seed: int,
) -> tuple[float, float, float]:
    """Mean loss and Dice over the epoch's films, and how many there were."""
    size = feed.batch_size(settings.train.batch_size, source.train_cases, group.workers)
    wanted = feed.steps_per_epoch(source.train_cases, group.workers, size)
    done = 0
    for done, batch in enumerate(islice(source.train(epoch), wanted), start=1):
        images, masks = (replicas.scatter(group, batch[name]) for name in ("image", "mask"))
        steps.train(images, masks, tf.constant([seed, epoch * wanted + done]))
    if done != wanted:
        raise RuntimeError(f"a worker got {done} of {wanted} batches in epoch {epoch + 1}")
    loss, dice, films = replicas.drain(steps.train_totals)
    return float(loss / films), float(dice / films), float(films)


def _score_validation(
    settings: Settings, group: replicas.Replicas, steps: _Steps, source: feed.Feed
) -> tuple[float, float]:
    steps.average()
    _validate(settings, group, steps.evaluate, source)
    loss, dice, films = replicas.drain(steps.eval_totals)
    if round(films) != source.val_cases:
        raise RuntimeError(f"{films:g} validation cases were scored, there are {source.val_cases}")
    return float(loss / films), float(dice / films)


def _validate(
    settings: Settings, group: replicas.Replicas, step: replicas.Step, source: feed.Feed
) -> None:
    batches = feed.share(
        source.val(),
        rank=group.rank,
        workers=group.workers,
        batch_size=settings.train.batch_size,
        cases=source.val_cases,
    )
    for batch in batches:
        step(*(replicas.scatter(group, batch[name]) for name in ("image", "mask", "weight")))
