"""Prediction on real Ray: identical masks, broken files, refusals."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from jobs.command import _status
from jobs.predict import predict
from jobs.predict_worker import prepare_chunk
from lungseg import networks, rle, segmenter
from lungseg.datasets import chexmask
from lungseg.errors import UserError, WorkError
from lungseg.images import read
from lungseg.prediction import reading
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


def write_broken(folder: Path, ct_slice: Path) -> dict[str, str]:
    """One file of each kind that is no film, and what must be said of it: reason or flag."""
    random = np.random.default_rng(0)
    whole = (folder / "film_000.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not a picture")
    cv2.imwrite(str(folder / "dot.png"), np.zeros((1, 1), np.uint8))
    cv2.imwrite(str(folder / "huge.png"), np.zeros((10_000, 8_000), np.uint8))
    frames = [Image.fromarray(random.integers(0, 255, (64, 64), np.uint8)) for _ in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    shutil.copy(ct_slice, folder / "slice.dcm")
    colours = random.integers(0, 255, (12, 12, 3)).astype(np.uint8)
    cv2.imwrite(str(folder / "photo.jpg"), cv2.resize(colours, (200, 150)))
    return {
        "truncated": "cut short|truncated|damaged|incomplete",
        "empty": "the file is empty",
        "text": "no PNG, JPEG",
        "dot": "less than 32",
        "huge": "more than 64 megapixels",
        "animated": "frames|images",
        "slice": "CT",
        "photo": "colour",
    }


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_broken_files_and_identical_masks(model: str, originals: Path, tmp_path: Path) -> None:
    """One file in twenty is no film."""
    films, out = tmp_path / "films", tmp_path / "out"
    write_films(films, 152)
    wanted = write_broken(films, originals / "ct_slice_int16.dcm")
    settings = PredictSettings(
        images_per_part=16, batch_size=5, masks=True, overlays=2, chexmask=True
    )
    summary = predict([model], [str(films)], str(out), settings)
    assert (summary["images"], summary["done"], summary["rejected"]) == (160, 153, 7)
    table = predictions(out).set_index("image_id")
    told = {"photo": ", ".join(table.loc["photo", "flags"])}
    told |= pd.read_csv(out / "rejected.csv").set_index("image_id")["reason"].to_dict()
    assert told.keys() == wanted.keys()
    for image_id, pattern in wanted.items():
        assert re.search(pattern, told[image_id]), (image_id, told[image_id])
    alone = Segmenter.load(model)
    exported = {
        case.image: case for case in chexmask.find(str(out / "chexmask"), [str(films)]).cases
    }
    assert len(exported) == len(table)
    for image_id, row in table.iterrows():
        mask = alone.predict(read(row["path"]).pixels)
        lungs = [rle.decode(row[name], *mask.shape) for name in ("left_rle", "right_rle")]
        assert not (lungs[0] & lungs[1]).any()
        np.testing.assert_array_equal(lungs[0] | lungs[1], mask)
        picture = cv2.imread(str(out / "masks" / f"{image_id}.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(picture > 127, mask)
        case = exported[row["path"]]
        assert case.mask_size == mask.shape
        written = {row["left_rle"], row["right_rle"]} - {""}
        assert set(case.mask_rle) == {rle.pack(text) for text in written}
    assert len(list((out / "overlays").iterdir())) == 2
    with pytest.raises(UserError, match=r"with predict\.batch_size=5, not 3"):
        predict([model], [str(films)], str(out), settings.model_copy(update={"batch_size": 3}))
    with pytest.raises(UserError, match="predictions of other images"):
        predict([model], [str(films / "film_001.png")], str(out), settings)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_actors_change_nothing_and_batches_only_rounding(model: str, tmp_path: Path) -> None:
    films = tmp_path / "films"
    write_films(films, 40)
    tables = []
    for name, change in (
        ("one", {}),
        ("two", {"actors": "2"}),
        ("batches", {"batch_size": 1, "images_per_part": 10}),
    ):
        settings = SETTINGS.model_copy(update=change)
        predict([model], [str(films)], str(tmp_path / name), settings)
        tables.append(predictions(tmp_path / name))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pixels = 0
    for (_, one), (_, other) in zip(tables[0].iterrows(), tables[2].iterrows(), strict=True):
        size = (one["height"], one["width"])
        for side in ("left_rle", "right_rle"):
            pixels += int((rle.decode(one[side], *size) != rle.decode(other[side], *size)).sum())
    assert pixels <= 1e-5 * float((tables[0]["height"] * tables[0]["width"]).sum())


UNREADABLE = "/proc/self/mem"
"""A file whose every read fails with EIO."""


def test_a_film_that_is_never_read_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reading, "_WAITS", (0.0, 0.0))
    write_films(tmp_path / "films", 2)
    paths = [UNREADABLE, f"{tmp_path}/films/film_000.png", *[UNREADABLE] * 6]
    images = [{"image_id": str(index), "path": path} for index, path in enumerate(paths)]
    table = pa.table({"chunk": [0], "images": [json.dumps(images)]})
    (row,) = prepare_chunk(table, size=64, clahe=0.0).to_pylist()
    films, rejected = pickle.loads(row["films"], buffers=[row["squares"]])
    assert [film.image_id for film in films] == ["1"]
    assert len(rejected) == 7
    assert rejected[0]["reason"] == (
        "the file could not be read, tried 3 times (Input/output error)"
    )
    away = json.dumps([{"image_id": "a", "path": UNREADABLE}] * 4)
    with pytest.raises(WorkError, match="once their storage answers, the same command goes on"):
        prepare_chunk(pa.table({"chunk": [0], "images": [away]}), size=64, clahe=0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_wrong_requests_get_one_line(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    write_films(films, 1)
    (tmp_path / "list.csv").write_text("film\na.png\n")
    (tmp_path / "file").write_text("x")
    for name, change in (("odd", {"size": 65}), ("damaged", {"sha256": "0" * 64})):
        shutil.copytree(model, tmp_path / name)
        info = json.loads((tmp_path / name / "segmenter.json").read_text())
        (tmp_path / name / "segmenter.json").write_text(json.dumps(info | change))
    plain = {"--model": model, "--images": str(films), "--out": str(out)}
    for change, status, reason in (
        ({"--model": str(tmp_path / "nothing")}, 2, "holds no trained model"),
        ({"--model": str(films)}, 2, "holds no trained model"),
        ({"--model": str(tmp_path / "damaged")}, 2, "is not the file that segmenter.json"),
        ({"--images": str(tmp_path / "*.tif")}, 2, "no image in"),
        ({"--images": str(tmp_path / "none")}, 2, "is not there"),
        ({"--images": str(tmp_path / "list.csv")}, 2, "needs a column image or path"),
        ({"--out": str(tmp_path / "file")}, 2, "cannot become one"),
        ({"--actors": "two"}, 2, "actors"),
        ({"--out": "/sys/out"}, 1, "cannot use /sys/out: "),
        # What only a network process can tell.
        ({"--model": str(tmp_path / "odd"), "--out": f"{out}-odd"}, 1, "multiples of 2, not 65 px"),
    ):
        words = [word for pair in (plain | change).items() for word in pair]
        assert _status(["predict", *words]) == status, reason
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert reason in line
    assert not out.exists()
