"""DICOM films look as in a viewer, and nothing that names the patient leaves them."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from lungseg import images
from lungseg.case import Case
from lungseg.errors import RejectedCase
from lungseg.evaluation import score_file
from lungseg.images.codestream import coded_size
from lungseg.preprocess import preprocess

RAMP = np.arange(64 * 48).reshape(64, 48)
NAME = "Doe^Jane"


def dicom(pixels: np.ndarray, *, data: bytes | None = None, **fields: Any) -> bytes:
    """A minimal digital radiograph; `data` replaces the pixel data by compressed ones."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = fields.pop("syntax", uid.ExplicitVRLittleEndian)
    dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Modality = "DX"
    dataset.PatientName, dataset.PatientID = NAME, "PID-4711"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in fields.items():
        setattr(dataset, name, value)
    if data is None:
        dataset.PixelData = pixels.tobytes()
    else:
        dataset.PixelData = encapsulate([data])
        dataset["PixelData"].VR = "OB"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def show(data: bytes) -> np.ndarray:
    return images.decode(data, "film.dcm").pixels


def test_eight_bits_are_kept() -> None:
    pixels = (RAMP % 251).astype(np.uint8)
    np.testing.assert_array_equal(show(dicom(pixels)), pixels)


def test_monochrome1_is_the_inverse() -> None:
    for pixels in ((RAMP % 251).astype(np.uint8), RAMP.astype(np.uint16)):
        positive = show(dicom(pixels))
        negative = show(dicom(pixels, PhotometricInterpretation="MONOCHROME1"))
        np.testing.assert_array_equal(negative, 255 - positive)


def test_rescale_and_window() -> None:
    """Window 1000 ± 500 of stored × 2 − 1000: stored 750 is black, 1250 white, 1000 the middle."""
    pixels = RAMP.astype(np.uint16)
    fields = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 1000}
    shown = show(dicom(pixels, **fields, WindowWidth=1000)).ravel()
    assert (shown[:749] == 0).all()
    assert (shown[1252:] == 255).all()
    assert abs(int(shown[1000]) - 127) <= 1


def test_voi_table_is_applied_before_the_window() -> None:
    item = pydicom.Dataset()
    item.LUTDescriptor = [256, 0, 16]
    item.LUTData = np.arange(65535, 65535 - 256 * 200, -200).astype("<u2").tobytes()
    pixels = (RAMP % 256).astype(np.uint8)
    shown = show(dicom(pixels, VOILUTSequence=[item], WindowCenter=1, WindowWidth=2))
    assert (np.diff(shown[0, :48].astype(int)) <= 0).all()
    assert shown.std() > 50


def test_a_window_is_shown_as_it_stands() -> None:
    """What the window maps to grey stays grey: nothing is stretched again."""
    eight = (RAMP % 101 + 50).astype(np.uint8)
    unscaled = {"RescaleSlope": 1, "RescaleIntercept": 0}
    np.testing.assert_array_equal(show(dicom(eight, **unscaled)), eight)
    full = {"WindowCenter": [128, 10], "WindowWidth": [256, 5]}
    np.testing.assert_array_equal(show(dicom(eight, **full, **unscaled)), eight)
    negative = show(dicom(eight, **full, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(negative, 255 - eight)
    twelve = (RAMP % 1001 + 1000).astype(np.uint16)
    wide = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12, "HighBit": 11}
    for function in ("LINEAR", "LINEAR_EXACT", "UNKNOWN"):
        shown = show(dicom(twelve, **wide, VOILUTFunction=function))
        assert np.abs(shown - twelve * (255 / 4095)).max() <= 0.6


def test_a_sigmoid_window() -> None:
    pixels = RAMP.astype(np.uint16)
    sigmoid = {"WindowCenter": 1500, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"}
    expected = 255 / (1 + np.exp(-4 * (RAMP - 1500) / 1000))
    assert np.abs(show(dicom(pixels, **sigmoid)) - expected).max() <= 0.6


def test_a_table_is_shown_as_it_stands() -> None:
    item = pydicom.Dataset()
    item.LUTDescriptor = [256, 0, 12]
    item.LUTData = np.arange(1000, 1256, dtype="<u2").tobytes()
    pixels = (RAMP % 256).astype(np.uint8)
    scaled = {"RescaleSlope": 2, "RescaleIntercept": -4}
    for fields in ({}, scaled):
        entry = np.clip(pixels.astype(int) * 2 - 4, 0, 255) if fields else pixels.astype(int)
        shown = show(dicom(pixels, VOILUTSequence=[item], **fields))
        assert np.abs(shown - (1000 + entry) * (255 / 4095)).max() <= 0.51


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": 2048, "WindowWidth": 0},
        {"WindowCenter": 2048, "WindowWidth": 0.5},
        {"WindowCenter": 2048},
        {"WindowCenter": None, "WindowWidth": None},
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"VOILUTSequence": []},
    ],
)
def test_fields_that_say_nothing_are_passed_over(fields: dict[str, Any]) -> None:
    pixels = RAMP.astype(np.uint16)
    np.testing.assert_array_equal(show(dicom(pixels, **fields)), show(dicom(pixels)))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_takes_no_part_in_the_scaling(photometric: str) -> None:
    pixels = RAMP.astype(np.uint16)
    pixels[:20] = 60000
    shown = show(dicom(pixels, PixelPaddingValue=60000, PhotometricInterpretation=photometric))
    assert (shown[:20] == 0).all()
    assert shown[20:].std() > 60


