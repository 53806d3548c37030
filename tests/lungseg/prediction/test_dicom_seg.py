"""Masks as DICOM Segmentation objects, read back with pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from lungseg.prediction.dicom_seg import check_installed, write_segmentation

pytest.importorskip("highdicom")


def test_a_segmentation_holds_both_lungs_and_its_film(originals: Path, tmp_path: Path) -> None:
    check_installed()
    path = originals / "cxr_monochrome2_jpeg.dcm"
    film = pydicom.dcmread(path)
    left, right = np.zeros((2, film.Rows, film.Columns), bool)
    left[100:400, 600:800] = right[120:420, 200:450] = True
    assert write_segmentation(str(tmp_path), "film", str(path), left | right)
    written = pydicom.dcmread(tmp_path / "film.dcm")
    assert written.SOPClassUID.name == "Segmentation Storage"
    assert written.StudyInstanceUID == film.StudyInstanceUID
    assert written.ReferencedSeriesSequence[0].SeriesInstanceUID == film.SeriesInstanceUID
    assert [one.SegmentLabel for one in written.SegmentSequence] == ["Left lung", "Right lung"]
    np.testing.assert_array_equal(written.pixel_array, np.stack([left, right]))


def test_an_empty_lung_keeps_its_segment(originals: Path, tmp_path: Path) -> None:
    path = originals / "cxr_monochrome2_jpeg.dcm"
    film = pydicom.dcmread(path)
    left, right = np.zeros((2, film.Rows, film.Columns), bool)
    right[120:420, 200:450] = True
    assert write_segmentation(str(tmp_path), "film", str(path), left | right)
    written = pydicom.dcmread(tmp_path / "film.dcm")
    np.testing.assert_array_equal(written.pixel_array, np.stack([left, right]))


def test_other_films_get_none(originals: Path, tmp_path: Path) -> None:
    path = originals / "cxr_gray_2000.jpg"
    assert not write_segmentation(str(tmp_path), "film", str(path), np.zeros((4, 4), bool))
    assert list(tmp_path.iterdir()) == []


def test_anonymous_films_get_one_and_nameless_ones_none(originals: Path, tmp_path: Path) -> None:
    film = pydicom.dcmread(originals / "cxr_monochrome2_jpeg.dcm")
    mask = np.zeros((film.Rows, film.Columns), bool)
    mask[120:420, 200:450] = True
    for name in ("PatientID", "PatientName", "PatientBirthDate", "StudyID", "StudyDate"):
        delattr(film, name)
    film.save_as(tmp_path / "film.dcm")
    assert write_segmentation(str(tmp_path / "seg"), "film", str(tmp_path / "film.dcm"), mask)
    assert pydicom.dcmread(tmp_path / "seg" / "film.dcm").pixel_array.sum() == mask.sum()
    del film.SeriesInstanceUID
    film.save_as(tmp_path / "other.dcm")
    assert not write_segmentation(str(tmp_path / "seg"), "other", str(tmp_path / "other.dcm"), mask)
