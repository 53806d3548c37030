from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lungseg import rle
from lungseg.datasets import find_cases
from lungseg.errors import RejectedCase, UserError
from lungseg.masks import read_mask

Build = Callable[..., Any]

HEADER = [
    "Dice RCA (Mean)",
    "Dice RCA (Max)",
    "Landmarks",
    "Left Lung",
    "Right Lung",
    "Heart",
    "Height",
    "Width",
]


@pytest.fixture
def table(lung: Build) -> Build:
    """Text of a CheXmask table with rows (id, quality)."""

    def write(id_column: str, *rows: tuple[str, float]) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow([id_column, *HEADER])
        left, right = (rle.encode(lung(side) > 0) for side in ("left", "right"))
        for row_id, quality in rows:
            writer.writerow([row_id, quality, quality, "[1 2]", left, right, "9 9", "60.0", "50.0"])
        return stream.getvalue()

    return write


def test_nih_names_with_images_beside_the_table(
    tree: Build, film: Build, lung: Build, table: Build
) -> None:
    text = table(
        "Image Index",
        ("00000001_000.png", 0.9),
        ("00000002_000.png", 0.65),
        ("00000003_000.png", 0.9),
    )
    root = tree(
        {
            "OriginalResolution/ChestX-Ray8.csv.gz": gzip.compress(text.encode()),
            "images_001/images/00000001_000.png": film(1),
            "images_001/images/00000002_000.png": film(2),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("chexmask",)
    (case,) = found.cases
    assert (case.case_id, case.patient_id, case.source) == (
        "00000001_000",
        "00000001",
        "ChestX-Ray8",
    )
    both = (lung("left") | lung("right")) > 0
    np.testing.assert_array_equal(read_mask(case, 60, 50), both)
    with pytest.raises(RejectedCase, match="mask is 50×60 pixels and its image 25×120"):
        read_mask(case, 120, 25)
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in found.unmatched}
    assert reasons == {
        "00000002_000.png": "CheXmask's quality estimate 0.65 is below 0.7",
        "ChestX-Ray8.csv.gz": "1 rows have no image in the given folders",
    }


def test_chexpert_paths_with_images_elsewhere(tree: Build, film: Build, table: Build) -> None:
    ids = [f"train/patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2)]
    root = tree(
        {
            "masks/CheXpert.csv": table("Path", *((row_id, 0.9) for row_id in ids)),
            **{f"CheXpert-v1.0/{row_id}": film(n) for n, row_id in enumerate(ids)},
        }
    )
    found = find_cases([f"{root}/masks/CheXpert.csv", f"{root}/CheXpert-v1.0"])
    assert [case.patient_id for case in found.cases] == ["patient00001", "patient00002"]
    assert [case.image for case in found.cases] == [f"{root}/CheXpert-v1.0/{name}" for name in ids]
    assert len({case.case_id for case in found.cases}) == 2
    named = find_cases([f"{root}/masks/CheXpert.csv", f"{root}/CheXpert-v1.0"], "chexmask")
    assert named == found


def test_mimic_ids_without_ending(tree: Build, film: Build, table: Build) -> None:
    name = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
    root = tree(
        {
            "MIMIC-CXR-JPG.csv": table("dicom_id", (name, 0.9)),
            f"files/p10/p10000032/s50414267/{name}.jpg": film(1),
        }
    )
    (case,) = find_cases([root]).cases
    assert (case.case_id, case.patient_id) == (name, "p10000032")


def test_table_without_any_image(tree: Build, table: Build) -> None:
    root = tree({"Padchest.csv": table("ImageID", ("1.png", 0.9))})
    with pytest.raises(UserError, match="1 rows have no image"):
        find_cases([root])


def test_damaged_table(tree: Build, table: Build) -> None:
    text = gzip.compress(table("ImageID", *((f"{n}.png", 0.9) for n in range(5000))).encode())
    half = len(text) // 2
    for damaged in (text[: 2 * half - 99], text[:half] + b"\xff" * 99 + text[half:], text[:40]):
        root = tree({"Padchest.csv.gz": damaged})
        with pytest.raises(UserError, match="cannot be read"):
            find_cases([f"{root}/Padchest.csv.gz"])


def test_a_table_of_other_columns(tree: Build, table: Build) -> None:
    text = table("ImageID", ("1.png", 0.9))
    root = tree({"Padchest.csv": text.replace("Width", "Width 2"), "1.png": b""})
    with pytest.raises(UserError, match="holds no CheXmask table"):
        find_cases([root], "chexmask")
    root = tree({"Padchest.csv": text.replace("Width\r\n", "Width\r\n".join(['"', '"']), 1)})
    with pytest.raises(UserError):
        find_cases([root], "chexmask")


def test_damaged_rows_are_listed_and_the_others_kept(
    tree: Build, film: Build, table: Build
) -> None:
    header, row = table("ImageID", ("0.png", 0.9)).splitlines()
    cells = row.split(",")
    changed = {1: "words", 4: "1 a", 5: "1 2 3", 7: "inf", 8: ""}
    rows = [[*cells[:at], text, *cells[at + 1 :]] for at, text in changed.items()]
    rows = [cells, *rows, cells[:3], [*cells, "more"]]
    lines = [",".join([f"{n}.png", *row[1:]]) for n, row in enumerate(rows)]
    root = tree(
        {
            "Padchest.csv": "\n".join([header, *lines]),
            **{f"images/{n}.png": film(n) for n in range(len(rows))},
        }
    )
    found = find_cases([root])
    assert [case.case_id for case in found.cases] == ["0", "7"]
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in found.unmatched}
    assert reasons == {
        "1.png": "CheXmask's table has no number in Dice RCA (Mean)",
        "2.png": "the run-length mask is not a list of whole numbers",
        "3.png": "the run-length mask has 3 numbers, not pairs",
        "4.png": "CheXmask's table has no number in Height",
        "5.png": "CheXmask's table has no number in Width",
        "6.png": "CheXmask's table has no number in Height",
    }


def test_masks_of_a_large_table_take_little_memory(tree: Build, film: Build) -> None:
    rows = 3000
    widths = 400 + np.random.default_rng(0).integers(-3, 4, rows)
    runs = " ".join(f"{row * 2500 + 300} {width}" for row, width in enumerate(widths))
    line = f'0.9,0.9,[1 2],"{runs}","{runs}",9 9,3000,2500'
    lines = [f"{n}.png,{line}" for n in range(40)]
    root = tree(
        {
            "Padchest.csv": "\n".join([",".join(["ImageID", *HEADER]), *lines]),
            **{f"images/{n}.png": b"" for n in range(40)},
        }
    )
    cases = find_cases([root]).cases
    assert len(cases) == 40
    assert sum(len(text) for case in cases for text in case.mask_rle) * 6 < 80 * len(runs)
    mask = read_mask(cases[0], 3000, 2500)
    np.testing.assert_array_equal(mask, rle.decode(runs, 3000, 2500))
