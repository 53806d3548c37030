"""From a case's files to one row of a shard."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lungseg import images, masks, phantoms, rle
from lungseg.case import Case
from lungseg.errors import RejectedCase
from lungseg.letterbox import letterbox_mask
from lungseg.network_input import network_input
from lungseg.perceptual_hash import image_hash


def preprocess(case: Case, size: int, clahe: float = 0.0) -> dict[str, Any]:
    """Read, letterbox and describe one case.

    Args:
        case: where its files lie.
        size: side of the network's input in px.
        clahe: clip limit, see `lungseg.network_input`.

    Returns:
        A row for `lungseg.shards.to_table`, its `split` still "".

    Raises:
        RejectedCase: image or mask cannot be used; the message is the reason.
    """
    try:
        radiograph = images.read(case.image)
        height, width = radiograph.pixels.shape
        mask = masks.read_mask(case, height, width)
    except OSError as error:
        raise RejectedCase(f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise RejectedCase("needs more memory than there is") from error
    patient = case.patient_id or radiograph.patient_id
    spacing = case.spacing_mm or radiograph.spacing_mm
    case = replace(case, view=case.view or radiograph.view)
    return _row(case, radiograph.pixels, mask, size, clahe, patient, spacing)


def preprocess_phantom(
    index: int, *, seed: int, drawn_size: int, size: int, clahe: float = 0.0
) -> dict[str, Any]:
    """Draw the phantom of this index and letterbox it, without any file between."""
    phantom = phantoms.draw(index, seed=seed, size=drawn_size)
    case = Case(
        case_id=phantom.case_id,
        image="",
        source=phantom.source,
        sex=phantom.sex,
        age=phantom.age,
        finding=phantom.finding,
        view=phantom.view,
        mask_convention=phantom.mask_convention,
    )
    return _row(case, phantom.image, phantom.mask, size, clahe, phantom.patient_id, None)


def _row(
    case: Case,
    pixels: np.ndarray,
    mask: np.ndarray,
    size: int,
    clahe: float,
    patient_id: str,
    spacing: tuple[float, float] | None,
) -> dict[str, Any]:
    square, geometry = network_input(pixels, size, clahe)
    small_mask = letterbox_mask(mask, geometry)
    if not small_mask.any():
        raise RejectedCase(f"nothing is left of the mask at {size}×{size} pixels")
    row_mm, column_mm = spacing or (math.nan, math.nan)
    return {
        "case_id": case.case_id,
        "patient_id": patient_id or case.case_id,
        "source": case.source,
        "split": "",
        "fold": 0,
        "sex": case.sex,
        "age": case.age,
        "finding": case.finding,
        "view": case.view,
        "mask_convention": case.mask_convention,
        "height": geometry.height,
        "width": geometry.width,
        "scaled_height": geometry.scaled_height,
        "scaled_width": geometry.scaled_width,
        "top": geometry.top,
        "left": geometry.left,
        "spacing_row": row_mm,
        "spacing_column": column_mm,
        "reference_rle": rle.encode(mask),
        "image_hash": image_hash(pixels),
        "image": square,
        "mask": small_mask.astype(np.uint8),
    }