def test_signed_pixels() -> None:
    shown = show(dicom((RAMP - 1500).astype(np.int16), BitsStored=12, HighBit=11))
    assert (np.diff(shown.ravel().astype(int)) >= 0).all()


def test_spacing_at_the_patient_goes_before_that_at_the_detector() -> None:
    pixels = RAMP.astype(np.uint16)
    both = dicom(pixels, PixelSpacing=[0.2, 0.3], ImagerPixelSpacing=[0.1, 0.1])
    assert images.decode(both, "a").spacing_mm == (0.2, 0.3)
    detector = dicom(pixels, ImagerPixelSpacing=[0.14, 0.14])
    assert images.decode(detector, "a").spacing_mm == (0.14, 0.14)
    assert images.decode(dicom(pixels, PixelSpacing=[0, 0]), "a").spacing_mm is None


@pytest.mark.parametrize(
    "spacing",
    ["nan\\0.1", "0.1\\nan", "inf\\0.1", "-0.1\\0.1", "1e-30\\1", "1e300\\1", "0.1", "a\\b"],
)
def test_a_spacing_that_no_film_has_is_passed_over(spacing: str) -> None:
    film = (RAMP % 251).astype(np.uint8)
    whole = dicom(film, PixelSpacing=[1234567, 7654321], ImagerPixelSpacing=[0.14, 0.14])
    text = spacing.ljust(15).encode()
    decoded = images.decode(whole.replace(b"1234567\\7654321", text), "a")
    assert decoded.spacing_mm == (0.14, 0.14)
    np.testing.assert_array_equal(decoded.pixels, film)


@pytest.mark.parametrize(
    ("stated", "view"), [("PA", "PA"), (" ap", "AP"), ("LL", "LL"), ("DOE^JANE PA", ""), ("", "")]
)
def test_the_view_is_a_known_term_or_none(stated: str, view: str) -> None:
    film = dicom((RAMP % 251).astype(np.uint8), ViewPosition="SOME OTHER VIEW")
    film = film.replace(b"SOME OTHER VIEW", stated.ljust(15).encode())
    assert images.decode(film, "a").view == view


def test_the_view_stands_in_shards_and_in_the_scores_of_foreign_masks(tmp_path: Path) -> None:
    film, mask = tmp_path / "film.dcm", tmp_path / "mask.png"
    film.write_bytes(dicom((RAMP % 251).astype(np.uint8), ViewPosition="PA"))
    lung = np.zeros(RAMP.shape, np.uint8)
    lung[10:40, 10:30] = 255
    cv2.imwrite(str(mask), lung)
    case = Case(case_id="film", image=str(film), masks=(str(mask),))
    assert preprocess(case, 32)["view"] == "PA"
    scores = score_file(case, str(mask))
    assert (scores["view"], scores["dice"]) == ("PA", 1)


