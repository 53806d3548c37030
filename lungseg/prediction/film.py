"""The way of an image file to the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.images import decode
from lungseg.letterbox import Geometry
from lungseg.network_input import network_input
from lungseg.opencv import cv2
from lungseg.prediction.inputs import Input
from lungseg.prediction.reading import read_film

_COLOURED = 12.0  # mean distance of the channels; tinted scans of films stay below
_LATERAL = ("LL", "RL", "LLD", "RLD", "LATERAL", "LAT")


@dataclass(frozen=True, slots=True)
class Film:
    """An image prepared for the network, and what the way back needs."""

    image_id: str
    path: str
    geometry: Geometry
    spacing_mm: tuple[float, float] | None
    coloured: bool
    lateral: bool
    """Whether the file names a lateral view (DICOM View Position)."""
    square: np.ndarray
    """uint8 (size, size), the letterboxed film."""


def prepare(item: Input, size: int, clahe: float) -> Film:
    """Read, decode and letterbox one image, with the contrast that the network was trained on.

    Raises:
        RejectedCase: the image cannot be used.
        OSError: it cannot be read now, but perhaps later.
    """
    data = read_film(item.path)
    film = decode(data, item.path)
    square, geometry = network_input(film.pixels, size, clahe)
    return Film(
        item.image_id,
        item.path,
        geometry,
        film.spacing_mm,
        _is_coloured(data),
        film.view in _LATERAL,
        square,
    )


def _is_coloured(data: bytes) -> bool:
    """Whether the file shows colours, which no film has."""
    if data.startswith(b"\xff\xd8\xff"):
        how = cv2.IMREAD_REDUCED_COLOR_8
    elif data.startswith(b"\x89PNG") and data[25] in (2, 3, 6):
        how = cv2.IMREAD_COLOR
    else:
        return False
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    if pixels is None:
        return False
    return float(np.ptp(pixels.astype(np.int16), axis=2).mean()) > _COLOURED
