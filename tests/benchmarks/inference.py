"""How fast `lungseg predict` is, against its parts alone and against PyTorch and OpenVINO.

    python tests/benchmarks/inference.py --json inference.json [--images FOLDER] [--quick]

Each round times, one after the other on the same films (phantoms of 512 px, or those of a folder,
linked under many names): a loop of `cv2.imread` and `cv2.resize` on one core; our decode and
letterbox on one core; the 8 M U-Net, frozen, on a ready array and all cores; the same network with
the same weights in PyTorch eager, `torch.compile` and OpenVINO, bfloat16 all; and the whole job on
a local Ray cluster, with that network, with two processes of it, and with the same two lungs for
each film in the network's place (the smallest U-Net takes as long as decoding does); that one over
more films, since it is through with few before it is warm. A job's time is that of its parts after
the first fifth, when all its processes are warm. Memory is that of a whole command with all its
processes (proportional set size, peak), one call for each number of images. Peers that are not
installed are null.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from inference_peers import openvino, torch_compile, torch_eager

import jobs.predict
from jobs.predict_worker import Network
from jobs.session import session
from lungseg import networks, phantoms, segmenter
from lungseg.prediction.film import prepare
from lungseg.prediction.inputs import find_images
from lungseg.prediction.parts import list_parts
from lungseg.segmenter import Segmenter
from lungseg.settings import ComputeSettings, NetworkSettings, PredictSettings

SIZE, BATCH, DRAWN = 256, 16, 32
WITHOUT_NETWORK = 6400
"""Films of the job that leaves the network out."""
PART = PredictSettings().images_per_part
FULL: dict[str, Any] = {"widths": [32, 64, 128, 256, 512], "batch_norm": "fused"}
FULL |= {"upsampling": NetworkSettings().upsampling}
SMALL = FULL | {"widths": [4, 8]}
CORES = os.cpu_count() or 1


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def write_films(folder: Path, count: int, source: str | None) -> None:
    """Films linked under many names: those of a folder, or phantoms of 512 px."""
    if source is None:
        drawn = folder.parent / "drawn"
        if not drawn.exists():
            phantoms.write(range(DRAWN), str(drawn), seed=0, size=512)
        source = str(drawn / "images")
    paths = [item.path for item in find_images([source])]
    folder.mkdir()
    for index in range(count):
        path = Path(paths[index % len(paths)])
        link = folder / f"film_{index:06d}{path.suffix}"
        try:
            os.link(path, link)
        except OSError:
            link.symlink_to(path)


def write_model(folder: str, arguments: dict[str, Any]) -> None:
    """A network whose numbers are all other than 0 and 1, as a trained one's are.

    TensorFlow leaves out what adds 0, and what is fused with it is fused no more.
    """
    keras.utils.set_random_seed(0)
    info: dict[str, Any] = {"architecture": "unet", "arguments": arguments, "size": SIZE}
    model = networks.build("unet", size=SIZE, **arguments)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.bias.assign(random.normal(0, 0.05, layer.bias.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            for value in (layer.gamma, layer.moving_variance):
                value.assign(random.uniform(0.8, 1.2, value.shape))
            for value in (layer.beta, layer.moving_mean):
                value.assign(random.normal(0, 0.05, value.shape))
    segmenter.save(folder, model, info | {"threshold": 0.5, "min_area_fraction": 0.005})


class NoNetwork(Network):
    """The same probabilities for each film, of two soft ellipses."""

    def __init__(self, _models: Sequence[str], _threads: int, settings: PredictSettings) -> None:
        self._batch_size = settings.batch_size
        rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        lungs = (0.3, 0.7)
        away = [np.hypot((rows - 0.5) / 0.32, (columns - x) / 0.13) for x in lungs]
        self._lungs = (1 / (1 + np.exp(20 * (np.minimum(*away) - 1)))).astype(np.float32)
        self._ensemble = self._same  # type: ignore[assignment]

    def _same(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lungs = np.broadcast_to(self._lungs, squares.shape)
        return lungs, np.full(len(squares), np.nan, np.float32)


def opencv_loop(images: Path) -> None:
    for path in images.iterdir():
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.resize(film, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def prepare_loop(images: Path) -> None:
    for item in find_images([str(images)]):
        prepare(item, SIZE, 0.0)


def job(model: str, images: Path, network: type[Network] = Network, **change: Any) -> float:
    """Seconds an image of a whole job, once it is warm."""
    jobs.predict.Network = network  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as out:
        settings = PredictSettings(batch_size=BATCH, **change)
        jobs.predict.predict([model], [str(images)], out, settings)
        ends = sorted(os.stat(path).st_mtime for path in list_parts(out))
    first = len(ends) // 5
    return (ends[-1] - ends[first]) / ((len(ends) - 1 - first) * PART)


def network_times(models: dict[str, Any], rounds: int) -> dict[str, float]:
    """Seconds an image of each network, one after the other in each round."""
    ready = np.random.default_rng(0).integers(0, 255, (BATCH, SIZE, SIZE, 1), np.uint8)
    runs = {name: run for name, run in models.items() if run is not None}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(ready)
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(lambda run=run: run(ready)) / BATCH)
    return {name: statistics.median(one) for name, one in times.items()}


def memory_mb(model: str, images: Path) -> float:
    """Most memory of a whole command, all its processes together."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "jobs.command", "predict", "--model", model]
        command += ["--images", str(images), "--out", out]
        environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
        started, peak = time.monotonic(), 0.0
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            while process.poll() is None:
                peak = max(peak, sum(map(_pss_mb, _descendants(process.pid))))
                time.sleep(1)
            told = process.stdout.read().decode() if process.stdout else ""
    if process.returncode:
        raise SystemExit(told)
    print(f"memory: {peak:.0f} MiB, {time.monotonic() - started:.0f} s; {' '.join(told.split())}")
    return peak


