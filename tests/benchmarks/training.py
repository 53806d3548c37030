"""How fast `lungseg train` is, against a bare loop, a notebook's `model.fit`, and PyTorch.

    python tests/benchmarks/training.py --json training.json [--quick] [--only unet,workers]

Steady films a second, interleaved: in each round every contender in turn trains for a while and the
others wait. `ray` is `lungseg train` itself (Ray Train fed from shards, its own figure
for an epoch) with a pause after each epoch; the peers are described in `training_peers.py`. None
augments its films but `augmented`, which tells what that costs. Ratios are medians of the rounds'
ratios; peers that are not installed are null.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jobs.train
from jobs.session import LARGE_PAGES, session
from jobs.shard import shard
from jobs.train_worker import Training, work_from_dict
from lungseg import phantoms
from lungseg.resolve import resolve
from lungseg.settings import ComputeSettings, Settings
from lungseg.training.history import read_history

Measure = Callable[[], float]
"""Trains for a while, gives films a second."""

NARROW, WIDE = [32, 64, 128, 256, 512], [64, 128, 256, 512, 1024]
PEERS = ["bare", "augmented", "notebook", "torch_eager", "torch_compile"]
SECONDS = 12.0
"""Length of a peer's turn."""
ALONE = 160
"""Films of the trainings with workers of a core each."""


class Group(NamedTuple):
    """Contenders that are measured together."""

    model: str
    widths: list[int]
    batch: int
    cases: int
    peers: list[str]


GROUPS = {
    "unet": Group("unet", NARROW, 8, 300, PEERS),
    "unet_31m": Group("unet", WIDE, 4, 80, ["torch_eager", "torch_compile"]),
    "resunet": Group("resunet", NARROW, 8, 300, ["bare", "notebook"]),
    "rngunet": Group("rngunet", NARROW, 8, 300, ["bare", "notebook"]),
}


