"""The mask of one film with all that is known of it, shown as a picture in a notebook."""

from __future__ import annotations

import base64
import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungseg.figures.overlay import png
from lungseg.letterbox import restore
from lungseg.network_input import network_input
from lungseg.prediction.ensemble import finish_of
from lungseg.prediction.film import Film
from lungseg.prediction.flags import FLAGS
from lungseg.prediction.pictures import overlay
from lungseg.prediction.row import finish_film
from lungseg.prediction.sides import sides

if TYPE_CHECKING:
    from lungseg.segmenter import Segmenter


@dataclass(frozen=True, eq=False)
class Prediction:
    """What `Segmenter.segment` finds on a film of H × W px."""

    image: np.ndarray
    """uint8 (H, W), the film."""
    mask: np.ndarray
    """bool (H, W), the lungs after post-processing."""
    probability: np.ndarray
    """float32 (H, W) in 0…1, of lung, before it."""
    left: np.ndarray
    """bool (H, W), the patient's left lung, which is on the right of the film."""
    right: np.ndarray
    """bool (H, W), the patient's right lung."""
    flags: tuple[str, ...]
    """What makes the mask implausible (see `lungseg.prediction.flags`)."""
    spacing_mm: tuple[float, float] | None = None
    """Distance of neighbouring pixels, (row, column), in mm, where it is known."""

    @property
    def areas(self) -> dict[str, float]:
        """Of the "left" and the "right" lung, in mm² where the spacing is known, else in px."""
        pixel = math.prod(self.spacing_mm) if self.spacing_mm else 1.0
        lungs = {"left": self.left, "right": self.right}
        return {name: int(np.count_nonzero(lung)) * pixel for name, lung in lungs.items()}

    def __repr__(self) -> str:
        height, width = self.mask.shape
        unit = "mm²" if self.spacing_mm else "px"
        areas = ", ".join(f"{name} {area:.0f} {unit}" for name, area in self.areas.items())
        return f"<Prediction {width}×{height} px: {areas}; {', '.join(self.flags) or 'no flags'}>"

    def _repr_png_(self) -> bytes:
        """The film with the mask's outline, as Jupyter asks for it."""
        return png(overlay(self.image, self.mask))

    def _repr_html_(self) -> str:
        """The same with areas and flags below."""
        picture = base64.b64encode(self._repr_png_()).decode()
        reasons = "".join(f"<br>{flag}: {html.escape(FLAGS[flag])}" for flag in self.flags)
        told = html.escape(repr(self)[1:-1])
        return (
            f'<figure style="margin:0"><img alt="{told}" src="data:image/png;base64,{picture}">'
            f"<figcaption>{told}{reasons}</figcaption></figure>"
        )


def segment(
    segmenter: Segmenter, image: np.ndarray, spacing_mm: tuple[float, float] | None
) -> Prediction:
    """See `lungseg.Segmenter.segment`."""
    how = finish_of([dict(segmenter.info)], [""])
    square, geometry = network_input(image, how.size, how.clahe)
    small = segmenter.probabilities(square[None, ..., None])[0]
    film = Film("", "", geometry, spacing_mm, coloured=False, lateral=False, square=square)
    facts, mask = finish_film(film, small, math.nan, how, low_agreement=0.0)
    left, right = sides(mask)
    flags = tuple(facts["flags"])
    return Prediction(image, mask, restore(small, geometry), left, right, flags, spacing_mm)
