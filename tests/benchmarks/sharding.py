"""How fast `lungseg shard` is, against a plain OpenCV loop and against reading the files alone.

    python tests/benchmarks/sharding.py --json sharding.json [--quick] [--sides 512] [--data DIR]
    python tests/benchmarks/sharding.py --many 50000 [--json many.json]

Each round times, one after the other on the same files: the whole job on a local Ray cluster, start
of Ray not counted; reading the bytes; a loop of `cv2.imread` and `cv2.resize` over film and mask;
and our preprocessing (the three loops on a part of the files). The loops run in one process a CPU,
all at once, since that is how the job uses the machine: two loops on two cores of a cloud machine
are each a quarter slower than one alone. Ratios are a core's images/s against the OpenCV loop's.
What the job does beyond that loop: checks, geometry, the mask at original size as run lengths, two
hashes, staging on disk and Parquet.

The films are phantoms of each size of `--sides`; with `--data` those in its images/ and masks/,
which are also linked under other names until there are some thousand.

With `--many` one job runs over that many small films of which 1 % are broken; it prints the rate
and the memory (PSS) of driver and workers for each quarter of the decoding, and checks that
`rejected.csv` names just these.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from jobs.session import resources, session
from jobs.shard import shard
from lungseg import datasets, phantoms
from lungseg.preprocess import preprocess
from lungseg.settings import ComputeSettings, DataSettings

SIZE = 256
CASES = {512: 6000, 1024: 3000, 2000: 1500}
"""Films of each longer side in px."""
COPIES = 6000
PARTS = 4
DRAWN = 32
LOOPED = 10
"""The loops see one film in so many."""


def write_films(folder: Path, cases: int, side: int) -> None:
    """Phantoms as PNG, a few of them drawn and linked under many names."""
    rows = phantoms.write(range(DRAWN), str(folder), seed=0, size=side)
    for index in range(DRAWN, cases):
        for part in ("images", "masks"):
            name = Path(rows[index % DRAWN]["image"]).name
            os.link(folder / part / name, folder / part / f"copy_{index:06d}.png")


def link_films(source: Path, folder: Path, cases: int) -> None:
    """Films and masks of a folder, linked or copied under many names."""
    names = sorted(path.name for path in (source / "images").iterdir())
    for part in ("images", "masks"):
        (folder / part).mkdir()
        for index in range(cases):
            round_, which = divmod(index, len(names))
            target = folder / part / f"copy_{round_:04d}_{names[which]}"
            if round_:
                os.link(folder / part / f"copy_0000_{names[which]}", target)
            else:
                shutil.copyfile(source / part / names[which], target)


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


Loop = Callable[[Path, list[str]], None]


def at_once(loop: Loop, folder: Path, names: list[str]) -> float:
    """Images/s of a process, when one a CPU runs the loop over its share of the files."""
    spawn = multiprocessing.get_context("spawn")
    count = int(resources()["CPU"])
    barrier, took = spawn.Barrier(count), spawn.SimpleQueue()
    shares = [names[index::count] for index in range(count)]
    workers = [spawn.Process(target=timed, args=(loop, folder, s, barrier, took)) for s in shares]
    for worker in workers:
        worker.start()
    slowest = max(took.get() for _ in workers)
    for worker in workers:
        worker.join()
    return len(names) / count / slowest


def timed(loop: Loop, folder: Path, names: list[str], barrier: Any, took: Any) -> None:
    cv2.setNumThreads(1)
    loop(folder, names[:8])
    barrier.wait()
    took.put(seconds(lambda: loop(folder, names)))


def one_round(folder: Path, settings: DataSettings) -> dict[str, float]:
    """Images/s of each way, the job's divided by the CPUs it had."""
    names = sorted(path.name for path in (folder / "images").iterdir())
    with tempfile.TemporaryDirectory() as out:
        job = seconds(lambda: shard([str(folder)], f"{out}/shards", settings))
    loops = {"reading": read_alone, "opencv": opencv_loop, "preprocess": preprocess_loop}
    some = names[::LOOPED]
    rates = {name: at_once(loop, folder, some) for name, loop in loops.items()}
    return rates | {"job": len(names) / job / resources()["CPU"]}


def compare(sides: list[int], data: str | None, quick: bool) -> dict[str, float]:
    """Ratios of the medians over the rounds."""
    sets: dict[str, tuple[Callable[[Path, int], None], int]] = {}
    if data:
        sets["data"] = (lambda folder, cases: link_films(Path(data), folder, cases), COPIES)
    else:
        for side in sides:
            draw = functools.partial(write_films, side=side)
            sets[f"{side}px"] = (draw, CASES.get(side, CASES[1024]))
    settings = DataSettings(size=SIZE, split="none")
    ratios: dict[str, float] = {}
    for key, (write, cases) in sets.items():
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), cases // 5 if quick else cases)
            results = [one_round(Path(name), settings) for _ in range(1 if quick else 3)]
        rates = {way: statistics.median(one[way] for one in results) for way in results[0]}
        for way, rate in rates.items():
            print(f"{key:>7}  {way:<11} {rate:8.1f} images/s a core")
        ratios[f"vs_opencv_{key}"] = rates["job"] / rates["opencv"]
        ratios[f"preprocess_vs_opencv_{key}"] = rates["preprocess"] / rates["opencv"]
    ratios["vs_opencv"] = ratios[f"vs_opencv_{list(sets)[-1]}"]
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
    """MB of this process and of all Ray workers below it, shared pages counted once (PSS)."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    table = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    parent = {pid: above for pid, above, *_ in table}
    mine, workers = str(os.getpid()), 0.0
    for pid, _, command in table:
        above: str | None = pid
        while above not in (mine, "0", None):
            above = parent.get(above)
        if pid != mine and above == mine and command.startswith("ray::"):
            workers += proportional_mb(pid)
    return proportional_mb(mine), workers


def proportional_mb(pid: str) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0.0
    return int(text.split("\nPss:")[1].split()[0]) / 1024


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
    quarters = []
    for quarter in range(PARTS):
        low, high = quarter * staged, (quarter + 1) * staged
        part = [s for s in staging if low < s.chunks * PARTS <= high]
        if not part:
            continue
        before = [s for s in staging if s.chunks * PARTS <= low and s.chunks] or part[:1]
        took, done = part[-1].seconds - before[-1].seconds, part[-1].chunks - before[-1].chunks
        rate = done / staged * cases / took if took else 0.0
        quarters.append({"images_per_second": rate, **part[-1]._asdict()})
        print(
            f"quarter {quarter + 1}  {rate:8.0f} images/s  driver {part[-1].driver_mb:5.0f} MB  "
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
        "quarters": quarters,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="fewer films, one round")
    parser.add_argument("--sides", default="512,1024,2000", help="of the phantoms [px]")
    parser.add_argument("--data", metavar="FOLDER", help="its films instead of phantoms")
    parser.add_argument("--many", type=int, metavar="N", help="one job over N small films")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with session(ComputeSettings()):
        if arguments.many:
            figures: dict[str, object] = {"many": many(arguments.many)}
            print(json.dumps({k: v for k, v in figures["many"].items() if k != "quarters"}))  # type: ignore[attr-defined]
        else:
            sides = [int(side) for side in arguments.sides.split(",")]
            figures = {"ratios": compare(sides, arguments.data, arguments.quick)}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
