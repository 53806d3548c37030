from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lungseg import images
from lungseg.datasets import find_cases
from lungseg.errors import UserError
from lungseg.masks import read_mask

Build = Callable[..., Any]

ROWS = [
    {
        "case_id": "first",
        "image": "films/1.png",
        "mask": "l/1.png; r/1.png",
        "source": "Here",
        "split_hint": "test",
        "patient_id": "7",
        "sex": "Female",
        "age": 61.0,
        "finding": "normal",
        "view": "PA",
        "mask_convention": "heart-excluded",
        "spacing_row": 0.2,
        "spacing_column": 0.25,
        "scanner": "ignored",
    },
    {"image": "/abs/2.png", "mask": "s3://bucket/2.png"},
    {"image": "films/3.png"},
]


def text(**options: object) -> str:
    return pd.DataFrame(ROWS).to_csv(index=False, **options)  # type: ignore[call-overload]


def check(cases: tuple, root: str) -> None:
    first, second = cases
    assert first.case_id == "first"
    assert first.image == f"{root}/films/1.png"
    assert first.masks == (f"{root}/l/1.png", f"{root}/r/1.png")
    assert (first.source, first.split_hint, first.patient_id) == ("Here", "test", "7")
    assert (first.sex, first.age, first.finding, first.view) == ("F", 61, "normal", "PA")
    assert first.mask_convention == "heart-excluded"
    assert first.spacing_mm == (0.2, 0.25)
    assert (second.case_id, second.image) == ("2", "/abs/2.png")
    assert second.masks == ("s3://bucket/2.png",)
    assert (second.source, second.sex, second.patient_id) == ("data set", "", "")
    assert math.isnan(second.age)
    assert second.mask_convention == "unknown"
    assert second.spacing_mm is None


def test_manifest_in_a_folder(tree: Build) -> None:
    root = tree({"manifest.csv": text()})
    found = find_cases([root])
    assert found.layouts == ("manifest",)
    check(found.cases, root)
    assert found.unmatched == (("films/3.png", "no mask is listed"),)


@pytest.mark.parametrize("kind", ["semicolon.csv", "tabs.tsv", "marked.csv", "packed.csv.gz"])
def test_lists_of_other_dialects(tree: Build, kind: str) -> None:
    contents = {
        "semicolon.csv": text(sep=";"),
        "tabs.tsv": text(sep="\t"),
        "marked.csv": ("\ufeff" + text().replace("image", "Image", 1)).encode(),
        "packed.csv.gz": gzip.compress(text().encode()),
    }
    root = tree({kind: contents[kind]})
    check(find_cases([f"{root}/{kind}"]).cases, root)


def test_parquet_list(tree: Build, tmp_path: Path) -> None:
    root = tree({"readme.txt": "x"})
    pd.DataFrame(ROWS).to_parquet(f"{root}/list.parquet")
    check(find_cases([f"{root}/list.parquet"]).cases, root)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("image,note\na.png,x\n", "lacks the column mask; it has image, note"),
        ("image,mask\n", "lists no case"),
        ("", "lists no case"),
        ("image,mask,split_hint\na,b,Training\n", "line 2: split_hint is 'Training', allowed are"),
        ("image,mask,mask_convention\na,b,heart\n", "allowed are heart-excluded"),
        ("image,mask,spacing_row,spacing_column\na,b,0.1,-1\n", "must be mm above 0"),
        ("image,mask,spacing_row,spacing_column\na,b,0.1,nan\n", "must be mm above 0"),
        ("image,mask,spacing_row,spacing_column\na,b,inf,0.1\n", "must be mm above 0"),
        ("image,mask\na,\n,b\n", "no image with a mask in .*a: no mask is listed"),
        (b"image,mask\n\xff\xfe,b\n", "cannot be read"),
    ],
)
def test_lists_that_cannot_be_used(tree: Build, content: str | bytes, reason: str) -> None:
    root = tree({"manifest.csv": content})
    with pytest.raises(UserError, match=reason):
        find_cases([root])


@pytest.mark.parametrize("name", ["list.csv.gz", "list.parquet"])
def test_damaged_lists(tree: Build, tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame(ROWS * 50)
    stream = io.BytesIO()
    frame.to_parquet(stream) if name.endswith("parquet") else None
    whole = stream.getvalue() or gzip.compress(frame.to_csv().encode())
    middle = len(whole) // 2
    for damaged in (whole[:middle], whole[:-9] + b"\xff" * 5 + whole[-4:], b"\0"):
        root = tree({name: damaged})
        with pytest.raises(UserError, match="cannot be read"):
            find_cases([f"{root}/{name}"])


def test_a_name_listed_twice_is_one_case(tree: Build) -> None:
    root = tree({"manifest.csv": "image,mask\nx/a.png,m.png\ny/a.png,m.png\n"})
    found = find_cases([root])
    assert len(found.cases) == 1
    assert found.unmatched == ((f"{root}/y/a.png", f"another case has this name: {root}/x/a.png"),)


def test_real_cases(real_cases: Path) -> None:
    found = find_cases([str(real_cases)])
    assert len(found.cases) == 250
    assert found.unmatched == ()
    assert {case.source for case in found.cases} == {"Shenzhen", "COVID-v7"}
    assert sum(case.split_hint == "test" for case in found.cases) == 36
    for case in found.cases[::60]:
        film = images.read(case.image)
        assert read_mask(case, *film.pixels.shape).mean() > 0.05
