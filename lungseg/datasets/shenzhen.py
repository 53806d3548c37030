"""Shenzhen Hospital set (Jaeger et al. 2014; masks Stirenko et al. 2018): 662 films, 566 masks."""

from __future__ import annotations

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, child, is_image, stem
from lungseg.datasets.readings import finding, index_readings, read_reading
from lungseg.errors import UserError

SOURCE = "Shenzhen"
MASK_SUFFIX = "_mask"
_FOLDER = "ChinaSet_AllFiles"


def recognise(folder: str) -> bool:
    """Whether it is `ChinaSet_AllFiles` or holds it (the folder `mask` lies beside it or in it)."""
    return _images(folder) is not None


def find(folder: str) -> Found:
    """Cases with a mask; `source` is "Shenzhen". 96 films of the published set have none.

    Raises:
        UserError: the folder is not of this layout, or has no folder of masks.
    """
    root = _images(folder)
    if root is None:
        raise UserError(f"{folder} holds no ChinaSet_AllFiles/CXR_png of the Shenzhen set")
    masks = next(
        (
            path
            for where in (folder, root)
            for name in ("mask", "masks")
            if (path := child(where, name))
        ),
        None,
    )
    if masks is None:
        raise UserError(
            f"no masks for {root}: put the folder mask/ with CHNCXR_0001_0_mask.png … into {folder}"
        )
    readings = index_readings(storage.join(root, "ClinicalReadings"))
    mask_of = {
        stem(path).removesuffix(MASK_SUFFIX): path
        for path in filter(is_image, storage.list_files(masks))
    }
    cases, unmatched = [], []
    for image in filter(is_image, storage.list_files(storage.join(root, "CXR_png"))):
        mask = mask_of.pop(stem(image), None)
        if mask is None:
            unmatched.append((image, "the Shenzhen set has no mask for this film"))
        else:
            cases.append(shenzhen_case(image, mask, readings))
    unmatched += [(path, "no image of this name in CXR_png") for path in mask_of.values()]
    return Found(tuple(cases), tuple(unmatched))


def shenzhen_case(image: str, mask: str, readings: dict[str, str]) -> Case:
    """A case of this set, wherever its files lie."""
    name = stem(image)
    sex, age = read_reading(readings.get(name))
    return Case(
        case_id=name,
        image=image,
        masks=(mask,),
        patient_id=name.rsplit("_", 1)[0],
        source=SOURCE,
        sex=sex,
        age=age,
        finding=finding(name),
        mask_convention="heart-excluded",
    )


def _images(folder: str) -> str | None:
    root = folder if base(folder) == _FOLDER else child(folder, _FOLDER)
    return root if root and child(root, "CXR_png") else None
