"""A head and two workers with addresses of their own: tokens, a lost machine, a cut in the network.

What is lost each time is printed, for `cluster/README.md`: `pytest -s tests/cluster/test_nodes.py`.
"""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from lungseg import networks, segmenter
from lungseg.prediction.parts import list_parts, read_part
from lungseg.training.history import Row, read_history

pytestmark = pytest.mark.slow

LUNGSEG = [sys.executable, "-m", "jobs.command"]
EPOCHS, RATE = 110, 0.01
FILMS, PER_PART = 240, 4
CUT_SECONDS = 20


@pytest.fixture(scope="module")
def shards(machines: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """60 phantoms at 32 px, written by the cluster."""
    folder = str(tmp_path_factory.mktemp("nodes") / "shards")
    done = machines.run([*SHARD, "--out", folder, "--address", machines.ray])
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def settings(**values: object) -> list[str]:
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


SHARD = [*LUNGSEG, "shard", "--size", "32"]
SHARD += settings(**{"data.phantoms": 60, "data.phantom_size": 64, "data.cases_per_shard": 8})
TRAIN = [*LUNGSEG, "train", "--model", "unet", "--epochs", str(EPOCHS), "--batch-size", "2"]
TRAIN += ["--learning-rate", str(RATE), "--workers", "1:2", "--cpus-per-worker", "3"]
TRAIN += settings(
    **{
        "data.size": 32,
        "network.widths": [8, 16, 32],
        "train.stop_patience": 1000,
        "train.plateau_patience": 1000,
        "compute.resize_seconds": 5,
    }
)
"""A worker reserves two CPUs of the three: a machine has room for one, the head for none."""
PREDICT = [*LUNGSEG, "predict", "--actors", "2"]
PREDICT += settings(**{"predict.images_per_part": PER_PART, "predict.batch_size": 3})


class Progress:
    """When each of the numbered pieces of a job was there, as seen on the storage."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._times = [time.monotonic()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def done(self) -> int:
        """Pieces that are there."""
        return len(self._times) - 1

    def wait_for(self, count: int, seconds: float = 150) -> None:
        """Wait until so many are there."""
        deadline = time.monotonic() + seconds
        while self.done < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.done >= count

    def lost(self, since: int, until: int | None = None) -> float:
        """The longest wait for a piece after number `since`, beyond the usual one [s]."""
        waits = [after - before for before, after in pairwise(self._times)]
        return max(waits[since:until]) - median(waits[1:])

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            new = self._count() - self.done
            self._times += [time.monotonic()] * new


@contextmanager
def running(machines: Any, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A command on the head; killed where the test ends before it."""
    job = subprocess.Popen(
        machines.on_head([*command, "--address", machines.ray]),
        env=machines.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield job
    finally:
        job.kill()
        job.wait()


def end(job: subprocess.Popen[str]) -> None:
    """Wait for a job's good end."""
    said, _ = job.communicate(timeout=200)
    assert job.returncode == 0, said


@pytest.mark.parametrize("token", ["0" * 64, None], ids=["wrong", "missing"])
def test_another_token_is_refused(machines: Any, token: str | None, tmp_path: Path) -> None:
    """By the command with one line; by the Jobs API with a status."""
    mode = "token" if token else None
    changes = {"RAY_AUTH_TOKEN": token, "RAY_AUTH_MODE": mode, "HOME": str(tmp_path)}
    changes |= {"RAY_NUM_REDIS_GET_RETRIES": "2"}  # for the test's sake: 20 s otherwise
    command = [*SHARD, "--out", str(tmp_path / "shards"), "--address", machines.ray]
    done = machines.run(command, **changes)
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "RAY_AUTH_TOKEN" in done.stderr
    assert not (tmp_path / "shards").exists()
    ask = ASK.format(header=f'"Authorization": "Bearer {token}"' if token else "")
    assert machines.run([sys.executable, "-c", ask]).stdout.strip() == ("403" if token else "401")


ASK = """
import urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:8265/api/jobs/", headers={{{header}}})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_training_loses_a_machine_gets_it_back_and_is_cut_off(
    machines: Any, shards: str, tmp_path: Path
) -> None:
    model = str(tmp_path / "model")

    def rows() -> list[Row]:
        return read_history(f"{model}/history.csv")

    def workers() -> list[int]:
        # Of two the learning rate is whole, of fewer its root's share.
        return [round(2 * (row["learning_rate"] / RATE) ** 2) for row in rows()]

    command = [*TRAIN, "--shards", shards, "--out", model]
    with running(machines, command) as job, Progress(lambda: len(rows())) as epochs:
        epochs.wait_for(3)
        assert workers()[-1] == 2
        assert machines.processes("two", "RayTrainWorker")
        machines.lose("two")
        lost_at = epochs.done
        epochs.wait_for(lost_at + 2)
        assert workers()[-1] == 1
        machines.start("two", 3)
        back_at, started = epochs.done, time.monotonic()
        while workers()[-1] == 1 and time.monotonic() < started + 120:
            time.sleep(0.1)
        assert workers()[-1] == 2
        growth = time.monotonic() - started
        cut_at, before = epochs.done, machines.processes("two", "RayTrainWorker")
        machines.cut("two", CUT_SECONDS)
        epochs.wait_for(cut_at + 2)
        restarted = machines.processes("two", "RayTrainWorker") != before
        end(job)
        epochs.wait_for(EPOCHS)
    assert [row["epoch"] for row in rows()] == list(range(1, EPOCHS + 1))
    assert {1, 2} == set(workers())
    lost = {
        "a lost machine": epochs.lost(lost_at, back_at),
        "its return": epochs.lost(back_at, cut_at),
        f"a cut of {CUT_SECONDS} s": epochs.lost(cut_at),
    }
    print("\ntraining loses", {what: round(seconds, 1) for what, seconds in lost.items()}, "s")
    print(f"two workers again {growth:.0f} s after `ray start`; {restarted=} by the cut")
    assert max(lost.values()) < 120
    assert math.isfinite(rows()[-1]["loss"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network that was not trained."""
    folder = str(tmp_path_factory.mktemp("model"))
    arguments = {"widths": [4, 8], "batch_norm": "fused", "upsampling": "nearest"}
    keras.utils.set_random_seed(3)
    info = {"architecture": "unet", "arguments": arguments, "size": 64}
    info |= {"threshold": 0.5, "min_area_fraction": 0.001}
    segmenter.save(folder, networks.build("unet", size=64, **arguments), info)
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("films")
    for index in range(FILMS):
        random = np.random.default_rng(index)
        film = cv2.resize(random.integers(0, 255, (9, 9)).astype(np.uint8), (600 + index, 700))
        cv2.imwrite(str(folder / f"film_{index:03d}.png"), film)
    return str(folder)


@pytest.mark.parametrize("how", ["lost", "cut off"])
def test_prediction_with_a_machine(
    how: str, machines: Any, model: str, films: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    command = [*PREDICT, "--model", model, "--images", films, "--out", out]
    machines.wait_for(3)
    with running(machines, command) as job, Progress(lambda: len(list_parts(out))) as parts:
        parts.wait_for(3)
        victim = "one" if machines.processes("one", "Network") else "two"
        at = parts.done
        assert at < FILMS // PER_PART
        if how == "lost":
            machines.lose(victim)
        else:
            machines.cut(victim, CUT_SECONDS)
        end(job)
        parts.wait_for(FILMS // PER_PART)
    tables = [read_part(path)[0] for path in list_parts(out)]
    ids = pd.concat(tables, ignore_index=True)["image_id"]
    assert sorted(ids) == [f"film_{index:03d}" for index in range(FILMS)]
    print(f"\nprediction loses {parts.lost(at):.1f} s with a machine {how}")
    assert parts.lost(at) < 120
    if how == "lost":
        machines.start(victim, 3)
