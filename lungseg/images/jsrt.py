"""JSRT's raw films: 2048×2048 big-endian 16-bit numbers, 12 of them used, black for bone."""

from __future__ import annotations

import numpy as np

from lungseg.errors import RejectedCase
from lungseg.images.intensity import to_uint8
from lungseg.images.radiograph import Radiograph

_SIDE = 2048
_LARGEST = 4095
_SPACING_MM = 0.175
SUFFIX = ".img"
FILE_BYTES = _SIDE * _SIDE * 2


def decode_jsrt(data: bytes) -> Radiograph:
    """A film of the JSRT database (Shiraishi et al. 2000, AJR 174:71).

    Raises:
        RejectedCase: the file has not JSRT's size, or holds more than 12 bits.
    """
    if len(data) != FILE_BYTES:
        raise RejectedCase(f"the .IMG file has {len(data)} bytes, a JSRT film has {FILE_BYTES}")
    stored = np.frombuffer(data, ">u2").reshape(_SIDE, _SIDE).astype(np.uint16)
    if stored.max() > _LARGEST:
        raise RejectedCase("the .IMG file holds more than 12 bits a pixel: it is no JSRT film")
    return Radiograph(pixels=to_uint8(_LARGEST - stored), spacing_mm=(_SPACING_MM, _SPACING_MM))
