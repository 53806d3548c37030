"""A decoded radiograph, and the sizes it may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.errors import RejectedCase

MIN_SIDE = 32
MAX_PIXELS = 64_000_000
"""The largest film, 35×43 cm scanned at 50 µm, has 60 million."""
MAX_DECODED_BYTES = 150_000_000
MAX_FILE_BYTES = 200_000_000
_SPACINGS_MM = (0.001, 100)
"""No detector is finer, and no chest fits into fewer pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Radiograph:
    """One frontal film as a viewer would show it: bright bone, dark air."""

    pixels: np.ndarray
    """uint8 (H, W), contiguous."""
    spacing_mm: tuple[float, float] | None = None
    """Distance of neighbouring pixels, (row, column), in mm, where the file tells it."""
    patient_id: str = ""
    """Pseudonym of the DICOM patient, "" where the file tells none; never the id itself."""
    view: str = ""
    """DICOM's View Position, "PA", "AP", "LL", …; "" where the file tells no known one."""


def is_spacing(spacing_mm: tuple[float, float]) -> bool:
    """Whether pixels can be so far apart, rather than the numbers being a file's nonsense."""
    low, high = _SPACINGS_MM
    return all(low <= number <= high for number in spacing_mm)


def check_mask_size(mask: tuple[int, int], height: int, width: int) -> None:
    """Refuse a mask of another size, (height, width), than its image's.

    Raises:
        RejectedCase: they differ.
    """
    if mask != (height, width):
        raise RejectedCase(
            f"the mask is {mask[1]}×{mask[0]} pixels and its image {width}×{height}: "
            "give the mask at the image's size"
        )


def check_size(height: int, width: int, bytes_per_pixel: int = 1) -> None:
    """Refuse an image by the size its header states, before anything is decoded.

    Raises:
        RejectedCase: it is too small for a radiograph, or too large to be decoded safely.
    """
    if min(height, width) < MIN_SIDE:
        raise RejectedCase(f"the image is {width}×{height} pixels, less than {MIN_SIDE} on a side")
    if height * width > MAX_PIXELS:
        raise RejectedCase(
            f"the image is {width}×{height} pixels by its header, "
            f"more than {MAX_PIXELS // 1_000_000} megapixels"
        )
    if height * width * bytes_per_pixel > MAX_DECODED_BYTES:
        raise RejectedCase(
            f"the image would take {height * width * bytes_per_pixel // 1_000_000} MB decoded, "
            f"more than {MAX_DECODED_BYTES // 1_000_000} MB"
        )
