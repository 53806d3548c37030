"""Plain pairs: `images/` and `masks/`, also below `train/`, `val/`, `test/`, or both in one folder.

A mask has its image's name, or that name with the suffix _mask, -mask or _seg or the prefix
mask_; the endings may differ. In one folder it needs the suffix or prefix.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, innermost, is_image, key, stem
from lungseg.errors import UserError

_IMAGES = ("images", "image", "imgs", "img")
_MASKS = ("masks", "mask")
_SUFFIXES = ("_mask", "-mask", "_seg")
_PREFIX = "mask_"
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def recognise(folder: str) -> bool:
    """Whether there are folders of images and of masks, or an image beside its mask."""
    return any(_parts(folder)) or _is_flat(folder)


def find(folder: str) -> Found:
    """Pairs of image and mask; `source` is the folder's name.

    Raises:
        UserError: there is no folder of images or of masks, or one of them holds no image.
    """
    cases: list[Case] = []
    unmatched: list[tuple[str, str]] = []
    parts = list(_parts(folder))
    if not parts:
        if not _is_flat(folder):
            raise UserError(f"{folder} holds no images/ and masks/, and no mask beside its image")
        return _pair_flat(folder)
    for images, masks, split in parts:
        found = _pair(images, masks, base(folder), split)
        cases += found.cases
        unmatched += found.unmatched
    return Found(tuple(cases), tuple(unmatched))


def _parts(folder: str) -> Iterator[tuple[str, str, str]]:
    """(images, masks, split) of the folder itself, or of its folders train, val and test."""
    splits = [(sub, _SPLITS.get(base(sub).lower(), "")) for sub in storage.list_folders(folder)]
    for where, split in [(folder, ""), *(entry for entry in splits if entry[1])]:
        folders = {base(path).lower(): path for path in storage.list_folders(where)}
        images = next((folders[name] for name in _IMAGES if name in folders), None)
        masks = next((folders[name] for name in _MASKS if name in folders), None)
        if images and masks:
            yield innermost(images), innermost(masks), split
            if not split:
                return


def _is_flat(folder: str) -> bool:
    names = {stem(path) for path in storage.list_files(folder) if is_image(path)}
    return any(_mask_of(name, names) for name in names)


def _pair_flat(folder: str) -> Found:
    """Pairs of a folder in which images and masks lie side by side."""
    unmatched: list[tuple[str, str]] = []
    index = _index(folder, unmatched, "file", recursive=False)
    masks = {mask for name in index if (mask := _mask_of(name, index))}
    image_of = {name: path for name, path in index.items() if name not in masks}
    mask_of = {name: path for name, path in index.items() if name in masks}
    return _match(image_of, mask_of, ("beside it (NAME_mask)", ""), base(folder), "", unmatched)


def _pair(images: str, masks: str, source: str, split: str) -> Found:
    unmatched: list[tuple[str, str]] = []
    image_of = _index(images, unmatched, "image")
    mask_of = _index(masks, unmatched, "mask")
    for what, index, where in (("images", image_of, images), ("masks", mask_of, masks)):
        if not index:
            raise UserError(f"no {what} in {where}: put one image file a case there")
    places = (f"of this name in {base(masks)}/", f"of this name in {base(images)}/")
    return _match(image_of, mask_of, places, source, split, unmatched)


def _match(
    image_of: Mapping[str, str],
    mask_of: Mapping[str, str],
    places: tuple[str, str],
    source: str,
    split: str,
    unmatched: list[tuple[str, str]],
) -> Found:
    """Cases of images and masks by name; `places` says where a missing mask or image should be."""
    cases, used = [], set()
    for name, image in image_of.items():
        mask_name = name if name in mask_of else _mask_of(name, mask_of)
        if mask_name is None:
            unmatched.append((image, f"no mask {places[0]}"))
            continue
        used.add(mask_name)
        cases.append(
            Case(
                case_id=name,
                image=image,
                masks=(mask_of[mask_name],),
                source=source,
                split_hint=split,
            )
        )
    unmatched += [
        (path, f"no image {places[1]}") for name, path in mask_of.items() if name not in used
    ]
    return Found(tuple(cases), tuple(unmatched))


def _index(
    folder: str, unmatched: list[tuple[str, str]], what: str, *, recursive: bool = True
) -> dict[str, str]:
    """Path of each name; further files of the same name and files of other kinds are listed."""
    index: dict[str, str] = {}
    for path in storage.list_files(folder, recursive=recursive):
        name = key(path, folder)
        if not is_image(path) and not (what == "mask" and path.lower().endswith(".json")):
            unmatched.append((path, "no image file by its ending"))
        elif name in index:
            unmatched.append((path, f"another {what} has this name: {base(index[name])}"))
        else:
            index[name] = path
    return index


def _mask_of(name: str, among: Container[str]) -> str | None:
    """The name of an image's mask that is the image's with a suffix or prefix."""
    names = (*(name + suffix for suffix in _SUFFIXES), _PREFIX + name)
    return next((other for other in names if other in among), None)
