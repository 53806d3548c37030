"""MIN:MAX workers: as many as there is room for."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lungseg.training.history import read_history

pytestmark = pytest.mark.slow


@pytest.fixture
def small_cluster() -> Iterator[str]:
    """Address of a cluster of its own, with room for one worker of three CPUs."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args={"num_cpus": 3, "object_store_memory": 200 * 2**20})
    yield str(cluster.address)
    cluster.shutdown()


def test_what_there_is_room_for_starts(
    small_cluster: str, tiny_shards: str, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    command = [sys.executable, "-m", "jobs.command", "train", "--shards", tiny_shards]
    command += ["--model", "unet", "--out", str(model), "--epochs", "1", "--batch-size", "4"]
    command += ["--set", "data.size=32", "--set", "network.widths=[4,8]"]
    command += ["--learning-rate", "0.01", "--workers", "1:2", "--cpus-per-worker", "3"]
    done = subprocess.run(
        [*command, "--address", small_cluster], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    info = json.loads((model / "segmenter.json").read_text())
    assert info["training"]["workers"] == 1
    (row,) = read_history(str(model / "history.csv"))
    # The rate holds for two.
    assert row["learning_rate"] == pytest.approx(0.01 * math.sqrt(1 / 2))
