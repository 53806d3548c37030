"""Look for files that crash the decoder, hang it or eat the memory, with Atheris (libFuzzer).

    python tests/benchmarks/fuzz_decoder.py --seconds 180 [--corpus DIR]

Needs `pip install atheris`. It starts from one valid file a format and follows what new code each
change of a byte reaches. The decoder must return a film or raise RejectedCase; anything else, more
than 5 s, or more than 1 GB above what Python itself holds ends the run with status other than 0,
and the file that did it lies in the corpus folder, named crash-…, timeout-… or oom-….
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import resource
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np
from PIL import Image

with atheris.instrument_imports(include=["lungseg", "pydicom"]):
    import pydicom
    from pydicom import uid
    from pydicom.encaps import encapsulate

    from lungseg import images
    from lungseg.errors import RejectedCase

LIMIT_SECONDS = 5
LIMIT_MB = 1000
RAMP = np.add.outer(np.arange(40), 5 * np.arange(48)).astype(np.uint8)
NAMES = ("film.png", "film.dcm", "film.img", "film")


def pictures() -> dict[str, bytes]:
    """One small valid file of each kind of picture."""
    kinds = [(kind, kind, {}) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "JPEG2000")]
    kinds += [("progressive", "JPEG", {"progressive": True})]
    kinds += [(name, "TIFF", {"compression": name}) for name in ("tiff_lzw", "packbits")]
    deep = Image.fromarray(RAMP.astype(np.uint16) * 16)
    found = {"png16": encoded(deep, "PNG"), "tiff16": encoded(deep, "TIFF")}
    found |= {mode: encoded(Image.fromarray(RAMP).convert(mode), "PNG") for mode in ("P", "RGBA")}
    return found | {name: encoded(Image.fromarray(RAMP), kind, **o) for name, kind, o in kinds}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def dicom(syntax: uid.UID, data: bytes) -> bytes:
    """An 8-bit film in DICOM, its pixels as given."""
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
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = encapsulate([data]) if syntax.is_encapsulated else data
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def seeds() -> dict[str, bytes]:
    """Pictures and DICOM files, each after one byte that chooses the file's name."""
    grey = Image.fromarray(RAMP)
    films = {
        "raw": dicom(uid.ExplicitVRLittleEndian, RAMP.tobytes()),
        "implicit": dicom(uid.ImplicitVRLittleEndian, RAMP.tobytes()),
        "jpeg": dicom(uid.JPEGBaseline8Bit, encoded(grey, "JPEG")),
        "j2k": dicom(uid.JPEG2000Lossless, encoded(grey, "JPEG2000", no_jp2=True)),
    }
    found = {f"picture-{name}": b"\0" + data for name, data in pictures().items()}
    return found | {f"dicom-{name}": b"\1" + data for name, data in films.items()}


def try_one(data: bytes) -> None:
    """Decode one file; every error but RejectedCase is a finding."""
    if not data:
        return
    try:
        film = images.decode(data[1:], NAMES[data[0] % len(NAMES)])
    except RejectedCase:
        return
    if film.pixels.dtype != np.uint8 or film.pixels.ndim != 2 or not film.pixels.size:
        raise AssertionError(f"{film.pixels.dtype} {film.pixels.shape}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
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
        f"-timeout={LIMIT_SECONDS}",
        f"-rss_limit_mb={held + LIMIT_MB}",
        f"-artifact_prefix={corpus}{os.sep}",
        "-max_len=20000",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
