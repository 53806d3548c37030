"""What compressed pixel data state of themselves, checked before any codec sees them."""

from __future__ import annotations

import struct
from typing import NamedTuple

from lungseg.errors import RejectedCase

_J2K_START = b"\xff\x4f\xff\x51"
_JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = {0x01, *range(0xD0, 0xD8)}
_SCAN = b"\xff\xda"
_END = b"\xff\xd9"
_MOST_SCANS = 64


class CodedSize(NamedTuple):
    """Image size in px and number of colour components."""

    height: int
    width: int
    components: int


def check_stream(stream: bytes, height: int, width: int, components: int) -> None:
    """Refuse a code stream that would decode to something else than its container states.

    Raises:
        RejectedCase: it states another size, is cut off, or takes too many scans.
    """
    if coded_size(stream) != (height, width, components):
        raise RejectedCase("the file is damaged: its header and its pixel data differ in size")
    # CharLS searches for seconds in a JPEG-LS stream without end.
    if stream.startswith(_JPEG_START) and _END not in stream:
        raise RejectedCase("the compressed pixel data are truncated")
    check_scans(stream)


def check_scans(data: bytes, pictures: int = 1) -> None:
    """Refuse progressive JPEGs that send the whole picture again and again.

    Args:
        data: a JPEG, or a file that holds some.
        pictures: how many it holds.

    Raises:
        RejectedCase: more than 64 scans beyond one a picture.
    """
    if data.count(_SCAN) > _MOST_SCANS + pictures:
        raise RejectedCase(f"the JPEG sends its picture in more than {_MOST_SCANS} scans")


def coded_size(stream: bytes) -> CodedSize | None:
    """Size in the header of a JPEG, JPEG-LS or JPEG 2000 code stream; None where there is none.

    Sources: ITU-T T.81 B.2.2 (JPEG frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (SIZ).
    """
    try:
        if stream.startswith(_JPEG_START):
            return _jpeg(stream)
        start = _find_jpeg2000(stream)
        return _jpeg2000(stream, start) if stream.startswith(_J2K_START, start) else None
    except struct.error:
        return None


def _jpeg(stream: bytes) -> CodedSize | None:
    position = 2
    while True:
        filler, marker = struct.unpack_from(">BB", stream, position)
        if filler != 0xFF:
            return None
        if marker in _JPEG_BARE or marker == 0xFF:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_FRAMES:
            height, width, components = struct.unpack_from(">HHB", stream, position + 5)
            return CodedSize(height, width, components)
        (length,) = struct.unpack_from(">H", stream, position + 2)
        position += 2 + length


def _find_jpeg2000(stream: bytes) -> int:
    """Where the code stream begins: at once, or in the first box `jp2c` (T.800 I.4)."""
    if not stream.startswith(_JP2_START):
        return 0
    position = 0
    while True:
        length, kind = struct.unpack_from(">I4s", stream, position)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", stream, position + 8)
            header = 16
        if kind == b"jp2c":
            return position + header
        if length < header:
            return len(stream)
        position += length


def _jpeg2000(stream: bytes, start: int) -> CodedSize:
    right, bottom, left, top = struct.unpack_from(">IIII", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    return CodedSize(bottom - top, right - left, components)