@contextlib.contextmanager
def peer(loop: str, group: Group, size: int, precision: str) -> Iterator[Measure]:
    """A training loop in a process of its own."""
    config = {"loop": loop, "model": group.model, "widths": group.widths, "batch": group.batch}
    config |= {"size": size, "precision": precision, "threads": 2}
    ours = loop in ("bare", "augmented")
    script = Path(__file__).with_name("training_peers.py")
    process = subprocess.Popen(
        [sys.executable, str(script), json.dumps(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | (LARGE_PAGES if ours else {}),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"the peer {loop} did not start")

    def train(steps: int) -> float:
        print(steps, file=process.stdin, flush=True)
        return float(process.stdout.readline())

    rate = train(2)
    steps = max(2, round(SECONDS * rate / group.batch))
    try:
        yield lambda: train(steps)
    finally:
        process.stdin.close()
        process.wait()


@contextlib.contextmanager
def product(settings: Settings, shards: str, folder: Path, rounds: int) -> Iterator[Measure]:
    """`lungseg train`, which waits after each epoch for a file that lets it go on."""
    folder.mkdir()

    def work_in_turns(plain: dict[str, Any]) -> None:
        import ray.train

        usual = ray.train.report

        def report(row: dict[str, Any], **arguments: Any) -> None:
            usual(row, **arguments)
            if ray.train.get_context().get_world_rank() == 0:
                (folder / f"new-{row['epoch']}").write_text(str(row["images_per_second"]))
                (folder / f"new-{row['epoch']}").rename(folder / f"done-{row['epoch']}")
            while row["epoch"] < rounds + 1 and not (folder / f"go-{row['epoch'] + 1}").exists():
                time.sleep(0.05)

        ray.train.report = report
        work_from_dict(plain)

    length = {"epochs": rounds + 1, "stop_patience": rounds + 1}
    settings = settings.model_copy(update={"train": settings.train.model_copy(update=length)})
    training = Training(settings.models[0], shards, str(folder / "model"))
    # The job pickles this name's function for its workers.
    jobs.train.work_from_dict = work_in_turns  # type: ignore[assignment]
    thread = threading.Thread(target=jobs.train.train, args=(training, settings), daemon=True)
    thread.start()
    turn = iter(range(1, rounds + 2))

    def epoch() -> float:
        number = next(turn)
        (folder / f"go-{number}").touch()
        done = folder / f"done-{number}"
        while not done.exists():
            if not thread.is_alive():
                raise RuntimeError(f"the training in {folder} ended early")
            time.sleep(0.05)
        return float(done.read_text())

    epoch()
    yield epoch
    thread.join()


def settings_for(group: Group, size: int, precision: str, **compute: Any) -> Settings:
    options = {"models": group.model, "data.size": size, "network.widths": group.widths}
    options |= {"train.batch_size": group.batch, "train.precision": precision}
    options |= {"train.augment": False}
    return resolve(options=options | {f"compute.{name}": value for name, value in compute.items()})


def interleave(contenders: dict[str, Measure], rounds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            rates[name].append(measure())
    return rates


def make_shards(folder: Path, cases: int, size: int) -> str:
    rows = phantoms.write(range(cases), str(folder / "films"), seed=0, size=size)
    phantoms.write_manifest(rows, str(folder / "films"))
    data = resolve(options={"data.size": size}).data
    shard([str(folder / "films")], str(folder / "shards"), data)
    return str(folder / "shards")


def against_peers(group: Group, work: Path, size: int, precision: str, rounds: int) -> Any:
    """One worker with all of the machine against each peer."""
    there = [p for p in group.peers if "torch" not in p or importlib.util.find_spec("torch")]
    with contextlib.ExitStack() as stack, session(ComputeSettings()):  # type: ignore[call-arg]
        shards = make_shards(work, group.cases, size)
        settings = settings_for(group, size, precision)
        contenders = {"ray": stack.enter_context(product(settings, shards, work / "ray", rounds))}
        for name in there:
            contenders[name] = stack.enter_context(peer(name, group, size, precision))
        return interleave(contenders, rounds)


def against_one(group: Group, work: Path, size: int, precision: str, rounds: int) -> Any:
    """Two workers of a core each against one, in trainings one after the other.

    Waiting beside each other, as above, they would be slower: Ray's processes of a training that
    stands still take 4 % of two cores.
    """
    with session(ComputeSettings()):  # type: ignore[call-arg]
        shards = make_shards(work, min(group.cases, ALONE), size)
        contenders: dict[str, Measure] = {}
        for name, workers in (("one_worker", 1), ("two_workers", 2)):
            settings = settings_for(
                group, size, precision, workers=(workers, workers), cpus_per_worker=1
            )
            contenders[name] = functools.partial(
                steady_epochs, settings, shards, work / name, itertools.count()
            )
        return interleave(contenders, rounds)


def steady_epochs(
    settings: Settings, shards: str, folder: Path, number: itertools.count[int]
) -> float:
    """Images/s of a training of four epochs, in the median of all but the first."""
    length = {"epochs": 4, "stop_patience": 4}
    settings = settings.model_copy(update={"train": settings.train.model_copy(update=length)})
    out = str(folder / str(next(number)))
    jobs.train.train(Training(settings.models[0], shards, out), settings)
    rows = read_history(f"{out}/history.csv")[1:]
    return statistics.median(float(row["images_per_second"]) for row in rows)


def ratio(rates: dict[str, list[float]], name: str, to: str) -> float | None:
    if name not in rates or to not in rates:
        return None
    return statistics.median(a / b for a, b in zip(rates[name], rates[to], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join([*GROUPS, "workers"]))
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--quick", action="store_true", help="64 px, narrow networks, one round")
    arguments = parser.parse_args()
    rounds, size = (1, 64) if arguments.quick else (arguments.rounds, 256)
    rates: dict[str, dict[str, list[float]]] = {}
    for name in arguments.only.split(","):
        group = GROUPS.get(name, GROUPS["unet"])
        if arguments.quick:
            group = group._replace(widths=[8, 16], cases=60)
        contest = against_peers if name in GROUPS else against_one
        with tempfile.TemporaryDirectory() as folder:
            rates[name] = contest(group, Path(folder), size, arguments.precision, rounds)
        for contender, values in rates[name].items():
            print(f"{name:9} {contender:14} {statistics.median(values):8.2f} films/s", flush=True)
    against = {"ray_vs_bare": "bare", "vs_notebook": "notebook"}
    against |= {f"vs_{loop}": loop for loop in ("torch_eager", "torch_compile")}
    by_model = {
        name: {group: ratio(values, "ray", loop) for group, values in rates.items()}
        for name, loop in against.items()
    }
    ratios = {name: values.get("unet") for name, values in by_model.items()}
    ratios["two_workers_vs_one"] = ratio(rates.get("workers", {}), "two_workers", "one_worker")
    for name, value in ratios.items():
        print(f"{name:20} {value if value is None else round(value, 3)}")
    if arguments.json:
        result = {"ratios": ratios, "by_model": by_model, "films_per_second": rates}
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
