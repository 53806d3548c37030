"""A run's folder as all stages would leave it, made of drawn ellipses, without any training."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from lungseg import rle, shards, storage
from lungseg.letterbox import letterbox, letterbox_mask
from lungseg.opencv import cv2
from lungseg.scores import overlap, score_case
from lungseg.scores.counts import count

WriteRun = Callable[..., str]

MODELS = ("unet", "resunet", "rngunet")
FINDINGS = ("normal", "tuberculosis", "COVID-19")


def draw_case(index: int, height: int = 150, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """uint8 film and bool mask with two lungs, different for each index."""
    generator = np.random.default_rng(index)
    mask = np.zeros((height, width), np.uint8)
    tilt = float(generator.uniform(-8, 8))
    for side, lean in ((0.28, 6.0), (0.72, -6.0)):
        centre = (round(width * side), round(height * 0.5))
        half = (
            round(width * generator.uniform(0.13, 0.18)),
            round(height * generator.uniform(0.3, 0.38)),
        )
        cv2.ellipse(mask, centre, half, lean + tilt, 0, 360, 1, -1)
    film = np.where(mask > 0, 70, 170) + generator.normal(0, 18, mask.shape)
    return np.clip(film, 0, 255).astype(np.uint8), mask.astype(bool)


def predict(mask: np.ndarray, quality: float, generator: np.random.Generator) -> np.ndarray:
    """A mask off by some pixels; quality 1 is perfect."""
    shift = generator.normal(0, 12 * (1 - quality), 2).round().astype(int)
    return np.roll(mask, tuple(shift), (0, 1))


def shard_row(
    index: int, split: str, size: int, facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    film, mask = draw_case(index, height=150 + 10 * (index % 4))
    square, geometry = letterbox(film, size)
    known = index % 3 == 0
    row = {
        "case_id": f"case-{index:04d}",
        "patient_id": f"patient-{index // 2}" if index % 7 == 0 else f"patient-{index}x",
        "source": ("Shenzhen", "COVID-v7")[index % 2],
        "split": split,
        "fold": 0,
        "sex": ("F", "M", "")[index % 3],
        "age": math.nan if index % 5 == 0 else 20.0 + index % 60,
        "finding": FINDINGS[index % 3],
        "view": "PA",
        "mask_convention": ("heart-excluded", "retrocardiac-included")[index % 2],
        "spacing_row": 0.5 if known else math.nan,
        "spacing_column": 0.5 if known else math.nan,
        "reference_rle": rle.encode(mask),
        "image_hash": f"{(index + 1) * 11400714819323198485 % 2**64:016x}",
        "image": square,
        "mask": letterbox_mask(mask, geometry).astype(np.uint8),
    }
    sizes = ("height", "width", "scaled_height", "scaled_width", "top", "left")
    return row | {name: getattr(geometry, name) for name in sizes} | (facts or {})


def score_rows(
    rows: Sequence[dict[str, Any]], model: str, fold: int, seed: int, quality: float
) -> pd.DataFrame:
    generator = np.random.default_rng([fold, seed, len(model)])
    records = []
    for row in rows:
        reference = rle.decode(row["reference_rle"], row["height"], row["width"])
        prediction = predict(reference, quality, generator)
        raw = prediction | (generator.random(prediction.shape) < 0.01)
        raw_counts = count(raw, reference)
        spacing = (row["spacing_row"], row["spacing_column"])
        left_out = ("image", "mask", "image_hash", "reference_rle", "fold")
        records.append(
            {name: value for name, value in row.items() if name not in left_out}
            | {"model": model, "fold": fold, "seed": seed}
            | score_case(prediction, reference, spacing)
            | {f"raw_{name}": value for name, value in raw_counts.items()}
            | {"raw_dice": overlap(**raw_counts)["dice"], "prediction_rle": rle.encode(prediction)}
        )
    return pd.DataFrame(records)


def write_parquet(path: str, frame: pd.DataFrame) -> None:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    storage.write_bytes(path, stream.getvalue())


def write_history(folder: str, epochs: int, quality: float) -> None:
    epoch = np.arange(1, epochs + 1)
    dice = quality * (1 - 0.5 * np.exp(-epoch / 3))
    history = pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 1 - dice,
            "dice": dice,
            "val_loss": 1.02 - dice,
            "val_dice": dice - 0.02,
            "learning_rate": np.where(epoch < epochs / 2, 1e-3, 5e-4),
            "seconds": 3.0,
            "images_per_second": 40.0,
        }
    )
    storage.write_text(storage.join(folder, "history.csv"), history.to_csv(index=False))


def write_calibration(folder: str) -> None:
    low = np.arange(64) / 64
    pixels = np.where((low < 0.1) | (low > 0.9), 10.0, 0.1)
    table = pd.DataFrame(
        {
            "threshold": low,
            "upper": low + 1 / 64,
            "pixels": pixels,
            "positives": pixels * np.clip(low + 0.5 / 64, 0, 1) ** 1.2,
            "mean_dice": 0.95 - (low - 0.45) ** 2,
        }
    )
    storage.write_text(storage.join(folder, "calibration.csv"), table.to_csv(index=False))


def write_model(folder: str, model: str, fold: int, seed: int, quality: float) -> None:
    write_history(folder, 20, quality)
    write_calibration(folder)
    number = MODELS.index(model) if model in MODELS else 3
    info = {
        "format": 1,
        "architecture": model,
        "arguments": {"widths": [16, 32, 64]},
        "size": 64,
        "parameters": 7_000_000 + 600_000 * number,
        "threshold": 0.45,
        "min_area_fraction": 0.01,
        "gflops": 20.0 + 3 * number,
        "preprocessing": {"letterbox": "black", "scale": "uint8 / 255"},
        "mask_conventions": ["heart-excluded", "retrocardiac-included"],
        "data_fingerprint": "0123456789abcdef",
        "training": {
            "fold": fold, "seed": seed, "epochs": 20, "best_epoch": 18,
            "seconds": 60.0 + 9 * number, "precision": "bfloat16",
            "images_per_second": 40.0 - 6 * number,
        },
        "scores": {"val_dice": quality - 0.02},
        "sha256": "0" * 64,
    }  # fmt: skip
    storage.write_text(storage.join(folder, "segmenter.json"), json.dumps(info))


def write_search(folder: str, model: str) -> None:
    generator = np.random.default_rng(len(model))
    epochs = generator.integers(1, 8, 12)
    curves = pd.DataFrame(
        {"trial": trial, "epoch": epoch, "val_dice": generator.uniform(0.85, 0.95)}
        for trial in range(12)
        for epoch in range(1, epochs[trial] + 1)
    )
    trials = pd.DataFrame(
        {
            "trial": range(12),
            "train.learning_rate": 10 ** generator.uniform(-4, -2, 12),
            "train.loss": generator.choice(["dice", "dice_bce"], 12),
            "epochs": epochs,
            "best_val_dice": curves.groupby("trial")["val_dice"].max().to_numpy(),
            "seconds": 3.5 * epochs,
            "ended": ["all epochs", *["stopped early"] * 9, "no further gain", "failed"],
            "reason": [*[""] * 11, "the loss was no number"],
        }
    )
    for name, table in (("trials", trials), ("curves", curves)):
        path = storage.join(folder, model, f"{name}.csv")
        storage.write_text(path, table.to_csv(index=False))


def write_run(
    path: Path,
    *,
    cases: int = 24,
    models: Sequence[str] = MODELS,
    folds: int = 1,
    seeds: int = 1,
    search: bool = False,
    size: int = 64,
    facts: dict[int, dict[str, Any]] | None = None,
    qualities: Sequence[float] = (0.9, 0.93, 0.95, 0.8),
) -> str:
    """Write a run with `cases` test cases, a few more for training and validation.

    Args:
        facts: columns of single test cases to overwrite, by index.
    """
    run = str(path)
    test = [shard_row(index, "test", size, (facts or {}).get(index)) for index in range(cases)]
    others = {
        "train": [shard_row(1000 + index, "train", size) for index in range(6)],
        "val": [shard_row(2000 + index, "val", size) for index in range(4)],
    }
    others["train"].append(shard_row(0, "train", size, {"case_id": "copy of case 0"}))
    for split, rows in {**others, "test": test}.items():
        for start in range(0, len(rows), 10):
            table = shards.to_table(rows[start : start + 10])
            shards.write_table(f"{run}/shards/{split}/part-{start:04d}.parquet", table)
    counts = {"train": 7, "val": 4, "test": cases}
    info = {
        "format": shards.FORMAT,
        "size": size,
        "counts": counts,
        "rejected": 2,
        "sources": {},
        "fingerprint": "0",
    }
    storage.write_text(f"{run}/shards/dataset.json", json.dumps(info))
    rejected = "case_id,source,path,reason\nbad,Shenzhen,/x/bad.png,the mask is empty\n"
    storage.write_text(f"{run}/shards/rejected.csv", rejected + "b2,Shenzhen,/x/b2.png,truncated\n")
    for model, quality in zip(models, qualities, strict=False):
        for fold in range(folds):
            for seed in range(seeds):
                folder = f"{run}/models/{model}/fold-{fold}/seed-{seed}"
                write_model(folder, model, fold, seed, quality)
                scores = score_rows(test, model, fold, seed, quality)
                write_parquet(f"{run}/scores/{model}/fold-{fold}_seed-{seed}.parquet", scores)
        if search:
            write_search(f"{run}/search", model)
    provenance = {
        "versions": {"lungseg": "0.1.0", "keras": "3.15.1"},
        "commit": "abc",
        "hardware": {"cpu": "Example", "cpus": 2},
        "seconds": {"shard": 1.0, "train": 200.0},
    }
    storage.write_text(f"{run}/provenance.json", json.dumps(provenance))
    storage.write_text(f"{run}/config.yaml", yaml.safe_dump({"preset": "quick"}))
    return run


@pytest.fixture(scope="session", name="write_run")
def _write_run() -> WriteRun:
    """The function above: tests cannot import from one another."""
    return write_run


@pytest.fixture(scope="session", name="score_table")
def _score_table() -> Callable[..., pd.DataFrame]:
    """Rows of scores as `lungseg evaluate` writes them, of the test cases of `write_run`."""

    def rows(cases: int, model: str, quality: float = 0.9, seed: int = 0) -> pd.DataFrame:
        return score_rows([shard_row(i, "test", 64) for i in range(cases)], model, 0, seed, quality)

    return rows
