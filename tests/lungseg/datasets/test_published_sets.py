"""The public sets, in miniature, with their real names, sizes and quirks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungseg import images
from lungseg.datasets import find_cases
from lungseg.errors import RejectedCase, UserError
from lungseg.masks import read_mask

Build = Callable[..., Any]


def relative(paths: object, root: str) -> list[str]:
    return [os.path.relpath(path, root) for path in paths]  # type: ignore[attr-defined]


def test_montgomery(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "MontgomerySet/CXR_png/MCUCXR_0001_0.png": film(1, 402, 489),
            "MontgomerySet/CXR_png/MCUCXR_0104_1.png": film(2, 489, 402),
            "MontgomerySet/CXR_png/MCUCXR_0002_0.png": film(3),
            "MontgomerySet/CXR_png/.DS_Store": b"\0",
            "MontgomerySet/CXR_png/Thumbs.db": b"\0",
            "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png": lung("left", 402, 489) > 0,
            "MontgomerySet/ManualMask/rightMask/MCUCXR_0001_0.png": lung("right", 402, 489) > 0,
            "MontgomerySet/ManualMask/leftMask/MCUCXR_0104_1.png": lung("left", 489, 402),
            "MontgomerySet/ManualMask/rightMask/MCUCXR_0104_1.png": lung("right", 489, 402),
            "MontgomerySet/ManualMask/leftMask/MCUCXR_0002_0.png": lung("left"),
            "MontgomerySet/ManualMask/rightMask/MCUCXR_0009_0.png": lung("right"),
            "MontgomerySet/ClinicalReadings/MCUCXR_0001_0.txt": (
                "Patient's Sex: F\nPatient's Age: 027Y\nnormal\n"
            ),
            "MontgomerySet/ClinicalReadings/MCUCXR_0104_1.txt": (
                "Patient's Sex: M\nPatient's Age: 008M\ncavitary opacity in RUL\n"
            ),
            "MontgomerySet/NLM-MontgomeryCXRSet-ReadMe.pdf": b"%PDF",
        }
    )
    found = find_cases([root])
    assert found.layouts == ("montgomery",)
    first, second = found.cases
    assert (first.case_id, first.patient_id, first.source) == (
        "MCUCXR_0001_0",
        "MCUCXR_0001",
        "Montgomery",
    )
    assert (first.sex, first.age, first.finding) == ("F", 27, "normal")
    assert (second.sex, second.finding) == ("M", "tuberculosis")
    assert second.age == pytest.approx(8 / 12)
    assert first.spacing_mm == (0.0875, 0.0875)
    assert first.mask_convention == "heart-excluded"
    assert relative(first.masks, root) == [
        "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png",
        "MontgomerySet/ManualMask/rightMask/MCUCXR_0001_0.png",
    ]
    np.testing.assert_array_equal(images.read(first.image).pixels, film(1, 402, 489))
    both = (lung("left", 402, 489) | lung("right", 402, 489)) > 0
    np.testing.assert_array_equal(read_mask(first, 402, 489), both)
    reasons = dict(
        zip(relative((p for p, _ in found.unmatched), root), found.unmatched, strict=True)
    )
    assert reasons["MontgomerySet/CXR_png/MCUCXR_0002_0.png"][1].endswith("in rightMask")
    assert reasons["MontgomerySet/ManualMask/rightMask/MCUCXR_0009_0.png"][1].startswith("no image")
    assert len(reasons) == 2
    assert find_cases([os.path.join(root, "MontgomerySet")]).cases == found.cases


def test_shenzhen_without_some_masks(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png": np.stack([film(1)] * 3, axis=2),
            "ChinaSet_AllFiles/CXR_png/CHNCXR_0327_1.png": film(2),
            "ChinaSet_AllFiles/CXR_png/CHNCXR_0025_0.png": film(3),
            "ChinaSet_AllFiles/ClinicalReadings/CHNCXR_0001_0.txt": "male 45yrs\nnormal",
            "ChinaSet_AllFiles/ClinicalReadings/CHNCXR_0327_1.txt": (
                "Female, 30 yrs \nbilateral PTB\n"
            ),
            "mask/CHNCXR_0001_0_mask.png": lung("left") | lung("right"),
            "mask/CHNCXR_0327_1_mask.png": lung("right"),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("shenzhen",)
    first, second = found.cases
    assert (first.case_id, first.patient_id) == ("CHNCXR_0001_0", "CHNCXR_0001")
    assert (first.sex, first.age, first.finding) == ("M", 45, "normal")
    assert (second.sex, second.age, second.finding) == ("F", 30, "tuberculosis")
    np.testing.assert_array_equal(images.read(first.image).pixels, film(1))
    np.testing.assert_array_equal(read_mask(second, 60, 50), lung("right") > 0)
    assert relative((path for path, _ in found.unmatched), root) == [
        "ChinaSet_AllFiles/CXR_png/CHNCXR_0025_0.png"
    ]


def test_shenzhen_without_the_folder_of_masks(tree: Build, film: Build) -> None:
    root = tree({"ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png": film(1)})
    with pytest.raises(UserError, match="put the folder mask/"):
        find_cases([root])


@pytest.mark.parametrize("above", ["", "data/"])
def test_kaggle_merge(tree: Build, film: Build, lung: Build, above: str) -> None:
    folder = f"{above}Lung Segmentation"
    root = tree(
        {
            f"{folder}/CXR_png/MCUCXR_0001_0.png": film(1),
            f"{folder}/CXR_png/CHNCXR_0001_0.png": film(2),
            f"{folder}/CXR_png/CHNCXR_0025_0.png": film(3),
            f"{folder}/CXR_png/.DS_Store": b"\0",
            f"{folder}/masks/MCUCXR_0001_0.png": lung("left"),
            f"{folder}/masks/CHNCXR_0001_0_mask.png": lung("right"),
            f"{folder}/ClinicalReadings/MCUCXR_0001_0.txt": "Patient's Sex: M\nPatient's Age: 040Y",
            f"{folder}/test/CHNCXR_0144_0.png": film(4),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("kaggle-merge",)
    shenzhen, montgomery = found.cases
    assert (shenzhen.case_id, shenzhen.source) == ("CHNCXR_0001_0", "Shenzhen")
    assert math.isnan(shenzhen.age)
    assert (montgomery.source, montgomery.sex, montgomery.age) == ("Montgomery", "M", 40)
    assert montgomery.spacing_mm == (0.0875, 0.0875)
    np.testing.assert_array_equal(read_mask(montgomery, 60, 50), lung("left") > 0)
    np.testing.assert_array_equal(read_mask(shenzhen, 60, 50), lung("right") > 0)
    assert [os.path.basename(path) for path, _ in found.unmatched] == [
        "CHNCXR_0025_0.png",
        "CHNCXR_0144_0.png",
    ]


def test_the_merge_beside_its_parts_gives_no_case_twice(
    tree: Build, film: Build, lung: Build, tmp_path: Path
) -> None:
    root = tree(
        {
            "a/Lung Segmentation/CXR_png/CHNCXR_0001_0.png": film(1),
            "a/Lung Segmentation/masks/CHNCXR_0001_0_mask.png": lung("left"),
            "b/ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png": film(1),
            "b/mask/CHNCXR_0001_0_mask.png": lung("left"),
        }
    )
    found = find_cases([f"{root}/b", f"{root}/a"])
    assert [case.case_id for case in found.cases] == ["CHNCXR_0001_0"]
    assert found.unmatched[0][1].startswith("another case has this name: ")
    assert found.layouts == ("shenzhen", "kaggle-merge")


def test_jsrt_with_scr_masks(tree: Build, lung: Build) -> None:
    stored = np.full((2048, 2048), 3000, ">u2")
    stored[200:1000] = 500
    fold1, fold2 = "scratch/fold1/masks", "scratch/fold2/masks"
    root = tree(
        {
            "All247images/JPCLN001.IMG": stored.tobytes(),
            "All247images/JPCNN002.IMG": stored.tobytes(),
            "All247images/JPCNN003.IMG": b"cut short",
            f"{fold1}/left lung/JPCLN001.gif": lung("left", 1024, 1024),
            f"{fold1}/right lung/JPCLN001.gif": lung("right", 1024, 1024),
            f"{fold1}/heart/JPCLN001.gif": lung("right", 1024, 1024),
            f"{fold2}/left lung/JPCNN002.gif": lung("left", 1024, 1024),
            f"{fold1}/left lung/JPCNN003.gif": lung("left", 1024, 1024),
            f"{fold1}/right lung/JPCNN003.gif": lung("right", 1024, 1024),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("jsrt",)
    first, third = found.cases
    assert (first.case_id, first.source, first.finding) == ("JPCLN001", "JSRT", "nodule")
    assert third.finding == "normal"
    assert found.unmatched[0][1] == "no mask of this name in right lung"
    film = images.read(first.image)
    assert film.spacing_mm == (0.175, 0.175)
    assert (film.pixels[200:1000] == 255).all()
    assert (film.pixels[1000:] == 0).all()
    mask = read_mask(first, 2048, 2048)
    small = (lung("left", 1024, 1024) | lung("right", 1024, 1024)) > 0
    np.testing.assert_array_equal(mask, small.repeat(2, axis=0).repeat(2, axis=1))
    with pytest.raises(RejectedCase, match="9 bytes"):
        images.read(third.image)


def test_jsrt_without_masks(tree: Build) -> None:
    root = tree({"All247images/JPCLN001.IMG": b""})
    with pytest.raises(UserError, match="put scratch/fold1 and fold2"):
        find_cases([root])


def test_covid19_radiography(tree: Build, film: Build, lung: Build) -> None:
    top = "COVID-19_Radiography_Dataset"
    root = tree(
        {
            f"{top}/COVID/images/COVID-1.png": film(1, 299, 299),
            f"{top}/COVID/masks/COVID-1.png": np.stack([lung("left", 256, 256)] * 3, axis=2),
            f"{top}/Viral Pneumonia/images/Viral Pneumonia-1.png": film(2, 299, 299),
            f"{top}/Viral Pneumonia/masks/Viral Pneumonia-1.png": lung("right", 256, 256),
            f"{top}/Lung_Opacity/images/Lung_Opacity-1.png": film(3, 299, 299),
            f"{top}/Lung_Opacity/masks/Lung_Opacity-2.png": lung("left", 256, 256),
            f"{top}/COVID.metadata.xlsx": b"PK",
            f"{top}/README.md.txt": "words",
        }
    )
    found = find_cases([root])
    assert found.layouts == ("covid19-radiography",)
    first, second = found.cases
    assert (first.case_id, first.finding) == ("COVID-1", "COVID")
    assert (second.case_id, second.finding) == ("Viral Pneumonia-1", "Viral Pneumonia")
    assert first.mask_convention == "unknown"
    mask = read_mask(first, 299, 299)
    assert mask.shape == (299, 299)
    assert abs(mask.mean() - (lung("left", 256, 256) > 0).mean()) < 0.01
    assert len(found.unmatched) == 2
    assert find_cases([f"{root}/{top}"]).cases == found.cases


def test_covid_qu_ex(tree: Build, film: Build, lung: Build) -> None:
    top = "Lung Segmentation Data/Lung Segmentation Data"
    root = tree(
        {
            f"{top}/Train/COVID-19/images/covid_1.png": film(1, 256, 256),
            f"{top}/Train/COVID-19/lung masks/covid_1.png": lung("left", 256, 256),
            f"{top}/Val/Non-COVID/images/non_COVID (2).png": film(2, 256, 256),
            f"{top}/Val/Non-COVID/lung masks/non_COVID (2).png": lung("left", 256, 256),
            f"{top}/Test/Normal/images/Normal (3).png": film(3, 256, 256),
            f"{top}/Test/Normal/lung masks/Normal (3).png": lung("right", 256, 256),
            f"{top}/Test/Normal/images/Normal (4).png": film(4, 256, 256),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("covid-qu-ex",)
    hints = {case.case_id: (case.split_hint, case.finding) for case in found.cases}
    assert hints == {
        "covid_1": ("train", "COVID-19"),
        "non_COVID (2)": ("val", "Non-COVID"),
        "Normal (3)": ("test", "Normal"),
    }
    np.testing.assert_array_equal(read_mask(found.cases[2], 256, 256), lung("right", 256, 256) > 0)
    assert len(found.unmatched) == 1


@pytest.mark.parametrize("top", ["QaTa-COV19-v2/Train Set", "Train Set"])
def test_qata_is_refused(tree: Build, film: Build, lung: Build, top: str) -> None:
    root = tree({f"{top}/Images/covid_1.png": film(1), f"{top}/Ground-truths/mask_1.png": film(2)})
    with pytest.raises(UserError, match="masks are infection, not lungs"):
        find_cases([root])


def test_several_sets_in_one_folder(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "MontgomerySet/CXR_png/MCUCXR_0001_0.png": film(1),
            "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png": lung("left"),
            "MontgomerySet/ManualMask/rightMask/MCUCXR_0001_0.png": lung("right"),
            "ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png": film(2),
            "mask/CHNCXR_0001_0_mask.png": lung("left"),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("montgomery", "shenzhen")
    assert {case.source for case in found.cases} == {"Montgomery", "Shenzhen"}


def test_archives_that_unpack_into_folders_within_folders(
    tree: Build, film: Build, lung: Build
) -> None:
    china = "downloads/1/archive/ChinaSet_AllFiles/ChinaSet_AllFiles"
    kaggle = "downloads/2/archive/data/Lung Segmentation/Lung Segmentation"
    jsrt = "downloads/3/JSRT"
    covid = "downloads/4/archive/COVID-19_Radiography_Dataset/COVID-19_Radiography_Dataset"
    root = tree(
        {
            f"{china}/CXR_png/CHNCXR_0001_0.png": film(1),
            "downloads/1/archive/mask/mask/CHNCXR_0001_0_mask.png": lung("left"),
            f"{kaggle}/CXR_png/CHNCXR_0002_0.png": film(2),
            f"{kaggle}/masks/CHNCXR_0002_0_mask.png": lung("left"),
            f"{jsrt}/All247images/All247images/JPCLN001.IMG": b"",
            f"{jsrt}/scr/scratch/fold1/masks/left lung/JPCLN001.gif": lung("left"),
            f"{jsrt}/scr/scratch/fold1/masks/right lung/JPCLN001.gif": lung("right"),
            f"{covid}/Normal/images/Normal-1.png": film(3),
            f"{covid}/Normal/masks/Normal-1.png": lung("left"),
            "downloads/__MACOSX/Normal/images/Normal-1.png": film(4),
        }
    )
    found = find_cases([root])
    assert found.unmatched == ()
    assert {case.case_id: case.source for case in found.cases} == {
        "CHNCXR_0001_0": "Shenzhen",
        "CHNCXR_0002_0": "Shenzhen",
        "JPCLN001": "JSRT",
        "Normal-1": "COVID-19 Radiography",
    }