def test_patient_is_a_stable_pseudonym() -> None:
    pixels = RAMP.astype(np.uint16)
    first = images.decode(dicom(pixels), "a").patient_id
    again = images.decode(dicom(pixels[::-1].copy(), PatientName="X"), "b").patient_id
    other = images.decode(dicom(pixels, PatientID="PID-4712"), "a").patient_id
    assert first == again != other
    assert len(first) == 16
    assert "4711" not in first


def test_placeholder_ids_are_told_apart_by_the_study() -> None:
    pixels = RAMP.astype(np.uint16)
    studies = [dicom(pixels, PatientID="Anonymous", StudyInstanceUID=f"1.2.{n}") for n in (1, 2)]
    assert len({images.decode(study, "a").patient_id for study in studies}) == 2
    assert images.decode(dicom(pixels, PatientID=""), "a").patient_id == ""


def test_colour_and_palette() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[:20, :, 0] = 255
    assert set(np.unique(show(dicom(red)))) == {0, 76}
    indices = np.repeat([[0], [1]], 20, axis=0).repeat(40, axis=1).astype(np.uint8)
    tables = {}
    for colour, top in (("Red", 65535), ("Green", 0), ("Blue", 0)):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = np.array([0, top], "<u2").tobytes()
    shown = show(dicom(indices, PhotometricInterpretation="PALETTE COLOR", **tables))
    assert shown[0, 0] == 0
    assert shown[-1, -1] > 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Modality": "CT", "SOPClassUID": uid.CTImageStorage}, "no radiograph but CT Image"),
        ({"Modality": "", "SOPClassUID": uid.MRImageStorage}, "no radiograph but MR Image"),
        ({"Modality": "US"}, "its modality is US"),
        ({"Modality": "DOE JANE"}, "its modality is unknown"),
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"Rows": 20_000, "Columns": 20_000}, "megapixels"),
        ({"Rows": 8_000, "Columns": 8_000}, "MB decoded"),
        ({"Rows": 100}, "damaged or incomplete"),
        ({"PhotometricInterpretation": "HSV"}, "damaged or incomplete|photometric"),
        ({"syntax": uid.MPEG2MPML}, "which is not read"),
    ],
)
def test_what_is_no_single_film_is_refused(fields: dict[str, Any], reason: str) -> None:
    syntax = fields.get("syntax", uid.ExplicitVRLittleEndian)
    data = b"\0\0\1\xb3" if syntax.is_encapsulated else None
    with pytest.raises(RejectedCase, match=reason):
        show(dicom(RAMP.astype(np.uint16), data=data, **fields))


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    ],
)
def test_uncompressed_syntaxes(syntax: uid.UID) -> None:
    pixels = RAMP.astype(np.uint16)
    expected = show(dicom(pixels))
    stored = pixels.astype(">u2") if syntax == uid.ExplicitVRBigEndian else pixels
    np.testing.assert_array_equal(show(dicom(stored, syntax=syntax)), expected)


def test_file_without_meta_information() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(RAMP.astype(np.uint16))))
    stream = io.BytesIO()
    del dataset.file_meta
    dataset.save_as(stream, implicit_vr=True, little_endian=True)
    expected = show(dicom(RAMP.astype(np.uint16)))
    for name in ("film.dcm", "IM0001", "I0001.IMG"):
        film = images.decode(stream.getvalue(), name)
        np.testing.assert_array_equal(film.pixels, expected)


def compressed(syntax: uid.UID) -> tuple[bytes, np.ndarray]:
    """A film of 12 (JPEG baseline: 8) bits in this transfer syntax, and its pixels."""
    pixels = RAMP.astype(np.uint16)
    if syntax == uid.RLELossless:
        dataset = pydicom.dcmread(io.BytesIO(dicom(pixels)))
        dataset.compress(uid.RLELossless, encoding_plugin="pydicom")
        stream = io.BytesIO()
        dataset.save_as(stream)
        return stream.getvalue(), pixels
    bits = {"BitsStored": 12, "HighBit": 11}
    stream = io.BytesIO()
    if syntax == uid.JPEGBaseline8Bit:
        pixels, bits = (RAMP % 256 // 2).astype(np.uint8), {}
        Image.fromarray(pixels).save(stream, "JPEG", quality=100)
        data = stream.getvalue()
    elif syntax in (uid.JPEG2000, uid.JPEG2000Lossless):
        pixels, bits = (pixels << 4), {}
        Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True)
        data = stream.getvalue()
    else:
        codecs = pytest.importorskip("imagecodecs", reason="imagecodecs is not installed")
        if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
            data = codecs.jpegls_encode(pixels)
        elif syntax == uid.JPEGExtended12Bit:
            data = codecs.jpeg8_encode(pixels, bitspersample=12, level=100)
        elif syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
            data = codecs.jpeg8_encode(pixels, bitspersample=12, lossless=True)
        else:
            data = codecs.htj2k_encode(pixels, reversible=True)
    return dicom(pixels, data=bytes(data), syntax=syntax, **bits), pixels


