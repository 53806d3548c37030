"""Masks as DICOM Segmentation objects, for films that are DICOM themselves (extra: dicom-seg)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import warnings

import numpy as np
import pydicom

from lungseg import storage
from lungseg.errors import RejectedCase, UserError, WorkError
from lungseg.prediction.reading import read_film
from lungseg.prediction.sides import sides

# SNOMED CT; pydicom's dictionary has no sides.
_LUNGS = (("Left lung", "44029006"), ("Right lung", "3341006"))

_NAMES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
"""By which a segmentation refers to its film."""
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "Modality",
)
"""Must be there, and are often taken out where films are made anonymous."""


def check_installed() -> None:
    """Raise `UserError` where highdicom is not installed."""
    if importlib.util.find_spec("highdicom") is None:
        raise UserError('predict.dicom_seg needs highdicom: pip install "lungseg[dicom-seg]"')


def write_segmentation(folder: str, image_id: str, film: str, mask: np.ndarray) -> bool:
    """Write `image_id.dcm` with one binary segment a lung (DICOM PS3.3 A.51).

    It belongs to the study of its film and, as the standard wants, names the patient as that does.

    Args:
        folder: path or URL.
        image_id: name of the file.
        film: path or URL of the film.
        mask: bool (H, W), post-processed.

    Returns:
        Whether the film is DICOM and has the identifiers to refer to; nothing is written else.

    Raises:
        WorkError: the film is there no more.
    """
    try:
        data = read_film(film)
    except RejectedCase as error:
        raise WorkError(f"{film}, which was read before: {error}") from error
    if data[128:132] != b"DICM":
        return False
    source = pydicom.dcmread(io.BytesIO(data))
    if not all(source.get(name) for name in _NAMES):
        return False
    for name in _MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, None)
    import highdicom as hd
    from pydicom.sr.codedict import codes

    version = importlib.metadata.version("lungseg")
    method = hd.AlgorithmIdentificationSequence(
        name="lungseg", version=version, family=codes.DCM.ArtificialIntelligence
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=hd.sr.CodedConcept(code, "SCT", name),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=method,
        )
        for number, (name, code) in enumerate(_LUNGS, 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that the film itself has wrong
        segmentation = hd.seg.Segmentation(
            [source],
            np.stack(sides(mask), axis=-1)[None].astype(np.uint8),
            hd.seg.SegmentationTypeValues.BINARY,
            segments,
            series_instance_uid=hd.UID(),
            series_number=1,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="lungseg",
            manufacturer_model_name="lungseg",
            software_versions=version,
            device_serial_number="0",
            omit_empty_frames=False,
        )
        sink = io.BytesIO()
        segmentation.save_as(sink)
    storage.write_bytes(storage.join(folder, f"{image_id}.dcm"), sink.getvalue())
    return True
