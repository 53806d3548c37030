"""Masks as DICOM Segmentation objects, for films that are DICOM themselves (extra: dicom-seg)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import warnings

import numpy as np
import pydicom

from lungseg import storage
from lungseg.errors import UserError
from lungseg.prediction.sides import sides

# SNOMED CT; pydicom's dictionary has no sides.
_LUNGS = (("Left lung", "44029006"), ("Right lung", "3341006"))


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
        Whether the film is DICOM; nothing is written where it is not.
    """
    data = storage.read_bytes(film)
    if data[128:132] != b"DICM":
        return False
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
            [pydicom.dcmread(io.BytesIO(data))],
            np.stack(sides(mask)[:2], axis=-1)[None].astype(np.uint8),
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
