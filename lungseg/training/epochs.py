"""The loop over epochs: train, validate, let Keras's callbacks see it, store a checkpoint."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import keras
import tensorflow as tf

from lungseg.errors import WorkError
from lungseg.settings import Settings
from lungseg.training import checkpoint, feed, replicas
from lungseg.training.callbacks import MONITOR, make_callbacks, out_of_patience
from lungseg.training.history import Row
from lungseg.training.step_guard import StepGuard
from lungseg.training.watchdog import Watchdog

Report = Callable[[Row, str], None]
"""Called by every worker after an epoch with its row of the history and a folder with the
checkpoint (written by rank 0, empty on the others)."""

_STEPS_BETWEEN_LOOKS = 20


@dataclass(frozen=True)
class Steps:
    """The traced functions of a training and the sums they add to."""

    train: replicas.Step
    evaluate: replicas.Step
    average: replicas.Step
    calibrate: replicas.Step
    train_totals: tf.Variable
    eval_totals: tf.Variable
    calibration_totals: tf.Variable


@dataclass(frozen=True)
class Loop:
    """What stays the same over all epochs of a training."""

    settings: Settings
    group: replicas.Replicas
    model: keras.Model
    steps: Steps
    guard: StepGuard
    source: feed.Feed
    watchdog: Watchdog
    seed: int
    learning_rate: float


def run_epochs(loop: Loop, report: Report, scratch: str, resume_from: str | None) -> list[Row]:
    """Train until the epochs are done or patience is out.

    Args:
        loop: the training.
        report: takes note of each finished epoch.
        scratch: local folder; the best weights are there at the end.
        resume_from: local folder of a checkpoint.

    Returns:
        One row an epoch, those before the checkpoint included.

    Raises:
        WorkError: the loss is no longer finite, or the checkpoint is of another network.
    """
    model, epochs = loop.model, loop.settings.train.epochs
    best_weights = os.path.join(scratch, checkpoint.BEST)
    callbacks = make_callbacks(loop.settings, best_weights, loop.learning_rate)
    driven = keras.callbacks.CallbackList(callbacks, model=model)
    driven.on_train_begin()
    history = _resume(loop, callbacks, best_weights, resume_from) if resume_from else []
    stopped = bool(history) and out_of_patience(callbacks)
    for epoch in range(len(history), 0 if stopped else epochs):
        driven.on_epoch_begin(epoch)
        row = _epoch(loop, epoch)
        logs = {name: row[name] for name in ("loss", "dice", "val_loss", MONITOR)}
        driven.on_epoch_end(epoch, logs)
        history.append(row)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            if loop.group.rank == 0:
                checkpoint.save(
                    folder,
                    variables=_variables(loop),
                    callbacks=callbacks,
                    history=history,
                    best_weights=best_weights,
                    learning_rate=loop.learning_rate,
                    seed=loop.seed,
                )
            report(row, folder)
        loop.watchdog.step_done()
        if model.stop_training:
            break
    driven.on_train_end()
    return history


def _variables(loop: Loop) -> list[keras.Variable]:
    return [*loop.model.variables, *loop.model.optimizer.variables, *loop.guard.variables]


def _resume(
    loop: Loop, callbacks: Sequence[keras.callbacks.Callback], best_weights: str, folder: str
) -> list[Row]:
    checkpoint.load_variables(folder, _variables(loop))
    checkpoint.load_callbacks(folder, callbacks)
    shutil.copyfile(os.path.join(folder, checkpoint.BEST), best_weights)
    # A group of another size begins with another rate, and goes on in the same proportion.
    rate, begun = loop.model.optimizer.learning_rate, checkpoint.read_learning_rate(folder)
    rate.assign(rate * (loop.learning_rate / (begun or loop.learning_rate)))
    return checkpoint.read_history(folder)


def _epoch(loop: Loop, epoch: int) -> Row:
    """Train and validate once."""
    rate = float(keras.ops.convert_to_numpy(loop.model.optimizer.learning_rate))
    started = time.perf_counter()
    loss, dice, films = _train_epoch(loop, epoch, rate)
    seconds = time.perf_counter() - started
    val_loss, val_dice = _score_validation(loop)
    return {
        "epoch": epoch + 1,
        "loss": loss,
        "dice": dice,
        "val_loss": val_loss,
        "val_dice": val_dice,
        "learning_rate": rate,
        "seconds": seconds,
        "images_per_second": films / seconds,
        "memory_mb": _own_memory(),
    }


def _own_memory() -> float:
    """MiB of memory that this process holds now, without what it shares with others (Linux).

    The peak would hide what is given back after the first epoch, and with it a slow growth below.
    """
    with open("/proc/self/status", encoding="ascii") as lines:
        facts = dict(line.split(":", 1) for line in lines)
    held, shared = (int(facts[name].split()[0]) for name in ("VmRSS", "RssShmem"))
    return (held - shared) / 1024


def _train_epoch(loop: Loop, epoch: int, rate: float) -> tuple[float, float, float]:
    """Mean loss and Dice over the epoch's films, and how many there were."""
    cases, workers = loop.source.train_cases, loop.group.workers
    size = feed.batch_size(loop.settings.train.batch_size, cases, workers, loop.group.local)
    wanted = feed.steps_per_epoch(cases, workers, size)
    done = 0
    for done, batch in enumerate(islice(loop.source.train(epoch, size), wanted), start=1):
        images, masks = (replicas.scatter(loop.group, batch[name]) for name in ("image", "mask"))
        loop.steps.train(images, masks, tf.constant([loop.seed, epoch * wanted + done]))
        loop.watchdog.step_done()
        if done % _STEPS_BETWEEN_LOOKS == 0 or done == wanted:
            _check_loss(loop, rate)
    if done != wanted:
        raise RuntimeError(f"a worker got {done} of {wanted} batches in epoch {epoch + 1}")
    loss, dice, films, left_out = replicas.drain(loop.steps.train_totals)
    if round(left_out) == wanted:
        raise WorkError(
            f"no step of epoch {epoch + 1} of {loop.model.name} had a finite gradient at learning "
            f"rate {rate:g}: train it with a lower one, or with --precision float32"
        )
    return float(loss / films), float(dice / films), float(films)


def _check_loss(loop: Loop, rate: float) -> None:
    """Every worker sees the same, so all of them stop or none."""
    step = loop.guard.lost_step
    if step is not None:
        raise WorkError(
            f"the loss of {loop.model.name} was no number at step {step}, at learning rate "
            f"{rate:g}: train it with a lower one (--learning-rate {rate / 10:g})"
        )


def _score_validation(loop: Loop) -> tuple[float, float]:
    loop.steps.average()
    validate(loop, loop.steps.evaluate)
    loss, dice, films = replicas.drain(loop.steps.eval_totals)
    if round(films) != loop.source.val_cases:
        raise RuntimeError(
            f"{films:g} validation cases were scored, there are {loop.source.val_cases}"
        )
    return float(loss / films), float(dice / films)


def validate(loop: Loop, step: replicas.Step) -> None:
    """Give each validation case to one replica of the group, once."""
    group = loop.group
    batches = feed.share(
        loop.source.val(),
        rank=group.rank,
        workers=group.workers,
        batch_size=-(-loop.settings.train.batch_size // group.local) * group.local,
        cases=loop.source.val_cases,
    )
    for batch in batches:
        step(*(replicas.scatter(group, batch[name]) for name in ("image", "mask", "weight")))
        loop.watchdog.step_done()
