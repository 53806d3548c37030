from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungseg import images
from lungseg.datasets import check, find_cases
from lungseg.errors import UserError
from lungseg.masks import read_mask

Build = Callable[..., Any]


def test_every_way_to_name_a_mask(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "Images/a.png": film(1),
            "Images/b c.jpg": film(2),
            "Images/d.tif": film(3),
            "Images/e.bmp": film(4),
            "Images/f.png": film(5),
            "Images/.DS_Store": b"\0",
            "masks/a.gif": lung("left"),
            "masks/b c_mask.png": lung("left"),
            "masks/d-mask.png": lung("left"),
            "masks/e_seg.png": lung("left"),
            "masks/mask_f.png": lung("right"),
            "masks/.hidden.png": b"\0",
        }
    )
    found = find_cases([root])
    assert found.layouts == ("pairs",)
    assert found.unmatched == ()
    assert [case.case_id for case in found.cases] == ["a", "b c", "d", "e", "f"]
    assert {case.source for case in found.cases} == {"data set"}
    np.testing.assert_array_equal(images.read(found.cases[2].image).pixels, film(3))
    np.testing.assert_array_equal(read_mask(found.cases[4], 60, 50), lung("right") > 0)


def test_a_folder_that_holds_another_of_its_name_and_more(
    tree: Build, film: Build, lung: Build
) -> None:
    root = tree(
        {
            "images/a.png": film(1),
            "images/images/b.png": film(2),
            "masks/a.png": lung("left"),
            "masks/masks/b.png": lung("left"),
        }
    )
    found = find_cases([root])
    named = {case.case_id for case in found.cases} | {path for path, _ in found.unmatched}
    assert "a" in named
    assert any(name.endswith(("b", "b.png")) for name in named)


def test_masks_beside_their_images(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "a.jpg": film(1),
            "a_mask.png": lung("left"),
            "b.png": film(2),
            "mask_b.png": lung("right"),
            "ct_slice.dcm": b"DICM",
            "README.md": "words",
        }
    )
    found = find_cases([root])
    assert found.layouts == ("pairs",)
    pairs = {case.case_id: os.path.basename(case.masks[0]) for case in found.cases}
    assert pairs == {"a": "a_mask.png", "b": "mask_b.png"}
    reasons = {os.path.relpath(path, root): reason for path, reason in found.unmatched}
    assert reasons == {
        "README.md": "no image file by its ending",
        "ct_slice.dcm": "no mask beside it (NAME_mask)",
    }


def test_dicom_files_named_by_their_uid(tree: Build, film: Build, lung: Build) -> None:
    uids = ["1.2.840.113619.2.55.1", "1.2.840.113619.2.55.2"]
    root = tree(
        {
            **{f"images/images/{uid}": b"DICM" for uid in uids},
            **{f"masks/masks/{uid}.png": lung("left") for uid in uids},
        }
    )
    found = find_cases([root])
    assert found.unmatched == ()
    assert [case.case_id for case in found.cases] == uids
    assert [os.path.basename(case.masks[0]) for case in found.cases] == [f"{u}.png" for u in uids]


def test_the_originals(originals: Path) -> None:
    found = find_cases([str(originals)])
    assert {case.case_id for case in found.cases} == {"cxr_gray_2000", "cxr_rgb_progressive"}
    for case in found.cases:
        assert 0.1 < read_mask(case, *images.read(case.image).pixels.shape).mean() < 0.6
    assert sum(path.endswith(".dcm") for path, _ in found.unmatched) == 3


def test_what_has_no_partner_is_listed(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "images/a.png": film(1),
            "images/a.jpg": film(2),
            "images/b.png": film(3),
            "images/notes.txt": "words",
            "masks/a.png": lung("left"),
            "masks/c.png": lung("left"),
        }
    )
    found = find_cases([root])
    (case,) = found.cases
    assert os.path.basename(case.image) == "a.jpg"
    reasons = {os.path.relpath(path, root): reason for path, reason in found.unmatched}
    assert reasons == {
        "images/a.png": "another image has this name: a.jpg",
        "images/b.png": "no mask of this name in masks/",
        "images/notes.txt": "no image file by its ending",
        "masks/c.png": "no image of this name in images/",
    }


def test_parts_and_folders_below_are_found(tree: Build, film: Build, lung: Build) -> None:
    root = tree(
        {
            "train/images/site 1/a.png": film(1),
            "train/masks/site 1/a.png": lung("left"),
            "train/images/site 2/a.png": film(2),
            "train/masks/site 2/a.png": lung("left"),
            "valid/images/b.png": film(3),
            "valid/masks/b.png": lung("left"),
        }
    )
    hints = {case.case_id: case.split_hint for case in find_cases([root]).cases}
    assert hints == {"site 1_a": "train", "site 2_a": "train", "b": "val"}


def test_data_sets_in_folders_below_keep_their_names_apart(
    tree: Build, film: Build, lung: Build
) -> None:
    root = tree(
        {
            **{f"{name}/images/1.png": film(1) for name in ("north", "south")},
            **{f"{name}/masks/1.png": lung("left") for name in ("north", "south")},
            "south/images/2.png": film(2),
            "south/masks/2.png": lung("left"),
        }
    )
    found = find_cases([root])
    assert [case.case_id for case in found.cases] == ["north/1", "south/1", "2"]
    assert [case.source for case in found.cases] == ["north", "south", "south"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"images/a.png": None}, "holds no data set of a known layout"),
        ({"images/a.txt": "x", "masks/a.png": None}, "no images in .*/images"),
        ({"images/a.png": None, "masks/a.txt": "x"}, "no masks in .*/masks"),
        ({"images/a.png": None, "masks/b.png": None}, "no image with a mask in .*a.png: no mask"),
        ({"readme.txt": "x"}, "holds no data set of a known layout"),
    ],
)
def test_folders_without_cases(tree: Build, film: Build, files: dict, reason: str) -> None:
    root = tree({name: film(1) if text is None else text for name, text in files.items()})
    with pytest.raises(UserError, match=reason):
        find_cases([root])


def test_wrong_requests(tree: Build, film: Build, lung: Build) -> None:
    root = tree({"images/a.png": film(1), "masks/a.png": lung("left")})
    for function in (check, find_cases):
        with pytest.raises(UserError, match="is not there"):
            function([root, f"{root}/elsewhere"])
        with pytest.raises(UserError, match="unknown layout 'pear', allowed are chexmask, man"):
            function([root], "pear")
        with pytest.raises(UserError, match="holds no data set of a known layout"):
            function([f"{root}/images"])
    with pytest.raises(UserError, match="holds no All247images"):
        find_cases([root], "jsrt")
    assert find_cases([root], "pairs").layouts == ("pairs",)


def test_a_check_looks_for_no_film(tree: Build) -> None:
    root = tree({"images/a.txt": "x", "masks/a.txt": "x"})
    check([root])
    check([])
    with pytest.raises(UserError, match="no images in"):
        find_cases([root])
