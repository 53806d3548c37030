"""A head and two workers with addresses of their own: tokens, a lost machine, a cut in the network.

What is lost each time is printed, for `cluster/README.md`: `pytest -s tests/cluster/test_nodes.py`.
"""

from __future__ import annotations

import json
import math
import re
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
import fsspec
import keras
import numpy as np
import pandas as pd
import pytest

from lungseg import networks, phantoms, segmenter, storage
from lungseg.prediction.parts import list_parts, read_part
from lungseg.run_status import read_status
from lungseg.training.history import Row, read_history

pytestmark = [
    pytest.mark.slow,
    # Of the object storage's server and client.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LUNGSEG = [sys.executable, "-m", "jobs.command"]
EPOCHS, RATE = 60, 0.01
FILMS, PER_PART = 240, 4
CUT_SECONDS = 20
MONITORING = Path(__file__).parents[2] / "cluster" / "monitoring"
DASHBOARD = "http://127.0.0.1:8265"
FOLDER = "s3://lungs"
RUN = f"{FOLDER}/run"


@pytest.fixture(scope="module")
def bucket(machines: Any) -> Iterator[str]:
    """A bucket with the films of 40 phantoms."""
    s3 = fsspec.get_filesystem_class("s3")
    s3.clear_instance_cache()
    fsspec.filesystem("s3").mkdir(FOLDER)
    films = f"{FOLDER}/films"
    phantoms.write_manifest(phantoms.write(range(40), films, seed=1, size=64), films)
    yield films
    s3.clear_instance_cache()


def settings(**values: object) -> list[str]:
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


SHARD = [*LUNGSEG, "shard", *settings(**{"data.size": 32, "data.phantoms": 20})]
SUBMIT = [*LUNGSEG, "submit", "run", "--models", "unet", "--out", RUN, "--workers", "1:2"]
SUBMIT += ["--cpus-per-worker", "3", "--address", DASHBOARD]
SUBMIT += settings(
    **{
        "data.size": 32,
        "data.cases_per_shard": 8,
        "network.widths": "[8,16,32]",
        "train.batch_size": 2,
        "train.epochs": EPOCHS,
        "train.learning_rate": RATE,
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

    def __init__(self, count: Callable[[], int], seconds: float = 0.02) -> None:
        self._count, self._seconds = count, seconds
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

    def wait_for(self, count: int, seconds: float = 300) -> None:
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
        while not self._ended.wait(self._seconds):
            new = self._count() - self.done
            self._times += [time.monotonic()] * new


@contextmanager
def running(machines: Any, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A command on the head; killed where the test ends before it."""
    job = subprocess.Popen(
        machines.on_head(command),
        env=machines.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield job
    finally:
        job.kill()
        # Shown where the test failed before its end.
        print(job.communicate()[0])


def end(job: subprocess.Popen[str]) -> str:
    """Wait for a job's good end; what it said."""
    said, _ = job.communicate(timeout=200)
    assert job.returncode == 0, said
    return said


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


NOT_HERE = {
    *("ray_node_gpus_utilization", "ray_node_gram_used"),
    *("ray_cluster_pending_nodes", "ray_cluster_failed_nodes"),
    *("ray_lungseg_predict_images_per_second", "ray_data_operator_queued_blocks"),
}
"""What the dashboard shows of GPUs, an autoscaler, and films that are read beside the network."""


def _on_the_dashboard() -> set[str]:
    """Names of the metrics in Grafana's dashboard."""
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return {name for one in targets for name in re.findall(r"\b(ray_\w+)\{", one["expr"])}


def test_a_submitted_run_loses_a_machine_gets_it_back_and_is_cut_off(
    machines: Any, bucket: str
) -> None:
    """Films, run and report on object storage; the log and the folder hold no secret."""
    model = f"{RUN}/models/unet/fold-0/seed-0"

    def rows() -> list[Row]:
        return read_history(f"{model}/history.csv")

    def workers() -> list[int]:
        # Of two the learning rate is whole, of fewer its root's share.
        return [round(2 * (row["learning_rate"] / RATE) ** 2) for row in rows()]

    command = [*SUBMIT, "--data", bucket]
    with running(machines, command) as job, Progress(lambda: len(rows()), 0.25) as epochs:
        epochs.wait_for(3)
        assert workers()[-1] == 2
        assert machines.processes("two", "RayTrainWorker")
        machines.lose("two")
        lost_at = epochs.done
        epochs.wait_for(lost_at + 2)
        assert workers()[-1] == 1
        machines.start("two", 3)
        back_at, started, shown = epochs.done, time.monotonic(), set()
        while workers()[-1] == 1 and time.monotonic() < started + 300:
            shown |= machines.metrics()
            time.sleep(0.5)
        assert workers()[-1] == 2
        growth = time.monotonic() - started
        cut_at, before = epochs.done, machines.processes("two", "RayTrainWorker")
        machines.cut("two", CUT_SECONDS)
        epochs.wait_for(cut_at + 2)
        restarted = machines.processes("two", "RayTrainWorker") != before
        log = end(job)
        epochs.wait_for(EPOCHS)
    assert [row["epoch"] for row in rows()] == list(range(1, EPOCHS + 1))
    assert {1, 2} == set(workers())
    assert math.isfinite(rows()[-1]["loss"])
    assert {state["state"] for state in read_status(RUN).values()} == {"done"}
    assert json.loads(storage.read_text(f"{RUN}/report/summary.json"))["models"]["unet"]
    lost = {
        "a lost machine": epochs.lost(lost_at, back_at),
        "its return": epochs.lost(back_at, cut_at),
        f"a cut of {CUT_SECONDS} s": epochs.lost(cut_at),
    }
    print("\ntraining loses", {what: round(seconds, 1) for what, seconds in lost.items()}, "s")
    print(f"two workers again {growth:.0f} s after `ray start`; {restarted=} by the cut")
    assert max(lost.values()) < 120
    assert f"the machine {machines.addresses['two']} is lost" in log
    assert "(raylet)" not in log
    assert _on_the_dashboard() - shown <= NOT_HERE
    secrets = (machines.token, machines.environment["AWS_SECRET_ACCESS_KEY"])
    files = [path for path in machines.folder.rglob("*") if path.is_file()]
    texts = [log.encode(), *(path.read_bytes() for path in files)]
    texts += [storage.read_bytes(path) for path in storage.list_files(RUN, recursive=True)]
    assert not [text for text in texts for secret in secrets if secret.encode() in text]


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
    command += ["--address", machines.ray]
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
        went_on = time.monotonic()
        end(job)
        parts.wait_for(FILMS // PER_PART)
        rest = time.monotonic() - went_on
    tables = [read_part(path)[0] for path in list_parts(out)]
    ids = pd.concat(tables, ignore_index=True)["image_id"]
    assert sorted(ids) == [f"film_{index:03d}" for index in range(FILMS)]
    print(
        f"\nprediction loses {parts.lost(at):.1f} s with a machine {how}, ends {rest:.0f} s later"
    )
    assert parts.lost(at) < 120
    if how == "lost":
        machines.start(victim, 3)
