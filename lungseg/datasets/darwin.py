"""V7's COVID-19 X-ray data set, or any other in Darwin JSON v1: lungs drawn as polygons.

As darwin-py lays it out: `images/` beside `releases/NAME/annotations/*.json` or `annotations/`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from lungseg import storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, child, is_image, stem
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
    files = filter(is_image, storage.list_files(images, recursive=True))
    image_of = {base(path): path for path in files}
    cases, unmatched, used = [], [], set()
    for path in storage.list_files(annotations, ".json"):
        try:
            document = _parse(read_limited(path, _MOST_BYTES))
            names = [document["image"].get(key) for key in ("filename", "original_filename")]
            drawn = bool(_lungs(document))
        except (OSError, RejectedCase, *_WRONG):
            unmatched.append((path, "no Darwin JSON v1 file"))
            continue
        image = next((image_of[name] for name in names if name in image_of), None)
        if image is None:
            unmatched.append((path, f"its image {names[0]} is not in images"))
            continue
        used.add(image)
        if drawn:
            cases.append(_case(document, image, path))
        else:
            unmatched.append((image, "no lung is drawn on it (V7 leaves out lateral views and CT)"))
    unmatched += [
        (path, "no annotation names this image") for path in image_of.values() if path not in used
    ]
    return Found(tuple(cases), tuple(unmatched))


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


def _case(document: dict[str, Any], image: str, annotation: str) -> Case:
    tags = [str(entry["name"]) for entry in document["annotations"] if "tag" in entry]
    patient = _PATIENT.match(base(image))
    source = str(document.get("dataset") or _V7)
    return Case(
        case_id=stem(image),
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
        if path and storage.list_files(path, ".json"):
            return path
    return None
