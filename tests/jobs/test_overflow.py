"""float16 on two workers: where one rank overflows all leave the step out, and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZE, BATCH, STEPS, BAD_STEP, GROWTH_STEPS = 32, 2, 14, 6, 4


def steps_on_this_worker(config: dict[str, Any]) -> None:
    """Steps of training, one of which overflows on rank 1; stores the state after each."""
    import ray.train

    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(1)
    import keras
    import tensorflow as tf

    from lungseg import losses, networks
    from lungseg.training import replicas, step_guard
    from lungseg.training.adam import FusedAdam

    step_guard.GROWTH_STEPS = GROWTH_STEPS
    rank = ray.train.get_context().get_world_rank()
    group = replicas.join()
    keras.config.set_dtype_policy("mixed_float16")
    keras.utils.set_random_seed(0)
    with group.strategy.scope():
        model = networks.build("unet", size=SIZE, widths=(4, 8, 16), batch_norm="fused")
        optimizer = FusedAdam(0.01)
        optimizer.build(model.trainable_variables)
        guard = step_guard.StepGuard(scaled=True)
    totals = replicas.make_totals(group, 4)

    def loss(masks: Any, probability: Any) -> Any:
        """Finite for all films; too steep for float16 where a mask is full."""
        steep = tf.where(tf.reduce_all(masks > 0), 1e7, 1.0)
        return losses.dice_loss(masks, probability) * steep

    step = replicas.make_train_step(
        group,
        model,
        optimizer,
        loss,
        lambda masks, probability: losses.hard_dice(masks, probability, 0.5),
        totals,
        None,
        guard=guard,
    )
    random = np.random.default_rng(rank)
    states = []
    for number in range(1, STEPS + 1):
        masks = np.zeros((BATCH, SIZE, SIZE, 1), np.uint8)
        masks[:, 8:20, 4:24] = 1
        images = (random.integers(0, 120, masks.shape) + 100 * masks).astype(np.uint8)
        if rank == 1 and number == BAD_STEP:
            masks[:] = 1
        step(
            replicas.scatter(group, images),
            replicas.scatter(group, masks),
            tf.constant([0, number]),
        )
        state = [*model.trainable_variables, *optimizer.variables]
        flat = np.concatenate([np.asarray(one).astype(np.float64).ravel() for one in state])
        left_out = round(float(replicas.drain(totals)[3]))
        states.append([left_out, float(np.asarray(guard.factor)), *flat])
    assert guard.lost_step is None
    np.save(f"{config['out']}/{rank}.npy", np.array(states))


@pytest.mark.usefixtures("cluster")
@pytest.mark.slow
def test_an_overflow_on_one_rank_is_left_out_on_both(tmp_path: Path) -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from jobs.tensorflow_group import TensorflowGroup

    DataParallelTrainer(
        steps_on_this_worker,
        backend_config=TensorflowGroup(),
        train_loop_config={"out": str(tmp_path)},
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
        run_config=RunConfig(name="overflow", storage_path=str(tmp_path)),
    ).fit()
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()
    left_out, factor, state = first[:, 0], first[:, 1], first[:, 2:]
    assert left_out[BAD_STEP - 1] == 1
    # The first steps may find the scale too high for this network; later ones may not.
    assert left_out[BAD_STEP:].sum() == 0
    for index in range(1, STEPS):
        same = bool((state[index] == state[index - 1]).all())
        assert same == bool(left_out[index]), index + 1
        if left_out[index]:
            assert factor[index] == factor[index - 1] / 2
    assert factor[BAD_STEP - 1 + GROWTH_STEPS] == 2 * factor[BAD_STEP - 1]
