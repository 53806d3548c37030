"""JPEG, TIFF, BMP and GIF, by Pillow: it refuses truncated files and prints nothing."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from lungseg.errors import RejectedCase
from lungseg.images.codestream import check_scans
from lungseg.images.radiograph import check_size
from lungseg.images.tiff import SIGNATURES, check_tiff
from lungseg.opencv import cv2

_FORMATS = ("JPEG", "TIFF", "BMP", "GIF")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _STRIPS, _TILES = 258, 262, 273, 324
_RUN_LENGTHS = (1, 2)
# Pillow undoes a BMP's run lengths in Python: 0.4 s a megapixel.
_MOST_RUN_PIXELS = 4_000_000
_MOST_RUN_BYTES = 16_000_000
_WHITE_IS_ZERO = 0


def _quieten_tiff() -> None:
    """Stop libtiff and Pillow from reporting on stderr what Pillow raises as an error anyway."""
    logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)
    with contextlib.suppress(OSError, AttributeError):  # another build of Pillow
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(library, name)
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


_quieten_tiff()


def decode_pillow(data: bytes) -> np.ndarray:
    """Pixels of a JPEG, TIFF, BMP or GIF, of their own depth; turned upright by the EXIF tag.

    A JPEG in colour gives its luminance, which is all that is decoded of it.

    Returns:
        uint8, uint16, int32 or float32, (H, W) or (H, W, 3) in OpenCV's channel order.

    Raises:
        RejectedCase: the file is truncated, damaged, of several frames, of a refused size, or
            made to keep the decoder busy.
    """
    if data.startswith(SIGNATURES):
        check_tiff(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return _pixels(image, data)
        except UnidentifiedImageError as error:
            raise RejectedCase("the image's header is damaged or of an unknown kind") from error
        except RejectedCase:
            raise
        except Exception as error:  # Pillow lets many kinds through from a damaged file
            raise RejectedCase(f"the image is damaged ({_sentence(error)})") from error


def _pixels(image: Image.Image, data: bytes) -> np.ndarray:
    check_size(image.height, image.width, len(image.getbands()) * _bytes_per_sample(image))
    if getattr(image, "is_animated", False):
        raise RejectedCase("the file holds several images: give one radiograph a file")
    _check_effort(image, data)
    if image.format == "JPEG":
        image.draft("L", image.size)
    image.load()
    if image.mode == "RGB" and _tag(image, _BITS_PER_SAMPLE, 8) > 8:
        # Pillow keeps only the upper byte of 16-bit colour.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise RejectedCase("16-bit colour of this kind cannot be read: save it as grey")
        return np.asarray(pixels)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):
        pixels = np.asarray(image)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
        inverted = _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
        return pixels.max() - pixels if inverted else pixels
    if image.mode == "L":
        return np.asarray(image)
    if image.mode in ("1", "LA"):
        return np.asarray(image.convert("L"))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _check_effort(image: Image.Image, data: bytes) -> None:
    compression = image.info.get("compression")
    if image.format in ("JPEG", "MPO"):
        check_scans(data)
    elif compression == "jpeg":
        tags = getattr(image, "tag_v2", {})
        check_scans(data, len(tags.get(_STRIPS) or tags.get(_TILES) or (0,)))
    elif compression in _RUN_LENGTHS and (
        image.height * image.width > _MOST_RUN_PIXELS or len(data) > _MOST_RUN_BYTES
    ):
        raise RejectedCase("the BMP is large and compressed by run lengths: save it as PNG")


def _bytes_per_sample(image: Image.Image) -> int:
    return {"I": 4, "F": 4}.get(image.mode, 2 if image.mode.startswith("I;") else 1)


def _tag(image: Image.Image, tag: int, default: int) -> int:
    """First value of a TIFF tag."""
    value: Any = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _sentence(error: BaseException) -> str:
    return str(error).split("\n")[0][:120] or type(error).__name__
