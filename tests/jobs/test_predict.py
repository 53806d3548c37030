"""Prediction on real Ray: identical masks, broken files, kill and resume, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from jobs.predict import pool_of, predict
from lungseg import networks, rle, segmenter
from lungseg.errors import UserError
from lungseg.images import read
from lungseg.prediction.parts import list_parts, read_part
from lungseg.segmenter import Segmenter
from lungseg.settings import PredictSettings

ARGUMENTS = {"widths": [4, 8], "batch_norm": "fused", "upsampling": "nearest"}
SETTINGS = PredictSettings(images_per_part=4, batch_size=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("model"))
    keras.utils.set_random_seed(3)
    info = {
        "architecture": "unet",
        "arguments": ARGUMENTS,
        "size": 64,
        "threshold": 0.5,
        "min_area_fraction": 0.001,
    }
    segmenter.save(folder, networks.build("unet", size=64, **ARGUMENTS), info)
    return folder


def write_films(folder: Path, count: int) -> None:
    folder.mkdir()
    for index in range(count):
        random = np.random.default_rng(index)
        film = cv2.resize(random.integers(0, 255, (9, 9)).astype(np.uint8), (90 + index, 110))
        cv2.imwrite(str(folder / f"film_{index:03d}.png"), film)


def predictions(out: Path) -> pd.DataFrame:
    tables = [read_part(path)[0] for path in list_parts(str(out))]
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


@pytest.mark.usefixtures("cluster")
def test_broken_files_and_identical_masks(model: str, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    write_films(films, 9)
    whole = (films / "film_000.png").read_bytes()
    (films / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (films / "empty.png").write_bytes(b"")
    (films / "text.png").write_text("not a picture")
    cv2.imwrite(str(films / "dot.png"), np.zeros((1, 1), np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3)).astype(np.uint8)
    cv2.imwrite(str(films / "photo.jpg"), cv2.resize(noise, (200, 150)))
    settings = SETTINGS.model_copy(update={"masks": True, "overlays": 2, "chexmask": True})
    summary = predict([model], [str(films)], str(out), settings)
    assert (summary["images"], summary["done"], summary["rejected"]) == (14, 10, 4)
    rejected = pd.read_csv(out / "rejected.csv")
    assert set(rejected["image_id"]) == {"truncated", "empty", "text", "dot"}
    assert rejected["reason"].str.len().min() > 10
    table = predictions(out).set_index("image_id")
    assert "colour" in table.loc["photo", "flags"]
    alone = Segmenter.load(model)
    for image_id, row in table.iterrows():
        mask = alone.predict(read(row["path"]).pixels)
        lungs = [rle.decode(row[name], *mask.shape) for name in ("left_rle", "right_rle")]
        assert not (lungs[0] & lungs[1]).any()
        np.testing.assert_array_equal(lungs[0] | lungs[1], mask)
        picture = cv2.imread(str(out / "masks" / f"{image_id}.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(picture > 127, mask)
    assert len(list((out / "overlays").iterdir())) == 2
    assert len(pd.read_csv(out / "chexmask.csv")) == 10
    with pytest.raises(UserError, match="another model or other settings"):
        predict([model], [str(films)], str(out), SETTINGS)
    write_films(tmp_path / "more", 1)
    with pytest.raises(UserError, match="predictions of other images"):
        predict([model], [str(films), str(tmp_path / "more")], str(out), settings)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_killed_job_goes_on(model: str, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    write_films(films, 400)
    command = [sys.executable, "-m", "jobs.command", "predict", "--model", model]
    command += ["--images", str(films), "--out", str(out)]
    command += ["--set", "predict.images_per_part=4", "--set", "predict.batch_size=3"]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    while len(list_parts(str(out))) < 3 and time.monotonic() - started < 120:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    kept = {path: os.stat(path).st_mtime_ns for path in list_parts(str(out))[:3]}
    assert len(kept) == 3
    predict([model], [str(films)], str(out), SETTINGS)
    undisturbed = tmp_path / "undisturbed"
    predict([model], [str(films)], str(undisturbed), SETTINGS)
    pd.testing.assert_frame_equal(predictions(out), predictions(undisturbed))
    assert predictions(out)["image_id"].is_unique
    assert len(predictions(out)) == 400
    assert kept == {path: os.stat(path).st_mtime_ns for path in kept}


def test_a_cpu_is_left_for_the_tasks() -> None:
    for cpus, actors in ((2.0, "1"), (2.0, "2"), (8.0, "1:4"), (64.0, "4:8")):
        pool = pool_of(PredictSettings(actors=actors), {"CPU": cpus}, 1)
        assert pool.largest * pool.cpus <= cpus - 1
        assert pool.threads >= 1
    with pytest.raises(UserError, match="the first number is the smaller one"):
        pool_of(PredictSettings(actors="3:2"), {"CPU": 8.0}, 1)
