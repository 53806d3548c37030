"""How fast `lungseg predict` is, against its parts alone and against PyTorch.

    python tests/benchmarks/inference.py --json inference.json [--quick]

Each round times, one after the other on the same phantoms: a loop of `cv2.imread` and `cv2.resize`
(one core); our decode and letterbox (one core); the frozen network on a ready array (all cores);
PyTorch eager, channels-last, bfloat16; and the whole job on a local Ray cluster, with the start of
its processes counted. The network is the 8 M U-Net with random weights. Peers that are not
installed, and what is not measured here, are null.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from jobs.predict import predict
from jobs.session import session
from lungseg import networks, phantoms, segmenter
from lungseg.prediction.film import prepare
from lungseg.prediction.inputs import find_images
from lungseg.segmenter import Segmenter
from lungseg.settings import ComputeSettings, PredictSettings

SIZE = 256
WIDTHS = [32, 64, 128, 256, 512]
BATCH = 16
DRAWN = 32


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def write_films(folder: Path, count: int, side: int) -> None:
    """Phantoms as PNG, each drawn once and linked under many names."""
    rows = phantoms.write(range(DRAWN), str(folder), seed=0, size=side)
    for index in range(DRAWN, count):
        source = folder / "images" / Path(rows[index % DRAWN]["image"]).name
        os.link(source, folder / "images" / f"copy_{index:06d}.png")


def write_model(folder: str, widths: list[int]) -> None:
    arguments = {"widths": widths, "batch_norm": "fused", "upsampling": "nearest"}
    info: dict[str, Any] = {"architecture": "unet", "arguments": arguments, "size": SIZE}
    model = networks.build("unet", size=SIZE, **arguments)
    segmenter.save(folder, model, info | {"threshold": 0.5, "min_area_fraction": 0.005})
    keras.backend.clear_session()


def opencv_loop(images: Path) -> None:
    for path in images.iterdir():
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.resize(film, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def prepare_loop(images: Path) -> None:
    for item in find_images([str(images)]):
        prepare(item, SIZE, 0.0)


def torch_unet() -> Callable[[np.ndarray], object] | None:
    """The same U-Net in PyTorch eager, None where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    def block(inputs: int, outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            down = zip([1, *WIDTHS[:-1]], WIDTHS, strict=True)
            self.down = nn.ModuleList(block(a, b) for a, b in down)
            pairs = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
            self.up = nn.ModuleList(block(a + b, b) for a, b in pairs)
            self.head = nn.Conv2d(WIDTHS[0], 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            skips = []
            for index, level in enumerate(self.down):
                x = level(nn.functional.max_pool2d(x, 2) if index else x)
                skips.append(x)
            for level, skip in zip(self.up, skips[-2::-1], strict=True):
                wide = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
                x = level(torch.cat([wide, skip], 1))
            return torch.sigmoid(self.head(x))

    model = UNet().eval().to(memory_format=torch.channels_last)

    def run(images: np.ndarray) -> object:
        inputs = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return model(inputs.contiguous(memory_format=torch.channels_last))

    return run


def one_round(folder: Path, model: str, count: int) -> dict[str, float]:
    """Seconds an image of each way."""
    images = folder / "images"
    ready = np.random.default_rng(0).integers(0, 255, (BATCH, SIZE, SIZE, 1), np.uint8)
    net, peer = Segmenter.load(model).probabilities, torch_unet()
    times = {
        "opencv": seconds(lambda: opencv_loop(images)) / count,
        "prepare": seconds(lambda: prepare_loop(images)) / count,
    }
    for name, run in (("net", net), ("torch_eager", peer)):
        if run is None:
            continue
        run(ready)
        times[name] = statistics.median(seconds(lambda run=run: run(ready)) for _ in range(5))
        times[name] /= BATCH
    with tempfile.TemporaryDirectory() as out:
        settings = PredictSettings(images_per_part=32, batch_size=BATCH)
        times["job"] = seconds(lambda: predict([model], [str(images)], out, settings)) / count
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="fewer films, one round")
    arguments = parser.parse_args()
    count, rounds = (320, 1) if arguments.quick else (2000, 3)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name, session(ComputeSettings()):
        folder, model = Path(name), f"{name}/model"
        write_films(folder, count, 512)
        write_model(model, WIDTHS)
        results = [one_round(folder, model, count) for _ in range(rounds)]
    times = {key: statistics.median(one[key] for one in results) for key in results[0]}
    for key, value in times.items():
        print(f"{key:<12} {1 / value:8.1f} images/s")
    ratios = {
        "time_vs_sum_of_parts": times["job"] / (times["net"] + times["opencv"]),
        "net_vs_torch_eager": times["torch_eager"] / times["net"]
        if "torch_eager" in times
        else None,
        "net_vs_torch_compile": None,
        "net_vs_openvino": None,
        "decode_vs_opencv": times["opencv"] / times["prepare"],
        "memory_20k_vs_1k": None,
    }
    for key, ratio in ratios.items():
        print(f"{key:<24} {'not measured' if ratio is None else f'{ratio:.2f}'}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"ratios": ratios, "seconds": times}, indent=2))


if __name__ == "__main__":
    main()
