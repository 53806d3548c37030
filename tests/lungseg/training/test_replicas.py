"""Several devices in one worker are one device, as far as the result goes.

In float64: in float32 the rounding of another order of sums grows from step to step.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Devices are made before TensorFlow's first operation, so each number needs a process.
SCRIPT = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
devices = [tf.config.LogicalDeviceConfiguration()] * {devices}
tf.config.set_logical_device_configuration(cpu, devices)
from lungseg.resolve import resolve
from lungseg.start_tensorflow import start_tensorflow
from lungseg.training import feed, replicas
start_tensorflow(1)
from lungseg.training.fit import fit
assert replicas.join().local == {devices}
options = {{
    "models": "unet", "data.size": 32, "network.widths": [4, 8, 16], "train.epochs": 2,
    "train.batch_size": 4, "train.precision": "float64", "train.augment": False,
    "network.batch_norm": "synchronized",
}}
random = np.random.default_rng(0)
masks = np.zeros((17, 32, 32, 1), np.uint8)
for mask in masks:
    top, left = random.integers(2, 16, 2)
    mask[top : top + 12, left : left + 10] = 1
images = (random.integers(0, 120, masks.shape) + 100 * masks).astype(np.uint8)
def train(epoch, size):
    assert size == 4
    for first in range(0, 12, size):
        part = slice(first, first + size)
        yield {{"image": images[part], "mask": masks[part]}}
val = [{{"image": images[12:], "mask": masks[12:]}}]
rows = []
trained = fit(
    resolve(options=options), "unet", seed=0, source=feed.Feed(train, lambda: val, 12, 5),
    report=lambda row, folder: rows.append(row),
)
variables = trained.model.variables + trained.model.optimizer.variables
values = {{one.path: np.asarray(one) for one in variables}}
scores = [[row[name] for name in ("loss", "dice", "val_loss", "val_dice")] for row in rows]
np.savez({out!r}, scores=np.array(scores), **values)
"""


@pytest.mark.slow
def test_two_devices_train_to_the_weights_of_one(tmp_path: Path) -> None:
    outs = {devices: str(tmp_path / f"{devices}.npz") for devices in (1, 2)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(devices=devices, out=out)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for devices, out in outs.items()
    ]
    for process in running:
        _, told = process.communicate()
        assert process.returncode == 0, told
    one, two = (load(out) for out in outs.values())
    assert set(one) == set(two)
    assert len(one) > 50
    for name in one:
        difference = np.abs(one[name].astype(float) - two[name]).max()
        # The scores are float32.
        tolerance = 1e-6 if name == "scores" else 1e-10
        assert difference <= tolerance * max(1e-3, np.abs(one[name]).max()), name


def load(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)
