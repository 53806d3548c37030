"""Evaluation on shards, on another data set, and of masks made elsewhere."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
import ray

from jobs import evaluate, waiting
from jobs.command import _status
from lungseg import networks, phantoms, segmenter

pytestmark = pytest.mark.usefixtures("cluster")
CASES = 6
TEST_CASES = 9
"""Of the tiny shards."""


class OtherWork:
    """An actor that holds CPUs."""

    def here(self) -> None:
        """Answers when the actor has its place."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    phantoms.write_manifest(phantoms.write(range(CASES), str(folder), seed=1, size=64), str(folder))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was never trained."""
    folder = tmp_path_factory.mktemp("models") / "unet"
    arguments: dict[str, Any] = {"widths": [4, 8], "batch_norm": "fused"}
    keras.utils.set_random_seed(0)
    info = {
        "architecture": "unet",
        "arguments": arguments,
        "size": 32,
        "threshold": 0.5,
        "min_area_fraction": 0.0,
        "training": {"fold": 0, "seed": 0},
    }
    segmenter.save(str(folder), networks.build("unet", size=32, **arguments), info)
    return folder


def test_a_model_on_another_data_set(data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores"
    request = ["evaluate", "--model", str(model), "--data", str(data), "--out", str(out)]
    assert _status(request) == 0
    table = pd.read_parquet(out / "unet" / "fold-0_seed-0.parquet")
    assert len(table) == CASES
    assert (table["split"] == "test").all()
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == table["height"] * table["width"]).all()


