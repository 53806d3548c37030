"""The distributed step: the only module that knows about replicas.

One worker, many workers and several devices a worker run the same code. (`model.fit` cannot do
this under `MultiWorkerMirroredStrategy` in Keras 3.15, keras issue 20585.)
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lungseg.training.adam import FusedAdam
from lungseg.training.step_guard import StepGuard

Tensor = Any
Augment = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
Score = Callable[[Tensor, Tensor], Tensor]
Step = Callable[..., None]

_BYTES_PER_PACK = 4 * 2**20
"""Gradients travel in parts of this size, the decoder's while the encoder's are being computed."""


@dataclass(frozen=True)
class Replicas:
    """The devices that train one network together."""

    strategy: tf.distribute.Strategy
    rank: int
    workers: int

    @property
    def local(self) -> int:
        """Replicas of this worker."""
        return int(self.strategy.num_replicas_in_sync) // self.workers


def forget() -> None:
    """Free what earlier trainings of this process have left: networks, optimizers, graphs."""
    keras.backend.clear_session()
    gc.collect()


def join() -> Replicas:
    """Join the group that TF_CONFIG names (Ray Train sets it), with all devices of this process."""
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    workers = len(resolver.cluster_spec().as_dict().get("worker", []))
    if workers > 1:
        kind = tf.distribute.experimental.CommunicationImplementation
        gpus = tf.config.list_physical_devices("GPU")
        options = tf.distribute.experimental.CommunicationOptions(
            bytes_per_pack=_BYTES_PER_PACK, implementation=kind.NCCL if gpus else kind.RING
        )
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver, options)
        return Replicas(strategy, int(resolver.task_id), workers)
    # Alone, a process needs no server for the others.
    os.environ.pop("TF_CONFIG", None)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]), 0, 1)
    return Replicas(tf.distribute.get_strategy(), 0, 1)


def scatter(replicas: Replicas, batch: np.ndarray) -> Tensor:
    """Spread this worker's batch over its replicas.

    Args:
        replicas: the group.
        batch: (B, …), B a multiple of the worker's replicas.
    """
    if replicas.strategy.num_replicas_in_sync == 1:
        return tf.convert_to_tensor(batch)
    parts = np.split(batch, replicas.local)
    return replicas.strategy.experimental_distribute_values_from_function(
        lambda context: tf.convert_to_tensor(
            parts[context.replica_id_in_sync_group % replicas.local]
        )
    )


def make_totals(replicas: Replicas, length: int) -> tf.Variable:
    """A vector of sums: each replica adds to its own copy, reading adds the copies up."""
    with replicas.strategy.scope():
        return tf.Variable(
            tf.zeros(length),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )


def drain(totals: tf.Variable) -> np.ndarray:
    """The sums over all replicas of all workers, which start again from 0.

    A collective: every worker must call it equally often.
    """
    sums = np.array(totals.read_value())
    totals.assign(tf.zeros_like(sums))
    return sums


def make_train_step(
    replicas: Replicas,
    model: keras.Model,
    optimizer: FusedAdam,
    loss: Score,
    metric: Score,
    totals: tf.Variable,
    augment: Augment | None,
    *,
    guard: StepGuard,
    clip_norm: float = 0.0,
) -> Step:
    """The function that does one step of training on all replicas.

    It takes films and masks as scattered uint8 (B, S, S, 1), masks of 0 and 1, and an int32 (2,)
    seed of the step, and adds (loss, metric, films, 1 if the step was left out) to `totals`.
    Gradients are those of the mean loss over the global batch. All that decides is reduced over
    the replicas first: where one replica's gradient is not finite, all leave the step out.

    Args:
        replicas: the group.
        model: maps float32 films in 0…1 to probabilities.
        optimizer: built with the model's trainable variables.
        loss: masks and probabilities to float32 (B,).
        metric: the same.
        totals: of length 4.
        augment: changes films and masks given a seed; None for nothing.
        guard: knows the loss scale and which steps count.
        clip_norm: largest norm of the gradient of all variables together; 0 for any.
    """
    count = replicas.strategy.num_replicas_in_sync

    def replica_step(images: Tensor, masks: Tensor, seed: Tensor) -> None:
        context = tf.distribute.get_replica_context()
        images, masks = _as_input(images), tf.cast(masks, tf.float32)
        if augment is not None:
            own = tf.random.fold_in(seed, context.replica_id_in_sync_group)
            images, masks = augment(images, masks, own)
        films = tf.shape(images)[0]
        factor = tf.convert_to_tensor(guard.factor)
        with tf.GradientTape() as tape:
            probability = tf.cast(model(images, training=True), tf.float32)
            losses = loss(masks, probability)
            share = tf.reduce_sum(losses) / tf.cast(films * count, tf.float32)
            scaled = share * factor
        variables = [variable.value for variable in model.trainable_variables]
        gradients = tape.gradient(scaled, variables)
        mean, *gradients = _sum_over_replicas(
            [tf.cast(share, gradients[0].dtype), *gradients],
            narrow=count > 1 and model.compute_dtype == "bfloat16",
        )
        norm = tf.cast(tf.linalg.global_norm(gradients), tf.float32) / factor
        finite = tf.math.is_finite(norm)
        shrink = tf.minimum(1.0, clip_norm / norm) / factor if clip_norm else 1.0 / factor
        gradients = [gradient * tf.cast(shrink, gradient.dtype) for gradient in gradients]
        optimizer.apply_reduced(gradients, finite)
        guard.follow(mean, finite, seed[1])
        sums = [tf.reduce_sum(losses), tf.reduce_sum(metric(masks, probability))]
        left_out = tf.where(finite, 0.0, 1.0 / count)
        totals.assign_add(tf.stack([*sums, tf.cast(films, tf.float32), left_out]))

    return _on_all(replicas, replica_step)


def _sum_over_replicas(values: Sequence[Tensor], *, narrow: bool) -> list[Tensor]:
    """Sum each tensor over all replicas.

    Args:
        values: of one dtype.
        narrow: gradients of kernels were computed in bfloat16, and travel in it: half the bytes
            for digits that they do not have.
    """
    wire = [tf.bfloat16 if narrow and value.shape.rank > 1 else value.dtype for value in values]
    sums = [tf.cast(value, dtype) for value, dtype in zip(values, wire, strict=True)]
    # One list of one dtype: as few collectives as there are packs.
    for dtype in dict.fromkeys(wire):
        places = [place for place, other in enumerate(wire) if other == dtype]
        reduced = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, [sums[place] for place in places]
        )
        for place, value in zip(places, reduced, strict=True):
            sums[place] = value
    return [tf.cast(total, value.dtype) for total, value in zip(sums, values, strict=True)]


def make_eval_step(
    replicas: Replicas, model: keras.Model, scores: Score, totals: tf.Variable
) -> Step:
    """The function that scores films on all replicas.

    It takes films and masks as in training and float32 (B,) weights (0 for a film that only fills
    the batch); `scores` maps masks and probabilities to float32 (B, N), whose weighted sums over
    the films are added to `totals`.
    """

    def replica_step(images: Tensor, masks: Tensor, weights: Tensor) -> None:
        probability = tf.cast(model(_as_input(images), training=False), tf.float32)
        rows = scores(tf.cast(masks, tf.float32), probability)
        totals.assign_add(tf.linalg.matvec(rows, weights, transpose_a=True))

    return _on_all(replicas, replica_step)


def make_statistics_average(replicas: Replicas, model: keras.Model) -> Step:
    """The function that makes the moving statistics of all replicas their mean.

    Batch normalisation keeps them per replica; they must be equal before the network is validated
    or stored.
    """
    moving = [variable for variable in model.non_trainable_variables if "moving" in variable.name]

    def replica_step() -> None:
        context = tf.distribute.get_replica_context()
        # One vector: a single collective, whatever the number of layers.
        flat = tf.concat([tf.reshape(variable.value, [-1]) for variable in moving], axis=0)
        mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, flat)
        parts = tf.split(mean, [variable.value.shape.num_elements() for variable in moving])
        for variable, part in zip(moving, parts, strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    if replicas.strategy.num_replicas_in_sync == 1 or not moving:
        return lambda: None
    return _on_all(replicas, replica_step)


def _as_input(images: Tensor) -> Tensor:
    return tf.cast(images, tf.float32) / 255.0


def _on_all(replicas: Replicas, replica_step: Step) -> Step:
    def step(*arguments: Tensor) -> None:
        replicas.strategy.run(replica_step, args=arguments)

    # No Python condition depends on a tensor, and rewriting them takes a third of the tracing.
    traced: Step = tf.function(step, reduce_retracing=True, autograph=False)
    return traced