SYNTAXES = [
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEG2000,
    uid.JPEG2000Lossless,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.HTJ2KLossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_compressed_syntaxes(syntax: uid.UID) -> None:
    data, pixels = compressed(syntax)
    shown, expected = show(data).astype(int), show(dicom(pixels)).astype(int)
    tolerance = 2 if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit) else 0
    assert np.abs(shown - expected).max() <= tolerance


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_truncated_compressed_films_are_rejected(
    syntax: uid.UID, capfd: pytest.CaptureFixture[str]
) -> None:
    data, _ = compressed(syntax)
    for share in (0.99, 0.9, 0.7):
        with pytest.raises(RejectedCase):
            show(data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")


def test_stream_of_another_size_than_the_header_is_refused() -> None:
    stream = io.BytesIO()
    Image.new("L", (3000, 3000)).save(stream, "JPEG")
    small = np.zeros((64, 64), np.uint8)
    with pytest.raises(RejectedCase, match="differ in size"):
        show(dicom(small, data=stream.getvalue(), syntax=uid.JPEGBaseline8Bit))


def deflated(elements: bytes) -> bytes:
    """Elements deflated, behind 2 kB of other meta information."""
    name = uid.DeflatedExplicitVRLittleEndian.encode()
    meta = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2000) + bytes(2000)
    meta += struct.pack("<HH2sH", 2, 0x10, b"UI", len(name)) + name
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(elements) + packer.flush()
    group = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return bytes(128) + b"DICM" + group + meta + packed


def test_deflated_films_are_inflated_within_bounds() -> None:
    film = dicom((RAMP % 251).astype(np.uint8))
    elements = film[film.index(b"\x08\x00\x16\x00UI") :]
    np.testing.assert_array_equal(show(deflated(elements)), show(film))
    bomb = struct.pack("<HH2sHI", 0x7FE1, 0x1010, b"OB", 0, 160_000_000) + bytes(160_000_000)
    with pytest.raises(RejectedCase, match="deflated from more than 150 MB"):
        show(deflated(elements + bomb))
    with pytest.raises(RejectedCase, match="cannot be inflated"):
        show(deflated(elements).replace(b"\x08", b"\xff"))
    with pytest.raises(RejectedCase, match="deflated or not"):
        show(dicom(RAMP.astype(np.uint16), PatientComments=uid.DeflatedExplicitVRLittleEndian))


def test_a_size_in_another_box_does_not_hide_the_true_one() -> None:
    """JPEG 2000 whose first SIZ lies in a box that no decoder reads."""
    stream = io.BytesIO()
    Image.fromarray((RAMP % 251).astype(np.uint8)).save(stream, "JPEG2000")
    whole = stream.getvalue()
    start = whole.index(b"\xff\x4f\xff\x51")
    fake = whole[start : start + 60]
    large = bytearray(whole[start:])
    struct.pack_into(">II", large, 8, 9000, 9000)
    first = 12 + struct.unpack(">I", whole[12:16])[0]
    box = struct.pack(">I4s", 24 + len(fake), b"uuid") + bytes(16) + fake
    film = RAMP.astype(np.uint8)
    assert coded_size(whole) == (64, 48, 1)
    assert coded_size(whole[:first] + box + whole[first:]) == (64, 48, 1)
    hidden = whole[:first] + box + whole[first:start] + bytes(large)
    assert coded_size(hidden) == (9000, 9000, 1)
    for syntax in (uid.JPEG2000Lossless, uid.HTJ2KLossless):
        with pytest.raises(RejectedCase, match="differ in size"):
            show(dicom(film, data=hidden, syntax=syntax))
    for damaged in (whole[:first], whole[:first] + bytes(40), b"words" + whole[start:]):
        assert coded_size(damaged) is None


