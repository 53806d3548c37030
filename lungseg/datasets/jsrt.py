"""JSRT films (Shiraishi et al. 2000) with the SCR masks (van Ginneken et al. 2006)."""

from __future__ import annotations

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import child, is_image, stem
from lungseg.errors import UserError

_FINDINGS = {"JPCLN": "nodule", "JPCNN": "normal"}
_LUNGS = ("left lung", "right lung")


def recognise(folder: str) -> bool:
    """Whether it holds `All247images`."""
    return child(folder, "All247images") is not None


def find(folder: str) -> Found:
    """Films with masks of both lungs; `source` is "JSRT".

    The masks, 1024×1024 for films of 2048×2048, are resized to the film.

    Raises:
        UserError: the folder is not of this layout, or the SCR masks are missing.
    """
    images = child(folder, "All247images")
    if images is None:
        raise UserError(f"{folder} holds no All247images of the JSRT set")
    folds = _folds(folder)
    if not folds:
        raise UserError(f"no SCR masks for {images}: put scratch/fold1 and fold2 into {folder}")
    lungs = [
        {
            stem(path): path
            for fold in folds
            for path in filter(is_image, storage.list_files(storage.join(fold, "masks", lung)))
        }
        for lung in _LUNGS
    ]
    cases, unmatched = [], []
    for image in filter(is_image, storage.list_files(images)):
        name = stem(image)
        lacking = [lung for lung, masks in zip(_LUNGS, lungs, strict=True) if name not in masks]
        if lacking:
            unmatched.append((image, f"no mask of this name in {' and '.join(lacking)}"))
            continue
        cases.append(
            Case(
                case_id=name,
                image=image,
                masks=tuple(masks[name] for masks in lungs),
                mask_resize=True,
                patient_id=name,
                source="JSRT",
                finding=_FINDINGS.get(name[:5], ""),
                view="PA",
                mask_convention="heart-excluded",
            )
        )
    names = {case.case_id for case in cases} | {stem(path) for path, _ in unmatched}
    unmatched += [
        (path, "no image of this name in All247images")
        for masks in lungs
        for name, path in masks.items()
        if name not in names
    ]
    return Found(tuple(cases), tuple(unmatched))


def _folds(folder: str) -> list[str]:
    """`fold1` and `fold2`, in the folder or up to two below it (SCR unpacks to `scratch`)."""
    below = storage.list_folders(folder)
    for where in (folder, *below, *(sub for path in below for sub in storage.list_folders(path))):
        folds = [path for name in ("fold1", "fold2") if (path := child(where, name))]
        if folds:
            return folds
    return []
