"""Look for files that crash the decoder, hang it or eat the memory, with Atheris (libFuzzer).

    python tests/benchmarks/fuzz_decoder.py --seconds 180 [--corpus DIR]

It starts from one valid file a format and follows what new code each change of a byte reaches;
checksums of PNG are mended, so that the changes behind them are seen. The decoder must return a
film (or mask) or raise RejectedCase; anything else, more than 5 s, or more than 1 GB above what
Python itself holds ends the run with status other than 0, and the file that did it lies in the
corpus folder, named crash-…, timeout-… or oom-….
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import random
import resource
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import atheris
import imagecodecs
import numpy as np
from PIL import Image

with atheris.instrument_imports(include=["lungseg", "pydicom"]):
    import pydicom
    from pydicom import uid
    from pydicom.encaps import encapsulate

    from lungseg import images, masks, rle
    from lungseg.datasets import darwin
    from lungseg.errors import RejectedCase
    from lungseg.images.decode import decode_picture

LIMIT_SECONDS = 5
LIMIT_MB = 1000
RAMP = np.add.outer(np.arange(40), 5 * np.arange(48)).astype(np.uint8)
KINDS = ("film.png", "film.dcm", "film.img", "film", "mask.png", "mask.json", "runs")
"""What the first byte of a file says it is."""
PNG = b"\x89PNG\r\n\x1a\n"
CORNERS = [{"x": x, "y": y} for x, y in ((5, 5), (20, 5), (20, 30.5))]


def pictures() -> dict[str, bytes]:
    """One small valid file of each kind of picture."""
    kinds = [(kind, kind, {}) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "JPEG2000")]
    kinds += [("progressive", "JPEG", {"progressive": True})]
    packed = ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    kinds += [(name, "TIFF", {"compression": name}) for name in packed]
    deep = Image.fromarray(RAMP.astype(np.uint16) * 16)
    found = {"png16": encoded(deep, "PNG"), "tiff16": encoded(deep, "TIFF")}
    found["float"] = encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF")
    found["bilevel"] = encoded(Image.fromarray(RAMP > 100), "TIFF", compression="group4")
    found |= {mode: encoded(Image.fromarray(RAMP).convert(mode), "PNG") for mode in ("P", "RGBA")}
    return found | {name: encoded(Image.fromarray(RAMP), kind, **o) for name, kind, o in kinds}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def dicom(syntax: uid.UID, data: bytes, *, bits: int = 8, **fields: object) -> bytes:
    """A film in DICOM, its pixels as given."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME2"
    dataset.PatientID, dataset.PixelSpacing = "1", [0.1, 0.1]
    dataset.WindowCenter, dataset.WindowWidth = 100, 120
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, 1
    dataset.Rows, dataset.Columns = RAMP.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = encapsulate([data]) if syntax.is_encapsulated else data
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicoms() -> dict[str, bytes]:
    """One small film in each transfer syntax, some with tables."""
    grey, deep = Image.fromarray(RAMP), RAMP.astype(np.uint16) * 16
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 16], np.arange(256, dtype="<u2").tobytes()
    palette: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = table.LUTData
    runs = imagecodecs.packbits_encode(RAMP.tobytes())
    lossless = imagecodecs.jpeg8_encode(deep, bitspersample=12, lossless=True)
    return {
        "raw": dicom(uid.ExplicitVRLittleEndian, RAMP.tobytes()),
        "raw16": dicom(uid.ExplicitVRLittleEndian, deep.tobytes(), bits=16),
        "implicit": dicom(uid.ImplicitVRLittleEndian, RAMP.tobytes()),
        "big": dicom(uid.ExplicitVRBigEndian, deep.astype(">u2").tobytes(), bits=16),
        "deflated": dicom(uid.DeflatedExplicitVRLittleEndian, RAMP.tobytes()),
        "voi": dicom(uid.ExplicitVRLittleEndian, RAMP.tobytes(), VOILUTSequence=[table]),
        "modality": dicom(uid.ExplicitVRLittleEndian, RAMP.tobytes(), ModalityLUTSequence=[table]),
        "palette": dicom(uid.ExplicitVRLittleEndian, RAMP.tobytes(), **palette),
        "rle": dicom(uid.RLELossless, struct.pack("<16I", 1, 64, *[0] * 14) + runs),
        "jpeg": dicom(uid.JPEGBaseline8Bit, encoded(grey, "JPEG")),
        "lossless": dicom(uid.JPEGLosslessSV1, lossless, bits=16),
        "jpegls": dicom(uid.JPEGLSLossless, imagecodecs.jpegls_encode(RAMP)),
        "j2k": dicom(uid.JPEG2000Lossless, encoded(grey, "JPEG2000", no_jp2=True)),
        "htj2k": dicom(uid.HTJ2KLossless, imagecodecs.htj2k_encode(RAMP, reversible=True)),
    }


def seeds() -> dict[str, bytes]:
    """Films and masks, each after the byte that says what it is."""
    image = {"width": RAMP.shape[1], "height": RAMP.shape[0], "filename": "a.png"}
    lung = {"name": "Lung", "polygon": {"path": CORNERS, "additional_paths": [CORNERS]}}
    polygons = json.dumps({"image": image, "annotations": [lung]}).encode()
    runs = rle.encode(RAMP > 100)
    found = {f"picture-{name}": b"\0" + data for name, data in pictures().items()}
    found |= {f"dicom-{name}": b"\1" + data for name, data in dicoms().items()}
    found["mask-png"] = b"\4" + encoded(Image.fromarray(RAMP > 100), "PNG")
    found["mask-json"] = b"\5" + polygons
    return found | {"runs": b"\6" + runs.encode(), "runs-packed": b"\6" + rle.pack(runs).encode()}


def try_one(data: bytes) -> None:
    """Decode one file; every error but RejectedCase is a finding."""
    if not data:
        return
    try:
        pixels = decode(data[1:], KINDS[data[0] % len(KINDS)])
    except RejectedCase:
        return
    if pixels.dtype not in (np.uint8, bool) or pixels.ndim != 2 or not pixels.size:
        raise AssertionError(f"{pixels.dtype} {pixels.shape}")


def decode(data: bytes, kind: str) -> np.ndarray:
    if kind == "mask.json":
        return darwin.draw_lungs(data, *RAMP.shape)
    if kind == "mask.png":
        return masks.binarise(decode_picture(data))
    if kind == "runs":
        return rle.decode(data.decode("latin-1"), *RAMP.shape)
    return images.decode(data, kind).pixels


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """A change of libFuzzer's, the checksums of a PNG mended in three of four."""
    changed = bytes(atheris.Mutate(data, most))
    if changed[1:9] != PNG or random.Random(seed).random() < 0.25:
        return changed
    mended, position = bytearray(changed), 9
    while position + 12 <= len(mended):
        (length,) = struct.unpack_from(">I", mended, position)
        end = position + 8 + length
        if end + 4 > len(mended):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(mended[position + 4 : end]))
        position = end + 4
    return bytes(mended)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1, help="files to try; -1: as time is left")
    parser.add_argument("--seed", type=int, default=0, help="of the search; 0: another each time")
    parser.add_argument("--corpus", help="folder for the files tried; a temporary one by default")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    corpus = Path(arguments.corpus or tempfile.mkdtemp(prefix="lungseg-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        try_one(data)
        (corpus / name).write_bytes(data)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-runs={arguments.runs}",
        f"-seed={arguments.seed}",
        f"-timeout={LIMIT_SECONDS}",
        f"-rss_limit_mb={held + LIMIT_MB}",
        f"-artifact_prefix={corpus}{os.sep}",
        "-max_len=20000",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
