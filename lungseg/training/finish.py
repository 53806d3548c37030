"""Write the model folder of a finished training."""

from __future__ import annotations

import csv
import io
from typing import Any

from lungseg import segmenter, storage
from lungseg.network_input import preprocessing
from lungseg.networks.cost import gflops
from lungseg.settings import Settings, network_arguments
from lungseg.training.calibration import BINS, Calibration
from lungseg.training.fit import Trained


def write_model(
    path: str, trained: Trained, settings: Settings, *, architecture: str, facts: dict[str, Any]
) -> None:
    """Write `calibration.csv`, the weights and, last, `segmenter.json`.

    Args:
        path: the model folder.
        trained: outcome of `lungseg.training.fit.fit`.
        settings: of the run.
        architecture: a key of `lungseg.networks.ARCHITECTURES`.
        facts: what the job knows of the training: seed, fold, data, convention of the masks.
    """
    best = max(trained.history, key=lambda row: row["val_dice"])
    rates = sorted(row["images_per_second"] for row in trained.history)
    info = {
        "architecture": architecture,
        "arguments": network_arguments(settings, architecture),
        "size": settings.data.size,
        "threshold": trained.calibration.threshold,
        "min_area_fraction": settings.evaluate.min_area_fraction,
        "preprocessing": preprocessing(settings.data.clahe),
        "mask_conventions": facts.pop("mask_conventions"),
        "data_fingerprint": facts.pop("data_fingerprint"),
        "gflops": gflops(trained.model),
        "training": {
            **facts,
            "epochs": len(trained.history),
            "best_epoch": best["epoch"],
            "seconds": sum(row["seconds"] for row in trained.history),
            "images_per_second": rates[len(rates) // 2],
            "precision": trained.precision,
        },
        "scores": {"val_dice": best["val_dice"]},
    }
    storage.write_text(storage.join(path, "calibration.csv"), _table(trained.calibration))
    segmenter.save(path, trained.model, info)


def _table(calibration: Calibration) -> str:
    """One row a probability bin: fraction of pixels, of lung pixels, Dice at its lower edge."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["threshold", "upper", "pixels", "positives", "mean_dice"])
    columns = (calibration.pixels, calibration.positives, calibration.mean_dice)
    for low, *values in zip(calibration.thresholds, *columns, strict=True):
        writer.writerow([f"{x:.6g}" for x in (low, low + 1 / BINS, *values)])
    return text.getvalue()
