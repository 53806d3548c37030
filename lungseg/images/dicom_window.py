"""Grey levels of a DICOM film as its window or its table shows them (PS3.3 C.11)."""

from __future__ import annotations

import math

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from lungseg.images.intensity import to_uint8
from lungseg.opencv import cv2


def show(pixels: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Stored levels to 8 bit: modality, then the first VOI LUT or window.

    What they map to black is 0 and what they map to white 255, as on a viewer's screen. Only a film
    with neither is scaled by its own range (`to_uint8`). A width of 0, an unknown function or an
    empty slope says nothing and is passed over.

    Args:
        pixels: (H, W), any integer type.
        dataset: of the film.

    Returns:
        uint8 (H, W), high where the level is.

    Raises:
        RejectedCase: all pixels have one value.
        Exception: of pydicom, for a damaged table.
    """
    levels = _modality(pixels, dataset)
    tables = dataset.get("VOILUTSequence")
    if tables and None not in (tables[0].get("LUTDescriptor"), tables[0].get("LUTData")):
        if levels.dtype.kind == "f":
            levels = np.rint(levels).astype(np.int32)
        looked_up = apply_voi(levels, dataset)
        white = max(2 ** tables[0].LUTDescriptor[2] - 1, int(looked_up.max()))
        return to_uint8(_between(looked_up, 0, white))
    center, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "").strip().upper()
    exact = function in ("LINEAR_EXACT", "SIGMOID")
    if center is None or width is None or width < (0 if exact else 1) or width == 0:
        return to_uint8(levels)
    if function == "SIGMOID":
        shown = 1 / (1 + np.exp(levels.astype(np.float32) * (-4 / width) + 4 * center / width))
        return to_uint8(_between(shown, 0, 1))
    if exact:
        return to_uint8(_between(levels, center - width / 2, center + width / 2))
    return to_uint8(_between(levels, center - width / 2, center + width / 2 - 1))


def _modality(pixels: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    if dataset.get("ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(pixels, dataset))
    slope = _number(dataset, "RescaleSlope") or 1
    intercept = _number(dataset, "RescaleIntercept") or 0
    if (slope, intercept) == (1, 0):
        return pixels
    return pixels.astype(np.float32) * slope + intercept


def _between(levels: np.ndarray, black: float, white: float) -> np.ndarray:
    """0 up to `black`, 255 from `white` on, and even steps between."""
    if white <= black:
        return np.where(levels > black, np.uint8(255), np.uint8(0))
    factor = 255 / (white - black)
    clipped = np.clip(levels.astype(np.float32), black, white)
    return np.asarray(cv2.convertScaleAbs(clipped, alpha=factor, beta=-black * factor))


def _number(dataset: pydicom.Dataset, name: str) -> float | None:
    """The first value of an element, None where there is none or it is no finite number."""
    value = dataset.get(name)
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    return float(value) if math.isfinite(value) else None