def test_on_machines_of_one_cpu_beside_other_work(
    tiny_shards: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ray's own tasks that read ask for a whole CPU."""
    monkeypatch.setattr(waiting, "PATIENCE", 1.0)
    monkeypatch.setattr(evaluate, "machines", lambda: [{"CPU": 1.0}])
    out = tmp_path / "scores"
    request = ["evaluate", "--model", str(model), "--shards", tiny_shards, "--out", str(out)]
    others = [ray.remote(num_cpus=1)(OtherWork).remote() for _ in range(2)]
    ray.get([other.here.remote() for other in others])
    with ThreadPoolExecutor(1) as pool:
        scoring, told, deadline = pool.submit(_status, request), "", time.monotonic() + 60
        while "it needs" not in told and time.monotonic() < deadline:
            time.sleep(0.1)
            told += capsys.readouterr().out
        assert "it needs a machine with 0 CPUs free and a CPU to read with, the cluster has" in told
        ray.kill(others[0])
        assert scoring.result() == 0
    ray.kill(others[1])
    assert len(pd.read_parquet(out / "unet" / "fold-0_seed-0.parquet")) == TEST_CASES


def test_masks_of_another_tool(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = tmp_path / "peer"
    peer.mkdir()
    names = sorted(path.name for path in (data / "masks").iterdir())
    for name in names[:4]:
        (peer / name.replace(".png", "_mask.png")).write_bytes((data / "masks" / name).read_bytes())
    empty = np.zeros_like(cv2.imread(str(data / "masks" / names[3]), cv2.IMREAD_GRAYSCALE))
    cv2.imwrite(str(peer / names[3].replace(".png", "_mask.png")), empty)
    (peer / names[4]).write_text("no picture")
    out = tmp_path / "scores"
    request = ["evaluate", "--masks", str(peer), "--data", str(data), "--out", str(out)]
    assert _status(request) == 0
    table = pd.read_parquet(out / "peer" / "fold-0_seed-0.parquet")
    assert table["dice"].tolist() == [1, 1, 1, 0]
    assert table["failed"].tolist() == [False, False, False, True]
    rejected = pd.read_csv(out / "peer" / "rejected.csv")
    assert len(rejected) == 2
    assert rejected["reason"].tolist()[1] == "no mask of this name"
    assert "2 cases have no usable mask" in capsys.readouterr().out


def test_masks_or_films_that_cannot_be_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved, peer = tmp_path / "data", tmp_path / "peer"
    shutil.copytree(data, moved)
    peer.mkdir()
    names = sorted(path.name for path in (moved / "masks").iterdir())
    (moved / "images" / names[0]).unlink()
    shutil.copy(moved / "masks" / names[0], peer)
    for name in names[1:]:
        cv2.imwrite(str(peer / name), np.full((40, 40), 255, np.uint8))
    out = tmp_path / "scores"
    request = ["evaluate", "--masks", str(peer), "--data", str(moved), "--out", str(out)]
    assert _status(request) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("lungseg: none of the 6 masks can be used: the ")
    assert line.endswith(f"(all in {out}/peer/rejected.csv)")
    reasons = pd.read_csv(out / "peer" / "rejected.csv")["reason"]
    assert len(reasons) == CASES
    assert reasons[0] == "the film cannot be read: No such file or directory"
    assert reasons[1:].str.startswith("the mask is 40×40 pixels").all()


def test_a_report_of_scores_follows_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, peer = tmp_path / "scores", tmp_path / "peer"
    shutil.copytree(data / "masks", peer)
    request = ["evaluate", "--masks", str(peer), "--data", str(data), "--out", str(out)]
    report = ["report", str(out), "--set", "report.resamples=200"]
    assert [_status(words) for words in (request, report)] == [0, 0]
    summary = out / "report" / "summary.json"
    assert json.loads(summary.read_text())["models"]["peer"]["dice"]["mean"] == 1
    assert _status(report) == 0
    assert "written before" in capsys.readouterr().out
    name = min(path.name for path in peer.iterdir())
    cv2.imwrite(str(peer / name), np.zeros_like(cv2.imread(str(peer / name), 0)))
    assert [_status(words) for words in (request, report)] == [0, 0]
    assert json.loads(summary.read_text())["models"]["peer"]["n_failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--model", "m"], "either --shards or --data"),
        (["--model", "m", "--masks", "d"], "either --model or --masks"),
        (["--masks", "d", "--shards", "s"], "--masks goes with --data"),
        (["--model", "m", "--data", "d", "--split", "val"], "take test, all"),
        (["--model", "MODEL", "--model", "MODEL", "--data", "d"], "are both unet fold 0 seed 0"),
        (["--masks", "EMPTY", "--data", "DATA"], "holds no mask for any of the 6 cases"),
        (["--masks", "EMPTY", "--data", "DATA", "--split", "test"], "has split_hint=test: take"),
        (["--model", "MODEL", "--data", "DATA", "--split", "test"], "has split_hint=test: take"),
        (
            ["--masks", "EMPTY", "--data", "DATA", "--set", "data.layout=jsrt"],
            "holds no All247images",
        ),
        (["--model", "MODEL", "--shards", "SHARDS", "--split", "val"], "has no val cases"),
        (["--model", "HALF", "--shards", "SHARDS"], "has no model.weights.h5: copy it again"),
        (
            ["--model", "MODEL", "--shards", "SHARDS", "--set", "evaluate.min_area_fraction=0.01"],
            "was made with evaluate.min_area_fraction=0, not 0.01",
        ),
    ],
)
def test_wrong_requests(
    arguments: list[str],
    line: str,
    data: Path,
    model: Path,
    tiny_shards: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"MODEL": str(model), "DATA": str(data), "EMPTY": str(tmp_path)}
    places |= {name: str(tmp_path / name) for name in ("HALF", "SHARDS")}
    shutil.copytree(model, places["HALF"], ignore=lambda *_: ["model.weights.h5"])
    info = json.loads(Path(tiny_shards, "dataset.json").read_text())
    info["counts"] |= {"val": 0}
    Path(places["SHARDS"]).mkdir()
    Path(places["SHARDS"], "dataset.json").write_text(json.dumps(info))
    words = [places.get(word, word) for word in arguments]
    assert _status(["evaluate", *words, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert line in told[0]
