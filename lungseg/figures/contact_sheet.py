"""Many films at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lungseg.figures.overlay import PREDICTION, fit, outline


def contact_sheet(
    cases: Sequence[tuple[np.ndarray, np.ndarray]], *, columns: int, tile: int
) -> np.ndarray:
    """Films with the outline of their reference, row by row.

    Args:
        cases: film, uint8 (h, w), and reference, bool (H, W), of each.
        columns: tiles in a row.
        tile: side of a tile in px.

    Returns:
        uint8 (rows · tile, columns · tile, 3) RGB.
    """
    rows = -(-len(cases) // columns)
    sheet = np.full((rows * tile, columns * tile, 3), 255, np.uint8)
    for number, (film, reference) in enumerate(cases):
        scale = (tile - 4) / max(reference.shape)
        height, width = (max(1, round(side * scale)) for side in reference.shape)
        picture = outline(fit(film, height, width), fit(reference, height, width), PREDICTION)
        top = number // columns * tile + (tile - height) // 2
        left = number % columns * tile + (tile - width) // 2
        sheet[top : top + height, left : left + width] = picture
    return sheet