def _descendants(root: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    count, rounds = (960, 1) if arguments.quick else (1920, 3)
    images = folder / "films"
    many = folder / "many"
    write_films(images, count, arguments.images)
    write_films(many, WITHOUT_NETWORK, arguments.images)
    write_model(f"{folder}/full", FULL)
    full = Segmenter.load(f"{folder}/full")
    runs = {
        "net": full.probabilities,
        "torch_eager": torch_eager(full.model),
        "torch_compile": torch_compile(full.model),
        "openvino": openvino(full.model, CORES),
    }
    results: list[dict[str, float]] = []
    with session(ComputeSettings()):
        for _ in range(rounds):
            times = network_times(runs, 5)
            times["opencv"] = seconds(lambda: opencv_loop(images)) / count
            times["prepare"] = seconds(lambda: prepare_loop(images)) / count
            times["job"] = job(f"{folder}/full", images)
            times["job_two_actors"] = job(f"{folder}/full", images, actors="2")
            times["job_no_network"] = job(f"{folder}/full", many, NoNetwork)
            results.append(times)
    return {key: statistics.median(one[key] for one in results) for key in results[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--images", help="folder of films; phantoms of 512 px by default")
    parser.add_argument("--quick", action="store_true", help="fewer films, one round")
    parser.add_argument("--only", choices=("times", "memory"), help="half of it")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    times: dict[str, float] = {}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.only != "memory":
            times = measure(folder, arguments)
        if arguments.only != "times":
            write_model(f"{name}/small", SMALL)
            for count in (1000, 2000) if arguments.quick else (1000, 5000, 20000):
                write_films(folder / str(count), count, None)
                memory[str(count)] = memory_mb(f"{name}/small", folder / str(count))
    for key, value in times.items():
        print(f"{key:<16} {1 / value:8.1f} images/s")
    ratios = ratios_of(times, memory)
    for key, ratio in ratios.items():
        print(f"{key:<24} {'not measured' if ratio is None else f'{ratio:.2f}'}")
    if times:
        print(f"{1 / times['job'] / CORES:.1f} images/s a core")
    if arguments.json:
        report = {"ratios": ratios, "seconds": times, "memory_mb": memory}
        Path(arguments.json).write_text(json.dumps(report, indent=2))


def ratios_of(times: dict[str, float], memory: dict[str, float]) -> dict[str, float | None]:
    def over(one: str, other: str, scale: float = 1.0) -> float | None:
        there = one in times and other in times
        return scale * times[one] / times[other] if there else None

    return {
        "time_vs_sum_of_parts": times["job"] / (times["net"] + times["opencv"]) if times else None,
        "net_vs_torch_eager": over("torch_eager", "net"),
        "net_vs_torch_compile": over("torch_compile", "net"),
        "net_vs_openvino": over("openvino", "net"),
        "decode_vs_opencv": over("opencv", "prepare"),
        "no_network_vs_opencv_a_core": over("opencv", "job_no_network", 1 / CORES),
        "two_actors_vs_one": over("job", "job_two_actors"),
        "memory_20k_vs_1k": memory["20000"] / memory["1000"] if "20000" in memory else None,
    }


if __name__ == "__main__":
    main()
