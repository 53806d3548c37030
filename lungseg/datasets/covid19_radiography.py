"""COVID-19 Radiography Database (Rahman et al. 2021): one folder a finding, masks by a network."""

from __future__ import annotations

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, child, is_image, stem
from lungseg.errors import UserError

_CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


def recognise(folder: str) -> bool:
    """Whether it is `COVID-19_Radiography_Dataset` or holds it."""
    return bool(_classes(folder))


def find(folder: str) -> Found:
    """Cases of all findings; `source` is "COVID-19 Radiography".

    Images are 299×299 and masks 256×256, so the masks are resized to the image. The data set
    names no patients and does not say what its masks include.

    Raises:
        UserError: the folder is not of this layout.
    """
    classes = _classes(folder)
    if not classes:
        raise UserError(f"{folder} holds none of {', '.join(_CLASSES)} with images/ and masks/")
    cases, unmatched = [], []
    for where in classes:
        masks = {
            stem(path): path
            for path in filter(is_image, storage.list_files(storage.join(where, "masks")))
        }
        for image in filter(is_image, storage.list_files(storage.join(where, "images"))):
            mask = masks.pop(stem(image), None)
            if mask is None:
                unmatched.append((image, "no mask of this name in masks"))
                continue
            cases.append(
                Case(
                    case_id=stem(image),
                    image=image,
                    masks=(mask,),
                    mask_resize=True,
                    source="COVID-19 Radiography",
                    finding=base(where).replace("_", " "),
                )
            )
        unmatched += [(path, "no image of this name in images") for path in masks.values()]
    return Found(tuple(cases), tuple(unmatched))


def _classes(folder: str) -> list[str]:
    for root in (folder, child(folder, "COVID-19_Radiography_Dataset")):
        found = [path for name in _CLASSES if root and (path := child(root, name))]
        found = [path for path in found if child(path, "images") and child(path, "masks")]
        if found:
            return found
    return []