def test_run_lengths_beyond_the_film_are_refused() -> None:
    header = struct.pack("<16I", 1, 64, *[0] * 14)
    film = RAMP.astype(np.uint8)
    with pytest.raises(RejectedCase, match="damaged"):
        show(dicom(film, data=header + b"\x81\x00" * 1_000_000, syntax=uid.RLELossless))
    exact = b"\x81\x05" * 23 + b"\x81\x07" + b"\x00"
    assert set(show(dicom(film, data=header + exact, syntax=uid.RLELossless)).ravel()) == {5, 7}


def test_run_lengths_of_colours() -> None:
    colours = np.stack([RAMP % 251, RAMP % 83, RAMP % 17], axis=2).astype(np.uint8)
    dataset = pydicom.dcmread(io.BytesIO(dicom(colours)))
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom")
    stream = io.BytesIO()
    dataset.save_as(stream)
    np.testing.assert_array_equal(show(stream.getvalue()), show(dicom(colours)))


def test_segmented_palettes_are_refused() -> None:
    tables = {}
    for colour in ("Red", "Green", "Blue"):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        words = np.array([0, 1, 0, 1, 255, 9], "<u2")
        tables[f"Segmented{colour}PaletteColorLookupTableData"] = words.tobytes()
    data = dicom(RAMP.astype(np.uint8), PhotometricInterpretation="PALETTE COLOR", **tables)
    with pytest.raises(RejectedCase, match="segmented palette"):
        show(data)


def test_jpeg_of_many_scans_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(RAMP.astype(np.uint8)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()[:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 70 + b"\xff\xd9"
    with pytest.raises(RejectedCase, match="more than 64 scans"):
        show(dicom(RAMP.astype(np.uint8), data=data, syntax=uid.JPEGBaseline8Bit))
    with pytest.raises(RejectedCase, match="more than 64 scans"):
        images.decode(data, "a.jpg")


def test_reasons_and_logs_never_name_the_patient(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    whole = dicom(RAMP.astype(np.uint16), PatientBirthDate="19700101")
    damaged = whole.replace(b"PN", b"DA").replace(b"19700101", NAME.encode())
    with caplog.at_level(logging.DEBUG):
        for data in (damaged, damaged[:500], damaged.replace(b"US", b"DS")):
            try:
                show(data)
            except RejectedCase as error:
                reason = f"{error} {error.__cause__}"
                assert "Doe" not in reason
    assert "Doe" not in caplog.text
    assert "Doe" not in "".join(capfd.readouterr())


def test_the_two_originals_are_inverse(originals: Path) -> None:
    second = images.read(str(originals / "cxr_monochrome2_jpeg.dcm"))
    first = images.read(str(originals / "cxr_monochrome1_jpeg.dcm"))
    difference = first.pixels.astype(int) - (255 - second.pixels.astype(int))
    assert np.abs(difference).max() <= 1
    assert second.spacing_mm == (0.168, 0.168)
    assert second.patient_id == first.patient_id
    assert second.pixels[400:600, 500:540].mean() > second.pixels[400:600, 250:350].mean()


def test_the_original_ct_is_refused(originals: Path) -> None:
    with pytest.raises(RejectedCase, match="no radiograph but CT Image"):
        images.read(str(originals / "ct_slice_int16.dcm"))


SEEDS = [
    dicom((RAMP % 251).astype(np.uint8)),
    dicom(RAMP.astype(np.uint16), WindowCenter=1000, WindowWidth=500, PixelSpacing=[0.1, 0.1]),
    *(compressed(syntax)[0] for syntax in SYNTAXES[:4]),
]


@settings(max_examples=200, deadline=5000, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
def test_any_bytes_give_a_film_or_a_reason(
    seed: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(seed)
    for position, value in changes:
        data[132 + position % (len(data) - 132)] = value
    try:
        film = images.decode(bytes(data[: cut or None]), "a.dcm")
    except RejectedCase:
        return
    assert film.pixels.dtype == np.uint8
    assert min(film.pixels.shape) >= 32
