"""V7's COVID-19 X-ray data set, or any other in Darwin JSON v1: lungs drawn as polygons.

As darwin-py lays it out: `images/` beside `releases/NAME/annotations/*.json` or `annotations/`,
both with the data set's own folders in them if it has any.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, child, is_image, key, stem
from lungseg.errors import RejectedCase, UserError
from lungseg.images.decode import read_limited
from lungseg.images.radiograph import check_mask_size
from lungseg.opencv import cv2

_V7 = "covid-19-chest-x-ray-dataset"
_FINDING = re.compile(r"covid|pneumonia|healthy", re.IGNORECASE)
_PATIENT = re.compile(r"person\d+")
_FARTHEST = 100_000
_MOST_BYTES = 8_000_000
_MOST_LUNGS = 64
_MOST_CORNERS = 50_000
_WRONG = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a file raises that is no Darwin JSON."""


def recognise(folder: str) -> bool:
    """Whether there are `images/` and a folder `annotations` of JSON files."""
    return child(folder, "images") is not None and _annotations(folder) is not None


def find(folder: str) -> Found:
    """Images with at least one annotation named "Lung"; `source` is the data set's name.

    Raises:
        UserError: the folder is not of this layout.
    """
    annotations, images = _annotations(folder), child(folder, "images")
    if annotations is None or images is None:
        raise UserError(f"{folder} holds no images/ and annotations/ with Darwin JSON files")
    files = [path for path in storage.list_files(images, recursive=True) if is_image(path)]
    named: dict[str, list[str]] = defaultdict(list)
    for path in files:
        named[base(path)].append(path)
    repeated = {name for name, count in Counter(map(stem, files)).items() if count > 1}
    cases, unmatched, used = [], [], set()
    for path in storage.list_files(annotations, ".json", recursive=True):
        try:
            document = _parse(read_limited(path, _MOST_BYTES))
            image = _image(document, named, images, _folder(path, annotations))
            if _lungs(document):
                case_id = key(image, images) if stem(image) in repeated else stem(image)
                cases.append(_case(document, image, path, case_id))
            else:
                reason = "no lung is drawn on it (V7 leaves out lateral views and CT)"
                unmatched.append((image, reason))
            used.add(image)
        except RejectedCase as error:
            unmatched.append((path, str(error)))
        except (OSError, *_WRONG):
            unmatched.append((path, "no Darwin JSON v1 file"))
    unmatched += [(path, "no annotation names this image") for path in files if path not in used]
    return Found(tuple(cases), tuple(unmatched))


def _image(
    document: dict[str, Any], named: Mapping[str, list[str]], images: str, beside: str
) -> str:
    """The image of an annotation file; of several of one name, the one in the folder that is told.

    Args:
        document: of the annotation file.
        named: images by their file name.
        images: folder of the images.
        beside: folder of the annotation file below that of all annotations, "" for itself.

    Raises:
        RejectedCase: there is none, or it cannot be told which one it is.
    """
    stated = document["image"]
    names = [str(stated[name]) for name in ("filename", "original_filename") if name in stated]
    candidates = next((named[name] for name in names if name in named), [])
    if not candidates:
        raise RejectedCase(f"its image {', '.join(names[:1])} is not in images")
    told = str(stated.get("path") or "").strip("/") or beside
    right = [path for path in candidates if _folder(path, images) == told]
    if len(right) == 1:
        return right[0]
    if len(candidates) > 1:
        raise RejectedCase(f"{len(candidates)} images are named {base(candidates[0])}")
    # Downloads may come without the folders of the images, or of the annotations.
    if told and _folder(candidates[0], images):
        raise RejectedCase(f"its image is said to be in {told}, where it is not")
    return candidates[0]


def _folder(path: str, root: str) -> str:
    """Path of a file's folder below a root, "" for the root itself."""
    return path[len(root) :].strip("/").rpartition("/")[0]


def draw_lungs(data: bytes, height: int, width: int) -> np.ndarray:
    """Rasterise the polygons named "Lung" of a Darwin file.

    Args:
        data: content of the JSON file.
        height: of its image, px.
        width: of its image, px.

    Returns:
        bool (height, width).

    Raises:
        RejectedCase: the file is no Darwin JSON, holds no lung or more than anybody draws, or is
            of an image of another size.
    """
    try:
        document = _parse(data)
        stated = document["image"]
        check_mask_size((int(stated["height"]), int(stated["width"])), height, width)
        lungs = [_paths(annotation) for annotation in _lungs(document)]
    except _WRONG as error:
        raise RejectedCase("the mask is no Darwin JSON v1 file") from error
    corners = sum(len(path) for paths in lungs for path in paths)
    if not lungs:
        raise RejectedCase("the Darwin file holds no polygon named Lung")
    if len(lungs) > _MOST_LUNGS or corners > _MOST_CORNERS:
        raise RejectedCase(
            f"the Darwin file holds {len(lungs)} lungs of {corners} corners, at most "
            f"{_MOST_LUNGS} of {_MOST_CORNERS} are drawn"
        )
    mask = np.zeros((height, width), np.uint8)
    for paths in lungs:
        # Even-odd over all paths of one annotation: inner paths are holes.
        cv2.fillPoly(mask, paths, 1)
    return mask.view(bool)


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > _MOST_BYTES:
        raise ValueError("too large")
    return json.loads(data)


def _lungs(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        annotation
        for annotation in document["annotations"]
        if "lung" in annotation["name"].lower()
        and ("polygon" in annotation or "complex_polygon" in annotation)
    ]


def _paths(annotation: dict[str, Any]) -> list[np.ndarray]:
    """Corner points, int32 (N, 2), x first, of each closed path."""
    if "complex_polygon" in annotation:
        paths = annotation["complex_polygon"]["path"]
    else:
        paths = [annotation["polygon"]["path"], *annotation["polygon"].get("additional_paths", [])]
    return [corners for path in paths if len(corners := _corners(path))]


def _corners(path: list[dict[str, Any]]) -> np.ndarray:
    corners = np.array([[point["x"], point["y"]] for point in path], np.float64).reshape(-1, 2)
    # Further out the arithmetic of OpenCV overflows; NaN is no number below the limit either.
    if not (np.abs(corners) < _FARTHEST).all():
        raise ValueError("a corner lies far outside the image")
    return corners.round().astype(np.int32)


def _case(document: dict[str, Any], image: str, annotation: str, case_id: str) -> Case:
    tags = [str(entry["name"]) for entry in document["annotations"] if "tag" in entry]
    patient = _PATIENT.match(base(image))
    source = str(document.get("dataset") or _V7)
    return Case(
        case_id=case_id,
        image=image,
        masks=(annotation,),
        patient_id=patient[0] if patient else "",
        source=source,
        finding=next((tag for tag in tags if _FINDING.search(tag)), ""),
        mask_convention="retrocardiac-included" if source == _V7 else "unknown",
    )


def _annotations(folder: str) -> str | None:
    releases = storage.list_folders(storage.join(folder, "releases"))
    for where in (folder, *releases):
        path = child(where, "annotations")
        if path and storage.list_files(path, ".json", recursive=True):
            return path
    return None
