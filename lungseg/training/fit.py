"""Train one network: what every worker of a group runs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lungseg import losses, networks
from lungseg.augmentation import augment
from lungseg.precision import dtype_policy
from lungseg.settings import Settings, network_arguments
from lungseg.training import calibration, checkpoint, feed, replicas
from lungseg.training.adam import FusedAdam
from lungseg.training.epochs import Loop, Report, Steps, run_epochs, validate
from lungseg.training.history import Row
from lungseg.training.scratch import scratch
from lungseg.training.step_guard import StepGuard
from lungseg.training.watchdog import Watchdog

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Trained:
    """The outcome of a training; the same on every worker but for `seconds`."""

    model: keras.Model
    """With the weights of the best epoch."""
    history: list[Row]
    calibration: calibration.Calibration
    precision: str


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
        WorkError: the loss is no longer finite, or the checkpoint is of another network; every
            worker raises it.
    """
    train = settings.train
    if train.deterministic:
        tf.config.experimental.enable_op_determinism()
    group = replicas.join()
    policy = dtype_policy(train.precision)
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)
    # With fewer workers the global batch is smaller, and Adam's rate goes with its square root
    # (Malladi 2022, arXiv 2205.10287).
    rate = train.learning_rate * math.sqrt(group.workers / settings.compute.workers[1])
    with group.strategy.scope():
        model = networks.build(
            architecture, size=settings.data.size, **network_arguments(settings, architecture)
        )
        optimizer = FusedAdam(rate, weight_decay=train.weight_decay or None)
        optimizer.build(model.trainable_variables)
        guard = StepGuard(scaled=policy == "mixed_float16")
    # What Keras's callbacks look for on a model that was compiled.
    model.optimizer, model.stop_training = optimizer, False
    steps = _make_steps(group, model, optimizer, guard, settings)
    with scratch() as folder, Watchdog(train.hang_seconds) as watchdog:
        loop = Loop(settings, group, model, steps, guard, source, watchdog, seed, rate)
        history = run_epochs(loop, report, folder, resume_from)
        model.load_weights(os.path.join(folder, checkpoint.BEST))
        validate(loop, steps.calibrate)
        result = calibration.from_sums(replicas.drain(steps.calibration_totals))
    return Trained(model, history, result, policy)


def _make_steps(
    group: replicas.Replicas,
    model: keras.Model,
    optimizer: FusedAdam,
    guard: StepGuard,
    settings: Settings,
) -> Steps:
    loss = losses.make_loss(settings.train)
    change = settings.augmentation if settings.train.augment else None

    def dice(masks: Any, probability: Any) -> Any:
        return losses.hard_dice(masks, probability, _THRESHOLD)

    def scores(masks: Any, probability: Any) -> Any:
        values = [loss(masks, probability), dice(masks, probability)]
        return tf.stack([*values, tf.ones_like(values[0])], axis=1)

    train_totals = replicas.make_totals(group, 4)
    eval_totals = replicas.make_totals(group, 3)
    calibration_totals = replicas.make_totals(group, 3 * calibration.BINS + 1)
    return Steps(
        train=replicas.make_train_step(
            group,
            model,
            optimizer,
            loss,
            dice,
            train_totals,
            None if change is None else lambda x, y, s: augment(x, y, s, change),
            guard=guard,
            clip_norm=settings.train.clip_norm,
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
