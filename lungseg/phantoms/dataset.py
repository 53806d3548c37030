"""A folder of phantoms in the layout `images/`, `masks/`, `manifest.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from lungseg import storage
from lungseg.phantoms.phantom import Phantom, draw

COLUMNS = (
    "case_id",
    "image",
    "mask",
    "source",
    "patient_id",
    "sex",
    "age",
    "finding",
    "mask_convention",
    "view",
)
"""Columns of `manifest.csv`; `image` and `mask` are relative to its folder."""


def write(indices: Iterable[int], folder: str, *, seed: int, size: int) -> list[dict[str, str]]:
    """Draw films and write `images/NAME.png` and `masks/NAME.png` (0 and 255) below a folder.

    Args:
        indices: numbers of the films; several processes can each write a part.
        folder: path or URL.
        seed: number of the data set.
        size: longer side in px.

    Returns:
        The manifest's rows, for `write_manifest` once all parts are written.
    """
    return [_write_one(draw(index, seed=seed, size=size), folder) for index in indices]


def write_manifest(rows: Sequence[dict[str, str]], folder: str) -> None:
    """Write `manifest.csv`, sorted by case; a folder is complete only with it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["case_id"]))
    storage.write_text(storage.join(folder, "manifest.csv"), text.getvalue())


def _write_one(phantom: Phantom, folder: str) -> dict[str, str]:
    row = {name: str(getattr(phantom, name)) for name in COLUMNS if hasattr(phantom, name)}
    row["image"] = f"images/{phantom.case_id}.png"
    row["mask"] = f"masks/{phantom.case_id}.png"
    storage.write_bytes(storage.join(folder, row["image"]), _png(phantom.image))
    storage.write_bytes(storage.join(folder, row["mask"]), _png(phantom.mask * np.uint8(255)))
    return row


def _png(image: np.ndarray) -> bytes:
    done, encoded = cv2.imencode(".png", image)
    if not done:
        raise ValueError(f"cannot encode an image of shape {image.shape} and type {image.dtype}")
    return encoded.tobytes()
