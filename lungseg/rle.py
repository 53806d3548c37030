"""Masks as run lengths, in CheXmask's convention.

The text "start length start length …" lists the runs of lung pixels of the mask read row by row;
starts are absolute and count from 1. (CheXmask, Gaggion et al. 2024, Scientific Data 11:511.)
"""

from __future__ import annotations

import re

import numpy as np

from lungseg.errors import RejectedCase

_DIGITS = 12
"""No image has that many pixels; more would not fit the arithmetic."""
_NUMBERS = re.compile(r"[\d\s]*")


def encode(mask: np.ndarray) -> str:
    """Run lengths of a mask.

    Args:
        mask: bool (H, W).

    Returns:
        "start length …", "" for an empty mask.
    """
    flat = np.asarray(mask, bool).ravel()
    if not flat.size:
        return ""
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first, last = [0] * bool(flat[0]), [flat.size] * bool(flat[-1])
    runs = np.concatenate([np.array(first, int), edges, np.array(last, int)]).reshape(-1, 2)
    pairs = np.stack([runs[:, 0] + 1, runs[:, 1] - runs[:, 0]], axis=1)
    return " ".join(map(str, pairs.ravel().tolist()))


def decode(text: str, height: int, width: int) -> np.ndarray:
    """Mask of a text of run lengths.

    Returns:
        bool (height, width).

    Raises:
        RejectedCase: the text is not pairs of whole numbers, or a run leaves the image.
    """
    if not _NUMBERS.fullmatch(text):
        raise RejectedCase("the run-length mask is not a list of whole numbers")
    words = text.split()
    if any(len(word) > _DIGITS for word in words):
        raise RejectedCase(f"the run-length mask leaves its image of {width}×{height} pixels")
    numbers = np.array(words, np.int64)
    if numbers.size % 2:
        raise RejectedCase(f"the run-length mask has {numbers.size} numbers, not pairs")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    ends = starts + lengths
    if numbers.size and (starts.min() < 0 or lengths.min() < 1 or ends.max() > height * width):
        raise RejectedCase(f"the run-length mask leaves its image of {width}×{height} pixels")
    steps = np.zeros(height * width + 1, np.int32)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    return (np.cumsum(steps[:-1]) > 0).reshape(height, width)
