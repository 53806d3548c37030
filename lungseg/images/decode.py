"""Bytes of a file to a radiograph, by what the bytes are and not by the file's name."""

from __future__ import annotations

import numpy as np

from lungseg import storage
from lungseg.errors import RejectedCase
from lungseg.images import jsrt, png
from lungseg.images.intensity import to_grey, to_uint8
from lungseg.images.pillow import decode_pillow
from lungseg.images.radiograph import MAX_FILE_BYTES, Radiograph
from lungseg.opencv import cv2

_BY_PILLOW = (b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic")


def read(path: str) -> Radiograph:
    """Read a radiograph from a path or URL: PNG, JPEG, TIFF, BMP, GIF, DICOM or a raw film of JSRT.

    >>> film = read("film.png")
    >>> film.pixels.shape, film.pixels.dtype
    ((320, 279), dtype('uint8'))

    Returns:
        The film with `pixels`, uint8 (H, W), bone bright and air dark (DICOM as its window shows
        it, MONOCHROME1 inverted); `spacing_mm`, (row, column), or None; `patient_id`, a pseudonym,
        and `view`, both "" where the file tells none.

    Raises:
        lungseg.errors.RejectedCase: the file is no such film, is damaged, or has more than 200 MB;
            the message says which.
        OSError: the file cannot be read.
    """
    return decode(read_limited(path), path)


def decode(data: bytes, name: str) -> Radiograph:
    """Decode a radiograph: PNG, JPEG, TIFF, BMP, GIF, DICOM or a raw film of JSRT.

    Args:
        data: content of the file.
        name: its name or path, needed only for formats without a signature of their own.

    Raises:
        RejectedCase: the only error; its message is a sentence for `rejected.csv`.
    """
    try:
        return _by_format(data, name)
    except cv2.error as error:
        raise RejectedCase(f"OpenCV cannot decode the image ({error.err})") from error
    except MemoryError as error:
        raise RejectedCase("needs more memory than there is") from error


def _by_format(data: bytes, name: str) -> Radiograph:
    lowered = name.lower()
    # A JSRT film whose first pixel is 2048 begins as a DICOM file without preamble.
    is_jsrt = lowered.endswith(jsrt.SUFFIX) and len(data) == jsrt.FILE_BYTES
    if (
        _has_preamble(data)
        or (_lacks_preamble(data) and not is_jsrt)
        or (lowered.endswith(_DICOM_SUFFIXES) and not _is_picture(data))
    ):
        from lungseg.images.dicom import decode_dicom  # pydicom is slow to import

        return decode_dicom(data)
    if lowered.endswith(jsrt.SUFFIX) and not _is_picture(data):
        return jsrt.decode_jsrt(data)
    return Radiograph(pixels=to_uint8(to_grey(decode_picture(data))))


def decode_picture(data: bytes) -> np.ndarray:
    """Raw pixels of a PNG, JPEG, TIFF, BMP or GIF, before any scaling.

    Returns:
        (H, W) or (H, W, C) in OpenCV's channel order, of the file's own depth.

    Raises:
        RejectedCase: the file is empty, of another kind, damaged or of a refused size.
    """
    if data.startswith(png.SIGNATURE):
        return png.decode_png(data)
    if data.startswith(_BY_PILLOW):
        return decode_pillow(data)
    if not data.strip(b"\0"):
        raise RejectedCase("the file is empty" if not data else "the file holds only zeros")
    raise RejectedCase(
        "the file is no PNG, JPEG, TIFF, BMP, GIF, DICOM or JSRT film, whatever its name says"
    )


def read_limited(path: str, most: int = MAX_FILE_BYTES) -> bytes:
    """Content of a file that is not too large to be an image.

    Args:
        path: file or URL.
        most: bytes it may have.

    Raises:
        RejectedCase: it is larger.
        OSError: it cannot be read, or is a pipe or a device, which may have no end.
    """
    size = storage.size(path)
    if size > most:
        raise RejectedCase(f"the file has {size // 1_000_000} MB, too many for a radiograph")
    return storage.read_bytes(path)


def _has_preamble(data: bytes) -> bool:
    return data[128:132] == b"DICM"


def _lacks_preamble(data: bytes) -> bool:
    """Whether it begins with group 0008, as old DICOM files without preamble do."""
    return data.startswith(b"\x08\x00")


def _is_picture(data: bytes) -> bool:
    return data.startswith((png.SIGNATURE, *_BY_PILLOW))
