"""How long the report of many cases takes, how much memory, and how large its page gets.

    python tests/benchmarks/report.py [--cases N] [--models N] [--seeds N] [--json FILE] [--quick]

Fabricates a run: real-looking films and masks of 512 × 512 px from a few drawn ones, scores that
follow no network. Only writing the report is measured, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungseg import rle, shards, storage
from lungseg.letterbox import letterbox, letterbox_mask
from lungseg.opencv import cv2
from lungseg.scores import score_case
from lungseg.scores.counts import count

_MODELS = ("unet", "resunet", "rngunet", "peer-a", "peer-b")
_SIDE, _SIZE = 512, 256
_DRAWN = 40
_PER_FILE = 250
_MEASURE = """
import json, resource, sys, time
start = time.perf_counter()
from lungseg.report import write_report
write_report([sys.argv[1]], sys.argv[2])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak_bytes": peak}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--models", type=int, default=3, choices=range(1, len(_MODELS) + 1))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--quick", action="store_true", help="300 cases")
    options = parser.parse_args()
    cases = 300 if options.quick else options.cases
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = fabricate(Path(folder) / "run", cases, _MODELS[: options.models], options.seeds)
        fabricated = time.perf_counter() - start
        report = Path(folder) / "report"
        command = [sys.executable, "-c", _MEASURE, run, str(report)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        measured = json.loads(done.stdout)
        page = (report / "index.html").stat().st_size
    results = {
        "cases": cases,
        "models": options.models,
        "seeds": options.seeds,
        "seconds": measured["seconds"],
        "peak_gb": measured["peak_bytes"] / 1e9,
        "page_mb": page / 1e6,
        "fabrication_seconds": fabricated,
    }
    for name, value in results.items():
        print(f"{name:20} {value:10.2f}" if isinstance(value, float) else f"{name:20} {value:10d}")
    if options.json:
        storage.write_text(str(options.json), json.dumps(results, indent=2))


def fabricate(path: Path, cases: int, models: tuple[str, ...], seeds: int) -> str:
    """Write shards and score tables; the cases repeat a few drawn ones under names of their own."""
    run = str(path)
    drawn = [_draw(index) for index in range(_DRAWN)]
    facts = [_facts(index) for index in range(cases)]
    for start in range(0, cases, _PER_FILE):
        rows = [
            facts[index] | drawn[index % _DRAWN]["shard"]
            for index in range(start, min(start + _PER_FILE, cases))
        ]
        shards.write_table(f"{run}/shards/test/part-{start:05d}.parquet", shards.to_table(rows))
    info = {"format": shards.FORMAT, "size": _SIZE, "counts": {"train": 0, "val": 0, "test": cases}}
    storage.write_text(f"{run}/shards/dataset.json", json.dumps(info | {"fingerprint": "0"}))
    for model in models:
        for seed in range(seeds):
            rows = [_scores(facts[index], drawn[index % _DRAWN]) for index in range(cases)]
            frame = pd.DataFrame(rows).assign(model=model, fold=0, seed=seed)
            generator = np.random.default_rng([len(model), seed])
            frame["dice"] = (frame["dice"] - generator.exponential(0.02, cases)).clip(0, 1)
            target = Path(f"{run}/scores/{model}/fold-0_seed-{seed}.parquet")
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(target, index=False, compression="zstd")
    return run


def _draw(index: int) -> dict[str, Any]:
    """A film with two lungs, a mask a little off, and the scores of the two."""
    generator = np.random.default_rng(index)
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for side in (0.3, 0.7):
        centre = (round(_SIDE * side), round(_SIDE * generator.uniform(0.45, 0.55)))
        half = tuple(round(_SIDE * part * generator.uniform(0.9, 1.1)) for part in (0.15, 0.32))
        cv2.ellipse(mask, centre, half, float(generator.uniform(-8, 8)), 0, 360, 1, -1)
    film = np.where(mask > 0, 70, 170) + generator.normal(0, 20, mask.shape)
    film = np.clip(film, 0, 255).astype(np.uint8)
    reference, prediction = mask > 0, np.roll(mask > 0, index % 13 - 6, index % 2)
    square, geometry = letterbox(film, _SIZE)
    sizes = ("height", "width", "scaled_height", "scaled_width", "top", "left")
    counts = count(prediction, reference)
    scores = score_case(prediction, reference, None)
    return {
        "shard": {
            "image": square,
            "mask": letterbox_mask(reference, geometry).astype(np.uint8),
            "reference_rle": rle.encode(reference),
            **{name: getattr(geometry, name) for name in sizes},
        },
        "scores": {"height": _SIDE, "width": _SIDE, **scores}
        | {f"raw_{name}": value for name, value in {**counts, "dice": scores["dice"]}.items()},
        "prediction_rle": rle.encode(prediction),
    }


def _facts(index: int) -> dict[str, Any]:
    return {
        "case_id": f"case-{index:05d}",
        "patient_id": f"patient-{index // 2 if index % 5 == 0 else index}",
        "source": ("Shenzhen", "Montgomery", "COVID-v7")[index % 3],
        "split": "test",
        "fold": 0,
        "sex": "FM"[index % 2],
        "age": 20.0 + index % 60,
        "finding": ("normal", "tuberculosis", "COVID-19", "pneumonia")[index % 4],
        "view": "PA",
        "mask_convention": ("heart-excluded", "heart-excluded", "retrocardiac-included")[index % 3],
        "spacing_row": np.nan,
        "spacing_column": np.nan,
        "image_hash": f"{(index + 1) * 11400714819323198485 % 2**64:016x}",
    }


def _scores(facts: dict[str, Any], drawn: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in facts.items() if name not in ("fold", "image_hash")}
    return kept | drawn["scores"] | {"prediction_rle": drawn["prediction_rle"]}


if __name__ == "__main__":
    main()
