"""How fast `lungseg shard` is, against a plain OpenCV loop and against reading the files alone.

    python tests/benchmarks/sharding.py --json sharding.json [--quick]
    python tests/benchmarks/sharding.py --many 50000 [--json many.json]

Each round times, one after the other on the same files: the whole job on a local Ray cluster, start
of Ray not counted; reading the bytes; a loop of `cv2.imread` and `cv2.resize` over film and mask on
one core; and our preprocessing on one core (the three loops on a part of the files). Ratios are a
core's images/s against the OpenCV loop's. What the job does beyond that loop: checks, geometry, the
mask at original size as run lengths, two hashes, staging on disk and Parquet.

With `--many` one job runs over that many small films of which 1 % are broken; it prints the rate
and the memory of driver and workers for each tenth of the decoding, and checks `rejected.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2

from jobs.session import resources, session
from jobs.shard import shard
from lungseg import datasets, phantoms
from lungseg.preprocess import preprocess
from lungseg.settings import ComputeSettings, DataSettings

SIZE = 256
CASES = {512: 4000, 1024: 2500, 2000: 1200}
"""Films of each longer side in px."""
DRAWN = 32
LOOPED = 10
"""The loops on one core see one film in so many."""


def write_films(folder: Path, cases: int, side: int) -> None:
    """Phantoms as PNG, a few of them drawn and linked under many names."""
    rows = phantoms.write(range(DRAWN), str(folder), seed=0, size=side)
    for index in range(DRAWN, cases):
        for part in ("images", "masks"):
            name = Path(rows[index % DRAWN]["image"]).name
            os.link(folder / part / name, folder / part / f"copy_{index:06d}.png")


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_alone(folder: Path, names: list[str]) -> None:
    for name in names:
        for part in ("images", "masks"):
            (folder / part / name).read_bytes()


def opencv_loop(folder: Path, names: list[str]) -> None:
    for name in names:
        for part, how in (("images", cv2.INTER_AREA), ("masks", cv2.INTER_NEAREST)):
            picture = cv2.imread(str(folder / part / name), cv2.IMREAD_GRAYSCALE)
            cv2.resize(picture, (SIZE, SIZE), interpolation=how)


def preprocess_loop(folder: Path, names: list[str]) -> None:
    wanted = set(names)
    for case in datasets.find_cases([str(folder)]).cases:
        if Path(case.image).name in wanted:
            preprocess(case, SIZE)


def one_round(folder: Path, settings: DataSettings) -> dict[str, float]:
    """Images/s of each way, the job's divided by the CPUs it had."""
    names = sorted(path.name for path in (folder / "images").iterdir())
    with tempfile.TemporaryDirectory() as out:
        job = seconds(lambda: shard([str(folder)], f"{out}/shards", settings))
    loops = {"reading": read_alone, "opencv": opencv_loop, "preprocess": preprocess_loop}
    some = names[::LOOPED]
    rates = {
        name: len(some) / seconds(lambda loop=loop: loop(folder, some))  # type: ignore[misc]
        for name, loop in loops.items()
    }
    return rates | {"job": len(names) / job / resources()["CPU"]}


