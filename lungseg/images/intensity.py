"""Grey levels of any depth to 8 bit."""

from __future__ import annotations

import math

import numpy as np

from lungseg.errors import RejectedCase
from lungseg.opencv import cv2

_PERCENTILES = (0.5, 99.5)
_SAMPLED_PIXELS = 2**18


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Luminance of an image in OpenCV's channel order.

    Args:
        pixels: (H, W) or (H, W, C), C being 1, 3 (BGR) or 4 (BGR and alpha, which is ignored).

    Returns:
        (H, W) of the same dtype (uint8, uint16 or float32).
    """
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    code = cv2.COLOR_BGRA2GRAY if pixels.shape[2] == 4 else cv2.COLOR_BGR2GRAY
    return np.asarray(cv2.cvtColor(pixels, code))


def to_uint8(grey: np.ndarray) -> np.ndarray:
    """Map grey levels to 0…255.

    8-bit levels stay as they are, also when they come in a wider type. Wider ones are scaled
    linearly from their 0.5 to their 99.5 percentile, so that neither a burnt-in label nor a dead
    pixel decides the contrast and the bit depth in the header does not matter.

    Args:
        grey: (H, W), any integer or floating type.

    Returns:
        uint8 (H, W), contiguous.

    Raises:
        RejectedCase: all pixels have one value, or none is a number.
    """
    if grey.dtype != np.uint8:
        grey = _scale(grey)
    low, high, _, _ = cv2.minMaxLoc(grey)
    if low == high:
        raise RejectedCase("the image is blank: all pixels have one value")
    return np.ascontiguousarray(grey)


def _scale(grey: np.ndarray) -> np.ndarray:
    if grey.dtype not in (np.uint16, np.int16):
        grey = np.nan_to_num(grey.astype(np.float32), posinf=0, neginf=0)
    low, high, _, _ = cv2.minMaxLoc(grey)
    if grey.dtype != np.float32 and low >= 0 and high <= 255:
        return grey.astype(np.uint8)
    step = max(1, math.isqrt(grey.size // _SAMPLED_PIXELS))
    robust_low, robust_high = np.percentile(grey[::step, ::step], _PERCENTILES).tolist()
    if robust_high > robust_low:
        low, high = robust_low, robust_high
    if low == high:
        raise RejectedCase("the image is blank: all pixels have one value")
    factor = 255 / (high - low)
    # The scalar keeps the array's type; below `low` the absolute value would fold upwards.
    floor = grey.dtype.type(math.floor(low) if grey.dtype != np.float32 else low)
    return np.asarray(
        cv2.convertScaleAbs(np.maximum(grey, floor), alpha=factor, beta=-low * factor)
    )
