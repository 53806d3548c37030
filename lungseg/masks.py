"""Reference masks of a case, from whatever its data set holds, as one boolean array."""

from __future__ import annotations

import functools

import numpy as np

from lungseg import rle
from lungseg.case import Case
from lungseg.datasets.darwin import draw_lungs
from lungseg.errors import RejectedCase
from lungseg.images.decode import decode_picture, read_limited
from lungseg.images.radiograph import check_mask_size
from lungseg.opencv import cv2

_THRESHOLD = 127
_WHITE_16, _STEP_16 = 65535, 257
_FEW_LEVELS = 5
_NEAR = 32
_NEAR_SHARE = 0.95
_INVERTED_BORDER = 0.9


def read_mask(case: Case, height: int, width: int) -> np.ndarray:
    """The case's masks joined by OR.

    Args:
        case: its `masks`, `mask_rle`, `mask_size` and `mask_resize` are read.
        height: of the image, px.
        width: of the image, px.

    Returns:
        bool (height, width), with at least one True.

    Raises:
        RejectedCase: no mask, an empty or inverted one, one that is no mask, or one of another
            size than the image where the data set does not say that it is to be resized.
    """
    parts = [read_mask_file(path, height, width, case.mask_resize) for path in case.masks]
    if case.mask_rle:
        check_mask_size(case.mask_size or (height, width), height, width)
        parts += [rle.decode(text, height, width) for text in case.mask_rle]
    if not parts:
        raise RejectedCase("the case has no mask")
    mask: np.ndarray = functools.reduce(np.logical_or, parts)
    if not mask.any():
        raise RejectedCase("the mask is empty")
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if border.mean() > _INVERTED_BORDER:
        raise RejectedCase("the mask covers the image's border: lung must be the bright value")
    return mask


def binarise(raw: np.ndarray) -> np.ndarray:
    """Lung pixels of a decoded mask image, after looking at the values it holds.

    Two values of which one is 0: lung is the other. More: they must be a few, or lie near black and
    white as JPEG and smoothing leave them, and lung is above the middle. Of colours, palettes too,
    the largest channel counts.

    Args:
        raw: (H, W) or (H, W, C) of any type, alpha (the fourth channel) ignored. White is 255, but
            65535 where the largest value is near it, and 1 for floating ones up to it.

    Returns:
        bool (H, W).

    Raises:
        RejectedCase: the values are a photograph's, or labels that do not tell what is lung.
    """
    grey = raw if raw.ndim == 2 else raw[:, :, :3].max(axis=2)
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey, posinf=0, neginf=0)
    lung = np.asarray(grey > 0)
    size = np.count_nonzero(lung)
    # Most masks, and ten times as fast as counting every value.
    if size < grey.size and size == np.count_nonzero(grey == grey.max()):
        return lung
    values, counts = _levels(grey)
    if values[-1] == 0:
        return lung
    if grey.dtype.kind == "f" and values[-1] <= 1:
        grey, values = grey * 255, values * 255
    elif (256 - _NEAR) * _STEP_16 <= values[-1] <= _WHITE_16:
        grey, values = grey // _STEP_16, values // _STEP_16
    elif values[-1] > 255:
        raise RejectedCase(
            f"the mask has values to {values[-1]:g}, which do not tell what is lung: use 0 and 255"
        )
    if values[-1] <= _THRESHOLD and len(values) <= _FEW_LEVELS:
        raise RejectedCase(
            f"the mask has the values {', '.join(f'{value:g}' for value in values)}, "
            "which do not tell what is lung: use 0 and 255"
        )
    near = (values < _NEAR) | ((values > 255 - _NEAR) & (values <= 255))
    if len(values) > _FEW_LEVELS and counts[near].sum() < _NEAR_SHARE * counts.sum():
        raise RejectedCase(f"the mask has {len(values)} grey levels, it is no mask: use 0 and 255")
    return np.asarray(grey > _THRESHOLD)


def read_mask_file(path: str, height: int, width: int, resize: bool = False) -> np.ndarray:
    """One mask file, which may be empty.

    Args:
        path: file or URL.
        height: of its image, px.
        width: of its image, px.
        resize: bring a mask of another size to its image's by nearest.

    Returns:
        bool (height, width).

    Raises:
        RejectedCase: it cannot be read, is no mask, or has another size and `resize` is not set.
    """
    name = path.rsplit("/", 1)[-1]
    try:
        data = read_limited(path)
    except OSError as error:
        raise RejectedCase(f"mask {name} cannot be read: {error.strerror or error}") from error
    if name.lower().endswith(".json"):
        return draw_lungs(data, height, width)
    try:
        mask = binarise(decode_picture(data))
    except RejectedCase as error:
        raise RejectedCase(f"mask {name}: {error}") from error
    except cv2.error as error:
        raise RejectedCase(f"mask {name}: OpenCV cannot decode it ({error.err})") from error
    if resize and mask.shape != (height, width):
        resized = cv2.resize(
            mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
        return np.asarray(resized).view(bool)
    check_mask_size((mask.shape[0], mask.shape[1]), height, width)
    return mask


def _levels(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values in an image, ascending, and how often each occurs."""
    if grey.dtype not in (np.uint8, np.uint16):
        return np.unique(grey, return_counts=True)
    size = int(np.iinfo(grey.dtype).max) + 1
    histogram = cv2.calcHist([np.ascontiguousarray(grey)], [0], None, [size], [0, size]).ravel()
    values = np.flatnonzero(histogram)
    return values, histogram[values]