def compare(quick: bool) -> dict[str, float]:
    """Ratios of the medians over the rounds."""
    rounds = 1 if quick else 3
    settings = DataSettings(size=SIZE, split="none")
    ratios: dict[str, float] = {}
    for side, cases in CASES.items():
        with tempfile.TemporaryDirectory() as name:
            write_films(Path(name), cases // 5 if quick else cases, side)
            results = [one_round(Path(name), settings) for _ in range(rounds)]
        rates = {key: statistics.median(one[key] for one in results) for key in results[0]}
        for key, rate in rates.items():
            print(f"{side:>5} px  {key:<11} {rate:8.1f} images/s a core")
        ratios[f"vs_opencv_{side}px"] = rates["job"] / rates["opencv"]
        ratios[f"preprocess_vs_opencv_{side}px"] = rates["preprocess"] / rates["opencv"]
    ratios["vs_opencv"] = ratios[f"vs_opencv_{max(CASES)}px"]
    for key, value in ratios.items():
        print(f"{key:<28} {value:.2f}")
    return ratios


class Sample(NamedTuple):
    """State of the job at one moment."""

    seconds: float
    chunks: int
    driver_mb: float
    workers_mb: float


def watch(out: Path, samples: list[Sample], stop: threading.Event) -> None:
    """Count staged chunks and memory twice a second."""
    started = time.perf_counter()
    while not stop.wait(0.5):
        staged = len(list(out.glob("staging/*/part-*.json")))
        samples.append(Sample(time.perf_counter() - started, staged, *memory()))


def memory() -> tuple[float, float]:
    """Resident MB of this process, and of all Ray workers below it together."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,rss=,args="], capture_output=True, text=True, check=True
    )
    table = [line.split(maxsplit=3) for line in listing.stdout.splitlines()]
    parent = {pid: above for pid, above, *_ in table}
    mine, driver, workers = str(os.getpid()), 0, 0
    for pid, _, kilobytes, command in table:
        above = pid
        while above not in (mine, "0", None):
            above = parent.get(above)
        if pid == mine:
            driver = int(kilobytes)
        elif above == mine and command.startswith("ray::"):
            workers += int(kilobytes)
    return driver / 1024, workers / 1024


def break_some(folder: Path, cases: int) -> set[str]:
    """Spoil every hundredth film in one of four ways; their names."""
    broken = set()
    for index in range(50, cases, 100):
        name = f"copy_{index:06d}.png"
        film, mask = folder / "images" / name, folder / "masks" / name
        whole = film.read_bytes()
        kind = index // 100 % 4
        (mask if kind == 3 else film).unlink()
        if kind < 3:
            film.write_bytes((whole[: len(whole) // 2], b"", b"no picture at all")[kind])
        broken.add(name)
    return broken


def many(cases: int) -> dict[str, object]:
    """One job over many small films."""
    samples: list[Sample] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as target:
        folder, out = Path(name), Path(target) / "shards"
        write_films(folder, cases, SIZE)
        broken = break_some(folder, cases)
        watcher = threading.Thread(target=watch, args=(out, samples, stop))
        watcher.start()
        whole = seconds(lambda: shard([name], str(out), DataSettings(size=SIZE)))
        stop.set()
        watcher.join()
        info = json.loads((out / "dataset.json").read_text())
        with (out / "rejected.csv").open() as lines:
            rejected = {Path(row["path"]).name for row in csv.DictReader(lines)}
    staged = max(sample.chunks for sample in samples)
    # Later the staged chunks are sorted into the split, and deleted.
    staging = samples[: 1 + next(i for i, s in enumerate(samples) if s.chunks == staged)]
    tenths = []
    for tenth in range(10):
        part = [s for s in staging if tenth * staged < s.chunks * 10 <= (tenth + 1) * staged]
        if not part:
            continue
        before = [s for s in staging if s.chunks * 10 <= tenth * staged and s.chunks] or part[:1]
        took, done = part[-1].seconds - before[-1].seconds, part[-1].chunks - before[-1].chunks
        rate = done / staged * cases / took if took else 0.0
        tenths.append({"images_per_second": rate, **part[-1]._asdict()})
        print(
            f"{tenth * 10 + 10:>4} %  {rate:8.0f} images/s  driver {part[-1].driver_mb:5.0f} MB  "
            f"workers {part[-1].workers_mb:5.0f} MB"
        )
    usable = sum(info["counts"].values())
    print(f"{cases} films in {whole:.0f} s: {usable} usable, {len(rejected)} rejected")
    return {
        "seconds": whole,
        "usable": usable,
        "rejected_is_complete": rejected == broken and usable == cases - len(broken),
        "peak_driver_mb": max(sample.driver_mb for sample in samples),
        "peak_workers_mb": max(sample.workers_mb for sample in samples),
        "tenths": tenths,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="fewer films, one round")
    parser.add_argument("--many", type=int, metavar="N", help="one job over N small films")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with session(ComputeSettings()):
        if arguments.many:
            figures: dict[str, object] = {"many": many(arguments.many)}
            print(json.dumps({k: v for k, v in figures["many"].items() if k != "tenths"}))  # type: ignore[attr-defined]
        else:
            figures = {"ratios": compare(arguments.quick)}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
