"""TIFF, checked by its directory before it is decoded."""

from __future__ import annotations

import struct

from lungseg.errors import RejectedCase

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG = b"+"
_PARTS = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}
_MOST_PARTS = 100_000


def check_tiff(data: bytes) -> None:
    """Refuse a file whose picture is cut into more parts than any film has lines.

    Raises:
        RejectedCase: more than 100 000 strips or tiles, or the directory lies outside the file.
    """
    order = "<" if data.startswith(b"I") else ">"
    big = _BIG in data[2:4]
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
        entry = struct.Struct(order + ("HHQ8x" if big else "HHI4x"))
        position = start + (8 if big else 2)
        for index in range(min(count, _MOST_PARTS)):
            tag, _, length = entry.unpack_from(data, position + index * entry.size)
            if tag in _PARTS and length > _MOST_PARTS:
                raise RejectedCase(f"the TIFF is cut into {length:,} {_PARTS[tag]}")
    except (struct.error, OverflowError) as error:
        raise RejectedCase("the TIFF is damaged (its directory lies outside the file)") from error
