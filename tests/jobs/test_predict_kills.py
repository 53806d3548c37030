"""Prediction whose processes are killed in the middle ends as an undisturbed one does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from jobs.predict import predict
from lungseg import networks, segmenter
from lungseg.prediction.parts import list_parts, read_part
from lungseg.settings import PredictSettings

pytestmark = pytest.mark.slow

FILMS, PER_PART = 240, 4
SETTINGS = PredictSettings(images_per_part=PER_PART, batch_size=3)
ARGUMENTS = {"widths": [4, 8], "batch_norm": "fused", "upsampling": "nearest"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("model"))
    keras.utils.set_random_seed(3)
    info = {"architecture": "unet", "arguments": ARGUMENTS, "size": 64}
    info |= {"threshold": 0.5, "min_area_fraction": 0.001}
    segmenter.save(folder, networks.build("unet", size=64, **ARGUMENTS), info)
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Films of many sizes; every twentieth is no picture."""
    folder = tmp_path_factory.mktemp("films")
    for index in range(FILMS):
        path = folder / f"film_{index:03d}.png"
        if index % 20 == 7:
            path.write_text("not a picture")
            continue
        random = np.random.default_rng(index)
        film = cv2.resize(random.integers(0, 255, (9, 9)).astype(np.uint8), (600 + index, 700))
        cv2.imwrite(str(path), film)
    return str(folder)


@pytest.fixture(scope="module")
def undisturbed(
    cluster: None, model: str, films: str, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    out = str(tmp_path_factory.mktemp("undisturbed"))
    summary = predict([model], [films], out, SETTINGS)
    assert (summary["done"], summary["rejected"]) == (FILMS - FILMS // 20, FILMS // 20)
    return predictions(out)


def predictions(out: str) -> pd.DataFrame:
    tables = [read_part(path)[0] for path in list_parts(out)]
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    assert table["image_id"].is_unique
    return table


def wait_for_parts(out: str, count: int) -> None:
    deadline = time.monotonic() + 180
    while len(list_parts(out)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert count <= len(list_parts(out)) < FILMS // PER_PART


def network_process() -> int:
    """The actor that holds the networks, among the descendants of this process's Ray."""
    parents: dict[int, int] = {}
    actors = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            )
            if "Network" in (folder / "cmdline").read_text():
                actors.append(int(folder.name))
        except (OSError, IndexError):
            continue

    def is_ours(pid: int) -> bool:
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, 0)
        return pid == os.getpid()

    (pid,) = filter(is_ours, actors)
    return pid


def test_a_lost_network_process(
    undisturbed: pd.DataFrame, model: str, films: str, tmp_path: Path
) -> None:
    out = str(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(predict, [model], [films], out, SETTINGS)
        wait_for_parts(out, 3)
        victim = network_process()
        os.kill(victim, signal.SIGKILL)
        summary = job.result()
    assert not Path(f"/proc/{victim}").exists()
    assert summary["images"] == FILMS
    pd.testing.assert_frame_equal(predictions(out), undisturbed)


def test_a_lost_command(undisturbed: pd.DataFrame, model: str, films: str, tmp_path: Path) -> None:
    out = str(tmp_path)
    command = [sys.executable, "-m", "jobs.command", "predict", "--model", model]
    command += ["--images", films, "--out", out]
    command += ["--set", f"predict.images_per_part={PER_PART}", "--set", "predict.batch_size=3"]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_parts(out, 3)
    finally:
        job.kill()
        job.wait()
    kept = {path: os.stat(path).st_mtime_ns for path in list_parts(out)[:3]}
    predict([model], [films], out, SETTINGS)
    pd.testing.assert_frame_equal(predictions(out), undisturbed)
    assert kept == {path: os.stat(path).st_mtime_ns for path in kept}


TWO_NODES = """
import os, sys, threading, time
from ray.cluster_utils import Cluster
from jobs.predict import predict
from jobs.session import session
from lungseg.prediction.parts import list_parts
from lungseg.settings import ComputeSettings, PredictSettings

model, films, out, per_part = sys.argv[1:]
node = {"num_cpus": 2, "object_store_memory": 200 * 2**20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
second = cluster.add_node(num_cpus=2, object_store_memory=200 * 2**20)

def lose_the_second() -> None:
    while len(list_parts(out)) < 3:
        time.sleep(0.02)
    cluster.remove_node(second, allow_graceful=False)
    os.write(1, b"lost after %d parts\\n" % len(list_parts(out)))

loss = threading.Thread(target=lose_the_second)
settings = PredictSettings(images_per_part=int(per_part), batch_size=3, actors="2")
with session(ComputeSettings(address=cluster.address)):
    loss.start()
    try:
        print(predict([model], [films], out, settings)["images"])
    except Exception as error:
        print("ended by", type(error).__name__)
    loss.join()
cluster.shutdown()
"""


def test_a_lost_machine(undisturbed: pd.DataFrame, model: str, films: str, tmp_path: Path) -> None:
    """The second of two nodes is lost; the command goes on, or does so when given again."""
    out = str(tmp_path)
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    environment["RAY_health_check_period_ms"] = "300"  # a dead node is found after five of them
    arguments = [sys.executable, "-c", TWO_NODES, model, films, out, str(PER_PART)]
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    # Lines of Ray may stand in the middle of it.
    lost = re.search(r"lost after (\d+) parts", done.stdout)
    assert lost, done.stdout[-1000:] + done.stderr[-2000:]
    assert int(lost[1]) < FILMS // PER_PART
    predict([model], [films], out, SETTINGS)
    pd.testing.assert_frame_equal(predictions(out), undisturbed)
