"""What compressed pixel data state of themselves, checked before any codec sees them."""

from __future__ import annotations

import struct
from typing import NamedTuple

from lungseg.errors import RejectedCase

_J2K_START = b"\xff\x4f\xff\x51"
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = {0x01, *range(0xD0, 0xD8)}


_END = b"\xff\xd9"


class CodedSize(NamedTuple):
    """Image size in px and number of colour components."""

    height: int
    width: int
    components: int


def check_stream(stream: bytes, height: int, width: int, components: int) -> None:
    """Refuse a code stream that would decode to something else than its container states.

    Raises:
        RejectedCase: it states another size, or is cut off.
    """
    if coded_size(stream) != (height, width, components):
        raise RejectedCase("the file is damaged: its header and its pixel data differ in size")
    # CharLS searches for seconds in a JPEG-LS stream without end.
    if stream.startswith(_JPEG_START) and _END not in stream:
        raise RejectedCase("the compressed pixel data are truncated")


def coded_size(stream: bytes) -> CodedSize | None:
    """Size in the header of a JPEG, JPEG-LS or JPEG 2000 code stream; None where there is none.

    Sources: ITU-T T.81 B.2.2 (JPEG frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (SIZ).
    """
    try:
        if stream.startswith(_JPEG_START):
            return _jpeg(stream)
        start = stream.find(_J2K_START, 0, 4096)
        return _jpeg2000(stream, start) if start >= 0 else None
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


def _jpeg2000(stream: bytes, start: int) -> CodedSize:
    right, bottom, left, top = struct.unpack_from(">IIII", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    return CodedSize(bottom - top, right - left, components)
