"""Montgomery County set (Jaeger et al. 2014): 138 films, each lung in a mask of its own."""

from __future__ import annotations

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import child, is_image, stem
from lungseg.datasets.readings import finding, index_readings, read_reading
from lungseg.errors import UserError

SOURCE = "Montgomery"
SPACING_MM = (0.0875, 0.0875)
_SIDES = ("leftMask", "rightMask")


def recognise(folder: str) -> bool:
    """Whether it is `MontgomerySet` or holds it."""
    return _root(folder) is not None


def find(folder: str) -> Found:
    """Cases with both masks; `source` is "Montgomery".

    Raises:
        UserError: the folder is not of this layout.
    """
    root = _root(folder)
    if root is None:
        raise UserError(f"{folder} holds no CXR_png/ and ManualMask/ of the Montgomery set")
    readings = index_readings(storage.join(root, "ClinicalReadings"))
    sides = [
        {stem(path): path for path in storage.list_files(storage.join(root, "ManualMask", side))}
        for side in _SIDES
    ]
    cases, unmatched = [], []
    for image in filter(is_image, storage.list_files(storage.join(root, "CXR_png"))):
        name = stem(image)
        lacking = [side for side, masks in zip(_SIDES, sides, strict=True) if name not in masks]
        if lacking:
            unmatched.append((image, f"no mask of this name in {' and '.join(lacking)}"))
            continue
        cases.append(montgomery_case(image, tuple(side[name] for side in sides), readings))
    names = {case.case_id for case in cases} | {stem(path) for path, _ in unmatched}
    unmatched += [
        (path, "no image of this name in CXR_png")
        for side in sides
        for name, path in side.items()
        if name not in names
    ]
    return Found(tuple(cases), tuple(unmatched))


def montgomery_case(image: str, masks: tuple[str, ...], readings: dict[str, str]) -> Case:
    """A case of this set, wherever its files lie."""
    name = stem(image)
    sex, age = read_reading(readings.get(name))
    return Case(
        case_id=name,
        image=image,
        masks=masks,
        patient_id=name.rsplit("_", 1)[0],
        source=SOURCE,
        sex=sex,
        age=age,
        finding=finding(name),
        view="PA",
        mask_convention="heart-excluded",
        spacing_mm=SPACING_MM,
    )


def _root(folder: str) -> str | None:
    for root in (folder, child(folder, "MontgomerySet")):
        if root and child(root, "CXR_png") and child(root, "ManualMask"):
            return root
    return None
