from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lungseg.datasets import find_cases
from lungseg.masks import read_mask

Build = Callable[..., Any]


def annotated(name: str, *annotations: dict, **fields: object) -> dict:
    image = {"width": 50, "height": 60, "filename": name, "original_filename": f"original {name}"}
    return {"image": image, "annotations": list(annotations), **fields}


def lung(left: int, right: int) -> dict:
    corners = [(left, 10), (right, 10), (right, 40), (left, 40)]
    return {"name": "Lung", "polygon": {"path": [{"x": x, "y": y} for x, y in corners]}}


def test_v7_covid(tree: Build, film: Build) -> None:
    where = "releases/all-images/annotations"
    root = tree(
        {
            "images/16660_1_1.jpg": film(1),
            "images/person12_virus_3.jpeg": film(2),
            "images/lateral.png": film(3),
            "images/forgotten.png": film(4),
            f"{where}/16660_1_1.json": annotated(
                "16660_1_1.jpg", lung(5, 20), lung(28, 44), {"name": "COVID-19", "tag": {}}
            ),
            f"{where}/person12_virus_3.json": annotated("person12_virus_3.jpeg", lung(5, 20)),
            f"{where}/lateral.json": annotated("lateral.png", {"name": "Lateral", "tag": {}}),
            f"{where}/gone.json": annotated("gone.png", lung(5, 20)),
            f"{where}/other.json": {"not": "Darwin"},
        }
    )
    found = find_cases([root])
    assert found.layouts == ("darwin",)
    first, second = found.cases
    assert (first.case_id, first.finding) == ("16660_1_1", "COVID-19")
    assert first.mask_convention == "retrocardiac-included"
    assert second.patient_id == "person12"
    expected = np.zeros((60, 50), bool)
    expected[10:41, 5:21] = expected[10:41, 28:45] = True
    np.testing.assert_array_equal(read_mask(first, 60, 50), expected)
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in found.unmatched}
    assert reasons["lateral.png"].startswith("no lung is drawn")
    assert reasons["gone.json"] == "its image gone.png is not in images"
    assert reasons["other.json"] == "no Darwin JSON v1 file"
    assert reasons["forgotten.png"] == "no annotation names this image"


def test_another_darwin_data_set_says_nothing_of_the_heart(tree: Build, film: Build) -> None:
    root = tree(
        {
            "images/original a.png": film(1),
            "annotations/a.json": annotated("a.png", lung(5, 20), dataset="my-films"),
        }
    )
    (case,) = find_cases([root]).cases
    assert (case.case_id, case.source, case.mask_convention) == (
        "original a",
        "my-films",
        "unknown",
    )


def test_images_of_one_name_are_told_apart_by_their_folders(tree: Build, film: Build) -> None:
    told = annotated("1.png", lung(28, 44))
    told["image"]["path"] = "/north"
    root = tree(
        {
            "images/north/1.png": film(1),
            "images/south/1.png": film(2),
            "images/south/2.png": film(3),
            "images/2.png": film(4),
            "annotations/x.json": told,
            "annotations/south/1.json": annotated("1.png", lung(5, 20)),
            "annotations/2.json": annotated("2.png", lung(5, 20)),
            "annotations/east/2.json": annotated("2.png", lung(5, 20)),
        }
    )
    found = find_cases([root])
    pairs = {case.image[len(root) :]: case.masks[0][len(root) :] for case in found.cases}
    assert pairs == {
        "/images/north/1.png": "/annotations/x.json",
        "/images/south/1.png": "/annotations/south/1.json",
        "/images/2.png": "/annotations/2.json",
    }
    assert {case.case_id for case in found.cases} == {"north_1", "south_1", "2"}
    reasons = {path[len(root) :]: reason for path, reason in found.unmatched}
    assert reasons == {
        "/annotations/east/2.json": "2 images are named 2.png",
        "/images/south/2.png": "no annotation names this image",
    }


def test_no_film_gets_the_lungs_of_a_namesake_that_is_missing(tree: Build, film: Build) -> None:
    root = tree(
        {
            "images/south/1.png": film(1),
            "annotations/north/1.json": annotated("1.png", lung(28, 44)),
            "annotations/south/1.json": annotated("1.png", lung(5, 20)),
        }
    )
    found = find_cases([root])
    (case,) = found.cases
    assert case.masks[0].endswith("/south/1.json")
    ((path, reason),) = found.unmatched
    assert path.endswith("/north/1.json")
    assert reason == "its image is said to be in north, where it is not"


@pytest.mark.parametrize(
    "damage",
    [
        {"image": {"filename": ["a.png"], "width": 50, "height": 60}},
        {"image": {"filename": {"a": 1}, "original_filename": None}},
        {"image": ["a.png"]},
        {"image": None},
        {"annotations": [{"name": 3}]},
        {"annotations": [None]},
        {"annotations": {"name": "Lung"}},
    ],
)
def test_damaged_annotations_are_listed(tree: Build, film: Build, damage: dict) -> None:
    root = tree(
        {
            "images/a.png": film(1),
            "images/b.png": film(2),
            "annotations/a.json": annotated("a.png", lung(5, 20)) | damage,
            "annotations/b.json": annotated("b.png", lung(5, 20)),
            "annotations/c.json": b'{"image": {"filename": "a.p',
        }
    )
    found = find_cases([root])
    assert [case.case_id for case in found.cases] == ["b"]
    listed = {path.rsplit("/", 1)[1] for path, _ in found.unmatched}
    assert listed == {"a.json", "a.png", "c.json"}
