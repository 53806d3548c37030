"""Work that finds no place on the cluster says so, and begins when there is one."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs import follow, waiting
from jobs.command import _status
from jobs.starts import read_starts

pytestmark = pytest.mark.usefixtures("cluster")


class OtherWork:
    """An actor that holds CPUs."""


@pytest.mark.slow
def test_a_training_says_what_it_waits_for(
    tiny_shards: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import ray

    monkeypatch.setattr(follow, "PATIENCE", 1.0)
    model = tmp_path / "model"
    command = ["train", "--model", "unet", "--shards", tiny_shards, "--out", str(model)]
    command += ["--set", "data.size=32", "--set", "network.widths=[4,8]", "--epochs", "1"]
    other = ray.remote(num_cpus=2)(OtherWork).remote()
    with ThreadPoolExecutor(1) as pool:
        training, told, deadline = pool.submit(_status, command), "", time.monotonic() + 60
        while "it needs" not in told and time.monotonic() < deadline:
            time.sleep(0.1)
            told += capsys.readouterr().out
        assert "it needs 1 worker of 2 CPUs each, the cluster has 0 of 2 CPUs free now" in told
        assert not training.done()
        ray.kill(other)
        assert training.result() == 0
    assert "it needs" not in capsys.readouterr().out
    assert read_starts(str(model)) == [1]
    assert json.loads((model / "segmenter.json").read_text())["training"]["epochs"] == 1


def test_what_has_begun_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    for begun in (True, False):
        with waiting.told_if_waiting("unet", "1 CPU", lambda begun=begun: begun):
            time.sleep(0.5)
        told = capsys.readouterr().out
        assert ("it needs 1 CPU, the cluster has" in told) != begun
