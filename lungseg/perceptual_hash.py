"""Perceptual hashes: the same film in another size or compression has nearly the same hash."""

from __future__ import annotations

import numpy as np

from lungseg.opencv import cv2

_SIDE = 32
_KEPT = 8
_CHUNK = 1024


def image_hash(pixels: np.ndarray) -> str:
    """64-bit DCT hash (pHash; Zauner 2010): signs of the lowest 8×8 frequencies against their median.

    Args:
        pixels: uint8 (H, W).

    Returns:
        16 hexadecimal digits.
    """
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:_KEPT, :_KEPT].ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes().hex()
