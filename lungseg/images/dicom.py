"""DICOM radiographs as a viewer shows them, without anything that names the patient."""

from __future__ import annotations

import hashlib
import logging
import warnings

import numpy as np
import pydicom
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from lungseg.errors import RejectedCase
from lungseg.images import codecs, dicom_window
from lungseg.images.codestream import check_stream
from lungseg.images.dicom_file import read_dataset
from lungseg.images.intensity import to_grey, to_uint8
from lungseg.images.radiograph import Radiograph, check_size, is_spacing

# pydicom quotes the values it stumbles over, names of patients among them.
logging.getLogger("pydicom").propagate = False

_MODALITIES = ("", "CR", "DX", "DR", "RG", "XR", "RF", "OT", "SC")
_OTHER_MODALITIES = ("CT", "MR", "US", "NM", "PT", "MG", "XA", "IO", "PX", "BMD", "RTIMAGE", "SEG")
_CLASSES = ("Computed Radiography", "Digital X-Ray", "Secondary Capture", "X-Ray Radiofluoroscopic")
# The LUTs work in float64, at their peak with 30 bytes a pixel: 30 megapixels stay below 1 GB.
_WORKING_BYTES = 5
_COLOURS = ("Red", "Green", "Blue")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_VIEWS = ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LATERAL", "LAT")
"""Terms of View Position (PS3.3 C.8.11.7) and what some devices write for a lateral."""
_NO_PATIENT = ("", "0", "anonymous", "anonymized", "anon", "unknown", "none", "na", "n/a")


def decode_dicom(data: bytes) -> Radiograph:
    """Decode a single-frame radiograph in DICOM.

    In this order: modality LUT, VOI LUT or window, 8 bit, inversion of MONOCHROME1 (DICOM PS3.3
    C.11, C.7.6.3.1.2). The spacing is Pixel Spacing, else Imager Pixel Spacing, which holds at the
    detector.

    Raises:
        RejectedCase: not a radiograph, several frames, damaged, of a refused size, or compressed
            by a method that is not read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = read_dataset(data)
            _check(dataset)
            return Radiograph(
                pixels=_display(dataset),
                spacing_mm=_spacing(dataset),
                patient_id=_pseudonym(dataset),
                view=_view(dataset),
            )
        except RejectedCase:
            raise
        except Exception as error:
            # Anything may fail in a damaged file; the message itself may quote the patient.
            raise RejectedCase(
                f"the DICOM file is damaged or incomplete ({type(error).__name__})"
            ) from None


def _check(dataset: pydicom.Dataset) -> None:
    """Refuse what is no radiograph, or what must not be decoded, by its header."""
    modality = str(dataset.get("Modality") or "").strip().upper()
    sop_class = uid.UID(str(dataset.get("SOPClassUID") or ""))
    kind = sop_class.name.removesuffix(" Storage") if sop_class.name != sop_class else ""
    if kind and not kind.startswith(_CLASSES):
        raise RejectedCase(f"the DICOM file is no radiograph but {kind}")
    if modality not in _MODALITIES:
        # In a damaged file the field may hold anything, a name too: quote known terms only.
        named = modality if modality in _OTHER_MODALITIES else "unknown"
        raise RejectedCase(f"the DICOM file is no radiograph: its modality is {named}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise RejectedCase(f"the DICOM file holds {frames} frames, not one film")
    if "PixelData" not in dataset:
        raise RejectedCase("the DICOM file holds no pixels, or is truncated before them")
    if any(f"Segmented{colour}PaletteColorLookupTableData" in dataset for colour in _COLOURS):
        raise RejectedCase("the DICOM file has a segmented palette, which is not read")
    samples = int(dataset.SamplesPerPixel)
    check_size(dataset.Rows, dataset.Columns, samples * _WORKING_BYTES)
    syntax = _transfer_syntax(dataset)
    if syntax.is_encapsulated:
        _check_compressed(dataset, syntax, samples)


def _transfer_syntax(dataset: pydicom.Dataset) -> uid.UID:
    """The stated one; for old files without file meta information the one they were read with."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            uid.ImplicitVRLittleEndian
            if implicit
            else (uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian)
        )
    return uid.UID(dataset.file_meta.TransferSyntaxUID)


def _check_compressed(dataset: pydicom.Dataset, syntax: uid.UID, samples: int) -> None:
    plugin = codecs.PLUGINS.get(syntax)
    if plugin is None:
        raise RejectedCase(f"the DICOM file is compressed as {syntax.name}, which is not read")
    if plugin not in get_decoder(syntax).available_plugins:
        raise RejectedCase(f"{syntax.name} in DICOM needs {plugin}: pip install {plugin}")
    if syntax != uid.RLELossless:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        check_stream(frame, dataset.Rows, dataset.Columns, samples)


def _display(dataset: pydicom.Dataset) -> np.ndarray:
    photometric = dataset.PhotometricInterpretation
    plugin = codecs.PLUGINS.get(dataset.file_meta.TransferSyntaxUID, "")
    pixels = pixel_array(dataset, decoding_plugin=plugin)
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    if pixels.ndim == 3:
        return to_uint8(to_grey(np.ascontiguousarray(pixels[:, :, 2::-1])))
    if photometric not in _GREY:
        raise RejectedCase("the DICOM file has an unknown photometric interpretation")
    inverted = photometric == "MONOCHROME1"
    pixels = _without_padding(dataset, pixels, inverted)
    shown = dicom_window.show(pixels, dataset)
    return 255 - shown if inverted else shown


def _without_padding(dataset: pydicom.Dataset, pixels: np.ndarray, inverted: bool) -> np.ndarray:
    """Give padding around the film the value of black, so that it takes no part in the scaling."""
    padding = dataset.get("PixelPaddingValue")
    film = pixels != padding
    if padding is None or not film.any() or film.all():
        return pixels
    return np.where(film, pixels, pixels[film].max() if inverted else pixels[film].min())


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        values = dataset.get(name)
        if isinstance(values, pydicom.multival.MultiValue) and len(values) == 2:
            spacing = float(values[0]), float(values[1])
            if is_spacing(spacing):
                return spacing
    return None


def _view(dataset: pydicom.Dataset) -> str:
    """View Position where it is a known term: people write other things there, names too."""
    view = str(dataset.get("ViewPosition") or "").strip().upper()
    return view if view in _VIEWS else ""


def _pseudonym(dataset: pydicom.Dataset) -> str:
    """The same for all films of a patient; of the study where the patient's id tells nothing.

    The first 16 hex digits of a SHA-256, salted by nothing secret so that every cluster finds the
    same: it hides the id from readers, not from one who tries all ids there may be.
    """
    patient = str(dataset.get("PatientID") or "").strip()
    if patient.lower() in _NO_PATIENT:
        patient = str(dataset.get("StudyInstanceUID") or "").strip()
    if not patient:
        return ""
    return hashlib.sha256(f"lungseg/{patient}".encode()).hexdigest()[:16]
