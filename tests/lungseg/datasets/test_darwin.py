from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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
