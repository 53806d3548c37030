"""One radiograph with its facts, before any file of it has been opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPLITS = ("train", "val", "test")
CONVENTIONS = ("heart-excluded", "retrocardiac-included", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Where a radiograph and its reference mask lie, and what is known of the patient.

    Text facts are "" and numbers NaN where the data set does not tell.
    """

    case_id: str
    image: str
    """Path or URL of the image file."""
    masks: tuple[str, ...] = ()
    """Mask files, joined by OR (left and right lung); a `.json` is a Darwin polygon file."""
    mask_rle: tuple[str, ...] = ()
    """Or run lengths (`lungseg.rle`, packed or not) at the image's own size, joined by OR."""
    mask_size: tuple[int, int] | None = None
    """Height and width the run lengths were made for, where the data set tells it."""
    mask_resize: bool = False
    """Masks of this layout come in another size than the image and are resized by nearest."""
    patient_id: str = ""
    """"" means that the case stands for a patient of its own."""
    source: str = ""
    split_hint: str = ""
    sex: str = ""
    age: float = math.nan
    """Years."""
    finding: str = ""
    view: str = ""
    mask_convention: str = "unknown"
    spacing_mm: tuple[float, float] | None = None
    """Pixel spacing of the image file, (row, column), in mm."""

    @classmethod
    def from_plain(cls, fields: Mapping[str, Any]) -> Case:
        """The case whose `dataclasses.asdict` went through JSON."""
        pairs: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(**pairs)

    @property
    def patient(self) -> str:
        """The patient, unique across sources."""
        return f"{self.source}/{self.patient_id or self.case_id}"
