"""The elements of a DICOM file, deflated or not, of bounded size."""

from __future__ import annotations

import io
import zlib

import pydicom
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset as read_elements
from pydicom.filereader import read_preamble
from pydicom.tag import BaseTag

from lungseg.errors import RejectedCase
from lungseg.images.radiograph import MAX_DECODED_BYTES

_META = 2
"""Group of the elements before the deflated part."""


def read_dataset(data: bytes) -> pydicom.Dataset:
    """All elements, as `pydicom.dcmread` gives them.

    Raises:
        RejectedCase: deflated to more than 150 MB, or damaged there.
        Exception: of pydicom, for a damaged file.
    """
    if uid.DeflatedExplicitVRLittleEndian.encode() in data:
        # pydicom would inflate it without bound before anything can be checked.
        return _inflated(data)
    return pydicom.dcmread(io.BytesIO(data), force=True)


def _inflated(data: bytes) -> pydicom.Dataset:
    stream = io.BytesIO(data)
    read_preamble(stream, force=True)
    meta = read_elements(stream, False, True, stop_when=_after_meta)
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        raise RejectedCase("the DICOM file is damaged or incomplete (deflated or not?)")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(stream.read(), MAX_DECODED_BYTES)
    except zlib.error:
        raise RejectedCase("the DICOM file is damaged (it cannot be inflated)") from None
    if inflater.unconsumed_tail:
        raise RejectedCase(
            f"the DICOM file is deflated from more than {MAX_DECODED_BYTES // 1_000_000} MB"
        )
    dataset = read_elements(io.BytesIO(plain), False, True)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != _META
