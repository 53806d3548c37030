"""COVID-QU-Ex (Tahir et al. 2021): its own train, val and test parts, each with three findings."""

from __future__ import annotations

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, child, is_image, stem
from lungseg.errors import UserError

_FOLDER = "Lung Segmentation Data"
_PARTS = {"Train": "train", "Val": "val", "Test": "test"}


def recognise(folder: str) -> bool:
    """Whether it holds `Lung Segmentation Data` (which holds another of this name) or is it."""
    return _root(folder) is not None


def find(folder: str) -> Found:
    """Cases with their published split; `source` is "COVID-QU-Ex".

    Raises:
        UserError: the folder is not of this layout.
    """
    root = _root(folder)
    if root is None:
        raise UserError(f"{folder} holds no {_FOLDER}/{{Train,Val,Test}}")
    cases, unmatched = [], []
    for part, hint in _PARTS.items():
        for where in storage.list_folders(storage.join(root, part)):
            masks = {
                stem(path): path
                for path in filter(is_image, storage.list_files(storage.join(where, "lung masks")))
            }
            for image in filter(is_image, storage.list_files(storage.join(where, "images"))):
                mask = masks.pop(stem(image), None)
                if mask is None:
                    unmatched.append((image, "no mask of this name in lung masks"))
                    continue
                cases.append(
                    Case(
                        case_id=stem(image),
                        image=image,
                        masks=(mask,),
                        source="COVID-QU-Ex",
                        split_hint=hint,
                        finding=base(where),
                    )
                )
            unmatched += [(path, "no image of this name in images") for path in masks.values()]
    return Found(tuple(cases), tuple(unmatched))


def _root(folder: str) -> str | None:
    outer = child(folder, _FOLDER)
    for root in (folder, outer, child(outer, _FOLDER) if outer else None):
        train = child(root, "Train") if root else None
        if train and any(child(path, "lung masks") for path in storage.list_folders(train)):
            return root
    return None
