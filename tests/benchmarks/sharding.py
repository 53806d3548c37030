"""How fast `lungseg shard` is, against a plain OpenCV loop and against reading the files alone.

    python tests/benchmarks/sharding.py --json sharding.json [--quick]

Each round times, one after the other on the same files: reading the bytes; a loop of
`cv2.imread` and `cv2.resize` over film and mask on one core; our preprocessing on one core; and the
whole job on a local Ray cluster, start of Ray not counted. Ratios are a core's images/s against the
OpenCV loop's.
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

import cv2

from jobs.session import resources, session
from jobs.shard import shard
from lungseg import datasets, phantoms
from lungseg.preprocess import preprocess
from lungseg.settings import ComputeSettings, DataSettings

SIZE = 256


def write_films(folder: Path, cases: int, side: int) -> None:
    """Phantoms as PNG, each drawn once and linked under many names."""
    drawn = 32
    rows = phantoms.write(range(drawn), str(folder), seed=0, size=side)
    for index in range(drawn, cases):
        for part in ("images", "masks"):
            name = Path(rows[index % drawn]["image"]).name
            os.link(folder / part / name, folder / part / f"copy_{index:06d}.png")


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_alone(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.read_bytes()


def opencv_loop(folder: Path) -> None:
    for image in (folder / "images").iterdir():
        for path, how in ((image, cv2.INTER_AREA), (folder / "masks" / image.name, 0)):
            picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            cv2.resize(picture, (SIZE, SIZE), interpolation=how)


def preprocess_loop(folder: Path) -> None:
    for case in datasets.find_cases([str(folder)]).cases:
        preprocess(case, SIZE)


def one_round(folder: Path, cases: int, settings: DataSettings) -> dict[str, float]:
    """Images/s of each way, the job's divided by the CPUs it had."""
    with tempfile.TemporaryDirectory() as out:
        job = seconds(lambda: shard([str(folder)], f"{out}/shards", settings))
    loops = {"reading": read_alone, "opencv": opencv_loop, "preprocess": preprocess_loop}
    rates = {name: cases / seconds(lambda loop=loop: loop(folder)) for name, loop in loops.items()}
    return rates | {"job": cases / job / resources()["CPU"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="fewer films, one round")
    arguments = parser.parse_args()
    cases, rounds = (400, 1) if arguments.quick else (2000, 3)
    cv2.setNumThreads(1)
    settings = DataSettings(size=SIZE, split="none")
    ratios: dict[str, float] = {}
    with session(ComputeSettings()):
        for side in (512, 2000):
            with tempfile.TemporaryDirectory() as name:
                folder, count = Path(name), cases if side == 512 else cases // 5
                write_films(folder, count, side)
                results = [one_round(folder, count, settings) for _ in range(rounds)]
            rates = {key: statistics.median(one[key] for one in results) for key in results[0]}
            for key, rate in rates.items():
                print(f"{side:>5} px  {key:<11} {rate:8.1f} images/s a core")
            ratios[f"vs_opencv_{side}px"] = rates["job"] / rates["opencv"]
            ratios[f"preprocess_vs_opencv_{side}px"] = rates["preprocess"] / rates["opencv"]
    ratios["vs_opencv"] = min(value for name, value in ratios.items() if name.startswith("vs_"))
    for name, value in ratios.items():
        print(f"{name:<28} {value:.2f}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
