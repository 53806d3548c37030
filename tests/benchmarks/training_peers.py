"""The peers of `training.py`: one training loop a process, which does a few steps when told to.

    python tests/benchmarks/training_peers.py JSON

The argument names the loop (`bare`, `augmented`, `notebook`, `torch_eager`, `torch_compile`), the
architecture, widths, batch size, side in px, precision and threads. Each line on standard input is
a number of steps; the answer is a line with the films trained a second. Films are random arrays in
memory.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Steps = Callable[[int], None]


def films(config: dict[str, Any], steps: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    shape = (config["batch"] * steps, config["size"], config["size"], 1)
    return random.integers(0, 256, shape, np.uint8), (random.random(shape) > 0.7).astype(np.uint8)


def bare(config: dict[str, Any], augmented: bool) -> Steps:
    """Our own step on arrays, without Ray and without a data feed."""
    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(config["threads"])
    import keras
    import tensorflow as tf

    from lungseg import losses, networks
    from lungseg.augmentation import augment
    from lungseg.precision import dtype_policy
    from lungseg.settings import AugmentationSettings, TrainSettings
    from lungseg.training import replicas
    from lungseg.training.adam import FusedAdam
    from lungseg.training.step_guard import StepGuard

    group = replicas.join()
    keras.config.set_dtype_policy(dtype_policy(config["precision"]))
    model = networks.build(config["model"], size=config["size"], widths=config["widths"])
    optimizer = FusedAdam(1e-3)
    optimizer.build(model.trainable_variables)
    totals = replicas.make_totals(group, 4)
    change = AugmentationSettings()  # type: ignore[call-arg]
    step = replicas.make_train_step(
        group,
        model,
        optimizer,
        losses.make_loss(TrainSettings()),  # type: ignore[call-arg]
        lambda masks, probability: losses.hard_dice(masks, probability, 0.5),
        totals,
        (lambda x, y, seed: augment(x, y, seed, change)) if augmented else None,
        guard=StepGuard(False),
    )
    images, masks = (replicas.scatter(group, array) for array in films(config, 1))

    def run(steps: int) -> None:
        for number in range(steps):
            step(images, masks, tf.constant([0, number]))
        replicas.drain(totals)

    return run


def notebook(config: dict[str, Any]) -> Steps:
    """`model.fit` in float32 with Keras's own batch normalisation and optimizer."""
    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(config["threads"])
    import keras

    from lungseg import losses, networks

    model = networks.build(
        config["model"], size=config["size"], widths=config["widths"], batch_norm="synchronized"
    )
    model.compile(keras.optimizers.Adam(1e-3), loss=losses.dice_loss)

    def run(steps: int) -> None:
        images, masks = films(config, steps)
        model.fit(images / np.float32(255), masks.astype(np.float32), config["batch"], verbose=0)

    return run


def torch_unet(config: dict[str, Any], compiled: bool) -> Steps:
    """The same U-Net in PyTorch: channels-last, bfloat16 autocast, no biases before batch norm."""
    import torch
    from torch import nn

    torch.set_num_threads(config["threads"])

    def pair(inputs: int, outputs: int) -> nn.Module:
        parts: list[nn.Module] = []
        for width in (inputs, outputs):
            parts += [nn.Conv2d(width, outputs, 3, padding=1, bias=False)]
            parts += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        return nn.Sequential(*parts)

    class UNet(nn.Module):
        def __init__(self, widths: list[int]) -> None:
            super().__init__()
            ways = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
            self.down = nn.ModuleList(map(pair, [1, *widths[:-1]], widths))
            self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in ways)
            self.merge = nn.ModuleList(pair(2 * o, o) for _, o in ways)
            self.head = nn.Conv2d(widths[0], 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            skips = []
            for level in self.down[:-1]:
                skips.append(level(x))
                x = nn.functional.max_pool2d(skips[-1], 2)
            x = self.down[-1](x)
            for up, merge in zip(self.up, self.merge, strict=True):
                x = merge(torch.cat([up(x), skips.pop()], 1))
            return self.head(x)

    model = UNet(config["widths"]).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    forward = torch.compile(model) if compiled else model
    images, masks = (torch.from_numpy(a.transpose(0, 3, 1, 2).copy()) for a in films(config, 1))
    images = (images / 255.0).to(memory_format=torch.channels_last)
    masks = masks.float()

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16):
                logit = forward(images)
            probability = torch.sigmoid(logit.float())
            both = (probability * masks).sum((1, 2, 3))
            total = probability.sum((1, 2, 3)) + masks.sum((1, 2, 3))
            loss = (1 - (2 * both + 1) / (total + 1)).mean()
            loss.backward()
            optimizer.step()

    return run


def main() -> None:
    config = json.loads(sys.argv[1])
    made: dict[str, Callable[[], Steps]] = {
        "bare": lambda: bare(config, augmented=False),
        "augmented": lambda: bare(config, augmented=True),
        "notebook": lambda: notebook(config),
        "torch_eager": lambda: torch_unet(config, compiled=False),
        "torch_compile": lambda: torch_unet(config, compiled=True),
    }
    run = made[config["loop"]]()
    run(2)
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        started = time.perf_counter()
        run(steps)
        print(config["batch"] * steps / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
