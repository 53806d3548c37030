"""Prediction from and to object storage, spoken to over HTTP by several processes."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import fsspec
import keras
import numpy as np
import pytest

from lungseg import networks, rle, segmenter, storage
from lungseg.prediction.parts import list_parts, read_part
from lungseg.segmenter import Segmenter

pytestmark = pytest.mark.slow
pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")

ARGUMENTS = {"widths": [4, 8], "batch_norm": "fused", "upsampling": "nearest"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    fsspec.filesystem("s3", skip_instance_cache=True)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    # Moto's servers of one process share their buckets.
    name = f"s3://lungs-{secrets.token_hex(4)}"
    fsspec.filesystem("s3").mkdir(name)
    yield name
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_marks_of_folders_are_no_files(bucket: str) -> None:
    """As Arrow leaves them, through which Ray writes checkpoints."""
    from pyarrow.fs import FileSystem

    arrow, path = FileSystem.from_uri(f"{bucket}/checkpoints/one")
    arrow.create_dir(path)
    storage.write_text(f"{bucket}/checkpoints/one/state.json", "{}")
    files = [f"{bucket}/checkpoints/one/state.json"]
    assert storage.list_files(f"{bucket}/checkpoints/one") == files
    assert storage.list_files(f"{bucket}/checkpoints", recursive=True) == files
    assert storage.list_files(f"{bucket}/checkpoints") == []
    assert storage.list_folders(f"{bucket}/checkpoints") == [f"{bucket}/checkpoints/one"]
    assert storage.match(f"{bucket}/checkpoints/**") == files


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_images_and_predictions_on_object_storage(bucket: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    info = {"architecture": "unet", "arguments": ARGUMENTS, "size": 64}
    info |= {"threshold": 0.5, "min_area_fraction": 0.001}
    model, films, out = (f"{bucket}/{name}" for name in ("model", "films", "out"))
    segmenter.save(model, networks.build("unet", size=64, **ARGUMENTS), info)
    images = {}
    for index in range(20):
        random = np.random.default_rng(index)
        film = cv2.resize(random.integers(0, 255, (9, 9)).astype(np.uint8), (90 + index, 110))
        images[f"ward_{index % 2}/film_{index:02d}"] = film
        name = f"{films}/ward_{index % 2}/film_{index:02d}.png"
        storage.write_bytes(name, cv2.imencode(".png", film)[1].tobytes())
    storage.write_bytes(f"{films}/text.png", b"not a picture")
    command = [sys.executable, "-m", "jobs.command", "predict", "--model", model, "--masks"]
    command += ["--images", films, "--out", out, "--set", "predict.images_per_part=6"]
    # Another name of the same address, which no listing tells.
    again = [word.replace(out, out.replace("s3://", "s3a://")) for word in command]
    first, second = (
        subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
        for words in (command, again)
    )
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "20 done, 1 rejected" in first.stdout
    assert "predicted before" in second.stdout
    alone = Segmenter.load(model)
    seen = []
    for part in list_parts(out):
        for _, row in read_part(part)[0].iterrows():
            mask = alone.predict(images[row["image_id"]])
            lungs = [rle.decode(row[name], *mask.shape) for name in ("left_rle", "right_rle")]
            np.testing.assert_array_equal(lungs[0] | lungs[1], mask)
            assert storage.exists(f"{out}/masks/{row['image_id']}.png")
            seen.append(row["image_id"])
    assert sorted(seen) == sorted(images)
    assert "text.png" in storage.read_text(f"{out}/rejected.csv")
    assert not os.listdir(tmp_path)
