"""Kaggle's "Chest Xray Masks and Labels": Montgomery and Shenzhen in one folder.

Its cases keep the sources and names of the two sets, so that a run over both finds the doubles.
"""

from __future__ import annotations

from lungseg import storage
from lungseg.datasets.found import Found
from lungseg.datasets.montgomery import montgomery_case
from lungseg.datasets.names import base, child, is_image, stem
from lungseg.datasets.readings import index_readings
from lungseg.datasets.shenzhen import MASK_SUFFIX, shenzhen_case
from lungseg.errors import UserError

_FOLDER = "Lung Segmentation"


def recognise(folder: str) -> bool:
    """Whether it is `Lung Segmentation` or holds it, also below `data`."""
    return _root(folder) is not None


def find(folder: str) -> Found:
    """Cases with a mask; the films in `test`, which have none, are listed.

    Raises:
        UserError: the folder is not of this layout.
    """
    root = _root(folder)
    if root is None:
        raise UserError(f"{folder} holds no {_FOLDER}/CXR_png and {_FOLDER}/masks")
    readings = index_readings(storage.join(root, "ClinicalReadings"))
    mask_of = {
        stem(path).removesuffix(MASK_SUFFIX): path
        for path in filter(is_image, storage.list_files(storage.join(root, "masks")))
    }
    cases, unmatched = [], []
    for image in filter(is_image, storage.list_files(storage.join(root, "CXR_png"))):
        mask = mask_of.pop(stem(image), None)
        if mask is None:
            unmatched.append((image, "no mask of this name in masks"))
        elif base(image).startswith("MCUCXR"):
            cases.append(montgomery_case(image, (mask,), readings))
        else:
            cases.append(shenzhen_case(image, mask, readings))
    unmatched += [(path, "no image of this name in CXR_png") for path in mask_of.values()]
    unmatched += [
        (path, "the films in test have no masks")
        for path in filter(is_image, storage.list_files(storage.join(root, "test")))
    ]
    return Found(tuple(cases), tuple(unmatched))


def _root(folder: str) -> str | None:
    data = child(folder, "data")
    roots = (
        folder if base(folder) == _FOLDER else None,
        child(folder, _FOLDER),
        child(data, _FOLDER) if data else None,
    )
    for root in roots:
        if root and child(root, "CXR_png") and child(root, "masks"):
            return root
    return None
