"""Decoders of compressed DICOM pixel data, one chosen for each transfer syntax.

Pillow and imagecodecs were chosen because they stay quiet and return an error on damaged data;
GDCM ends the process there. imagecodecs is offered to pydicom as a plugin from here.
"""

from __future__ import annotations

import importlib.util
import struct

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

_JPEG = (uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_HTJ2K = (uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL)
_RUN = 128
"""Bytes of the longest run, by which a segment may exceed the frame."""

DECODER_DEPENDENCIES = dict.fromkeys(
    (*_JPEG, *_JPEG_LS, *_HTJ2K, uid.RLELossless), ("imagecodecs",)
)

PLUGINS: dict[str, str] = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEG2000Lossless: "pillow",
    uid.JPEG2000: "pillow",
    **dict.fromkeys(DECODER_DEPENDENCIES, "imagecodecs"),
}
"""pydicom's name of the decoder of each compressed transfer syntax that is read."""


def is_available(syntax: str) -> bool:
    """Whether imagecodecs can decode a transfer syntax here (asked by pydicom)."""
    return syntax in DECODER_DEPENDENCIES and importlib.util.find_spec("imagecodecs") is not None


def decode_frame(data: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame, grey but for run lengths (called by pydicom).

    Raises:
        NotImplementedError: the frame has colours.
        ValueError: run lengths that do not fit the frame.
        RuntimeError: of imagecodecs, for damaged data.
    """
    import imagecodecs

    if runner.transfer_syntax == uid.RLELossless:
        return _decode_runs(data, runner)
    if runner.samples_per_pixel != 1:
        raise NotImplementedError("colour in this compression")
    if runner.transfer_syntax in _JPEG:
        pixels = imagecodecs.jpeg8_decode(data)
    elif runner.transfer_syntax in _JPEG_LS:
        pixels = imagecodecs.jpegls_decode(data)
    else:
        pixels = imagecodecs.jpeg2k_decode(data)
    return np.ascontiguousarray(pixels).astype(f"<u{runner.bits_allocated // 8}").tobytes()


def _decode_runs(data: bytes, runner: DecodeRunner) -> bytes:
    """DICOM's run lengths (PS3.5 Annex G), a segment for each byte of a sample, the upper first.

    pydicom's own decoder takes seconds and a gigabyte for runs beyond the frame's size.
    """
    import imagecodecs

    pixels, width = runner.rows * runner.columns, runner.bits_allocated // 8
    count, *offsets = struct.unpack_from("<16I", data)
    if count != runner.samples_per_pixel * width or count > len(offsets):
        raise ValueError("another number of segments than of bytes in a pixel")
    planes = np.empty((runner.samples_per_pixel, pixels, width), np.uint8)
    ends = [*offsets[1:count], len(data)]
    for index, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        segment = imagecodecs.packbits_decode(data[start:end], out=pixels + _RUN)
        if len(segment) < pixels:
            raise ValueError("a segment is too short")
        sample, byte = divmod(index, width)
        planes[sample, :, width - 1 - byte] = np.frombuffer(segment, np.uint8, pixels)
    runner.set_option("planar_configuration", 1)
    return planes.tobytes()


for _syntax in DECODER_DEPENDENCIES:
    _decoder = get_decoder(_syntax)
    if "imagecodecs" not in (*_decoder.available_plugins, *_decoder.missing_dependencies):
        _decoder.add_plugin("imagecodecs", (__name__, "decode_frame"))
