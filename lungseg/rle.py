"""Masks as run lengths, in CheXmask's convention.

The text "start length start length …" lists the runs of lung pixels of the mask read row by row;
starts are absolute and count from 1. (CheXmask, Gaggion et al. 2024, Scientific Data 11:511.)

A data set's masks wait in the memory of one process until they are dealt out: `pack` makes a sixth
of such a text.
"""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np

from lungseg.errors import RejectedCase

_NUMBERS = re.compile(r"[0-9 \t\r\n]*")
_TOO_LARGE = re.compile(r"[0-9]{13}")
"""No image has that many pixels; more would not fit the arithmetic."""
_PACKED = "~"
_MOST_BYTES = 64_000_000
_LARGEST = 2**31 - 1


def encode(mask: np.ndarray) -> str:
    """Run lengths of a mask.

    Args:
        mask: bool (H, W).

    Returns:
        "start length …", "" for an empty mask.
    """
    return encode_within(np.asarray(mask, bool), 0, 0, mask.shape[-1])


def encode_within(pixels: np.ndarray, top: int, left: int, width: int) -> str:
    """Run lengths of a mask of which only a box is given, without lung outside.

    Args:
        pixels: bool (h, w), the box.
        top: the mask's row in which the box begins.
        left: the column.
        width: of the whole mask.

    Returns:
        The same text as of the whole mask.
    """
    rows, columns = pixels.shape
    # A column of background ends each row's runs; those that go on in the next are joined again.
    flat = np.zeros((rows, columns + 1), bool)
    flat[:, :-1] = pixels
    line = flat.ravel()
    edges = np.flatnonzero(line[1:] != line[:-1]) + 1
    if line.size and line[0]:
        edges = np.concatenate([[0], edges])
    row, column = np.divmod(edges, columns + 1)
    ends = ((row + top) * width + left + column).reshape(-1, 2)
    joined = ends[1:, 0] == ends[:-1, 1]
    if joined.any():
        ends = np.stack(
            [
                ends[np.concatenate([[True], ~joined]), 0],
                ends[np.concatenate([~joined, [True]]), 1],
            ],
            axis=1,
        )
    numbers = np.stack([ends[:, 0] + 1, ends[:, 1] - ends[:, 0]], axis=1)
    # One format for all numbers takes three fifths of the time of joining their texts.
    return ("%d " * numbers.size % tuple(numbers.ravel().tolist()))[:-1]


def pack(text: str) -> str:
    """The same run lengths in about a sixth of the memory, for `decode`.

    They are kept as differences from run to run, deflated, in base 85 after a "~".

    Raises:
        RejectedCase: the text is not pairs of whole numbers.
    """
    runs = _parse(text)
    if runs.size and runs.max() > _LARGEST:
        return text  # `decode` will say what is wrong with it
    steps = np.diff(runs, axis=0, prepend=np.zeros((1, 2), np.int64))
    planes = np.ascontiguousarray(steps.T, "<i4").tobytes()
    return _PACKED + base64.b85encode(zlib.compress(planes, 1)).decode("ascii")


def decode(text: str, height: int, width: int) -> np.ndarray:
    """Mask of a text of run lengths, packed or not.

    Returns:
        bool (height, width).

    Raises:
        RejectedCase: the text is not pairs of whole numbers, or a run leaves the image.
    """
    runs = _unpack(text) if text.startswith(_PACKED) else _parse(text)
    starts, lengths = runs[:, 0] - 1, runs[:, 1]
    ends = starts + lengths
    if runs.size and (starts.min() < 0 or lengths.min() < 1 or ends.max() > height * width):
        raise RejectedCase(f"the run-length mask leaves its image of {width}×{height} pixels")
    steps = np.zeros(height * width + 1, np.int32)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    return (np.cumsum(steps[:-1]) > 0).reshape(height, width)


def _parse(text: str) -> np.ndarray:
    """Start and length of each run, int64 (N, 2)."""
    if not _NUMBERS.fullmatch(text):
        raise RejectedCase("the run-length mask is not a list of whole numbers")
    if _TOO_LARGE.search(text):
        raise RejectedCase("the run-length mask has numbers larger than any image")
    numbers = np.fromstring(text, np.int64, sep=" ") if text.strip() else np.zeros(0, np.int64)
    if numbers.size % 2:
        raise RejectedCase(f"the run-length mask has {numbers.size} numbers, not pairs")
    return numbers.reshape(-1, 2)


def _unpack(text: str) -> np.ndarray:
    try:
        packed = base64.b85decode(text.removeprefix(_PACKED))
        inflater = zlib.decompressobj()
        planes = inflater.decompress(packed, _MOST_BYTES)
        if not inflater.eof:
            raise ValueError("cut short")
        steps = np.frombuffer(planes, "<i4").reshape(2, -1).T
    except (ValueError, zlib.error) as error:
        raise RejectedCase("the packed run-length mask is damaged") from error
    return steps.astype(np.int64).cumsum(axis=0)
