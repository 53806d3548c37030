"""A model folder: what is loaded is what was saved, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from lungseg import networks, rle, segmenter
from lungseg.errors import UserError
from lungseg.evaluation import score_batch
from lungseg.letterbox import letterbox, letterbox_mask
from lungseg.segmenter import Segmenter

INFO: dict[str, Any] = {
    "architecture": "unet",
    "arguments": {"widths": [4, 8], "batch_norm": "fused", "upsampling": "nearest"},
    "size": 32,
    "threshold": 0.5,
    "min_area_fraction": 0.0,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(3)
    model = networks.build("unet", size=32, **INFO["arguments"])
    segmenter.save(str(tmp_path / "model"), model, INFO)
    return tmp_path / "model"


def test_a_saved_model_comes_back(folder: Path) -> None:
    keras.utils.set_random_seed(3)
    model = networks.build("unet", size=32, **INFO["arguments"])
    loaded = Segmenter.load(str(folder), "float32")
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 1)).astype(np.uint8)
    expected = np.asarray(model(images / np.float32(255)))[..., 0]
    np.testing.assert_allclose(loaded.probabilities(images), expected, atol=1e-6)
    assert loaded.info["parameters"] == model.count_params()
    assert keras.config.dtype_policy().name == "float32"


def test_precision_is_a_matter_of_loading(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 1)).astype(np.uint8)
    exact = Segmenter.load(str(folder), "float32").probabilities(images)
    rough = Segmenter.load(str(folder), "bfloat16").probabilities(images)
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, exact, atol=0.02)
    assert keras.config.dtype_policy().name == "float32"


def test_predict_gives_the_mask_that_evaluation_scores(folder: Path) -> None:
    image = np.random.default_rng(1).integers(0, 255, (50, 41)).astype(np.uint8)
    loaded = Segmenter.load(str(folder), "float32")
    mask = loaded.predict(image)
    assert mask.shape == image.shape
    assert mask.dtype == bool
    square, geometry = letterbox(image, 32)
    reference = np.zeros(image.shape, bool)
    reference[5:40, 5:15] = reference[5:40, 25:35] = True
    row = {
        "case_id": "a",
        "patient_id": "p",
        "split": "test",
        "source": "s",
        "mask_convention": "unknown",
        "sex": "",
        "age": np.float32("nan"),
        "finding": "",
        "view": "",
        "spacing_row": 0.5,
        "spacing_column": 0.5,
        "reference_rle": rle.encode(reference),
        "image": square[..., None],
        "mask": letterbox_mask(reference, geometry)[..., None],
    } | {
        name: getattr(geometry, name)
        for name in ("height", "width", "scaled_height", "scaled_width", "top", "left")
    }
    (scores,) = score_batch(loaded, {name: np.array([value]) for name, value in row.items()})
    assert scores["prediction_rle"] == rle.encode(mask)
    assert scores["tp"] == (mask & reference).sum()
    assert scores["tp"] + scores["fp"] + scores["fn"] + scores["tn"] == image.size
    assert scores["boundary_unit"] == "mm"


def test_wrong_images_are_refused(folder: Path) -> None:
    loaded = Segmenter.load(str(folder), "float32")
    wrong: Any
    for wrong in (np.zeros((40, 40), np.float32), np.zeros((40, 40, 3), np.uint8), "film.png"):
        with pytest.raises(
            UserError, match=r"takes a uint8 image \(H, W\), not (float32|uint8|str)"
        ):
            loaded.predict(wrong)
    with pytest.raises(UserError, match="batch_size is 0"):
        list(loaded.predict_many([], batch_size=0))
    wrong = "fp16"
    with pytest.raises(UserError, match="no precision 'fp16': take one of auto, float64"):
        Segmenter.load(str(folder), wrong)


def test_folders_that_are_no_model_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no trained model"):
        Segmenter.load(str(tmp_path / "nothing"))
    info = json.loads((folder / "segmenter.json").read_text())
    (folder / "segmenter.json").write_text(json.dumps(info | {"format": 9}))
    with pytest.raises(UserError, match="has format 9, this version reads 1"):
        Segmenter.load(str(folder))
    (folder / "segmenter.json").write_text(json.dumps(info))
    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"is not the file that segmenter.json describes"):
        Segmenter.load(str(folder))
