"""V7 Darwin JSON v1: lungs as polygons."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lungseg.errors import RejectedCase
from lungseg.images.radiograph import check_size
from lungseg.opencv import cv2


def draw_lungs(data: bytes) -> np.ndarray:
    """Rasterise the polygons named "Lung" of a Darwin file.

    Args:
        data: content of the JSON file.

    Returns:
        bool (H, W) of the size the file states.

    Raises:
        RejectedCase: the file is no Darwin JSON, or holds no lung.
    """
    try:
        document = json.loads(data)
        height, width = int(document["image"]["height"]), int(document["image"]["width"])
        check_size(height, width)
        mask = np.zeros((height, width), np.uint8)
        lungs = [entry for entry in document["annotations"] if "lung" in entry["name"].lower()]
        for annotation in lungs:
            lung = np.zeros_like(mask)
            # Even-odd over all paths of one annotation: inner paths are holes.
            cv2.fillPoly(lung, _paths(annotation), 1)
            mask |= lung
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, cv2.error) as error:
        raise RejectedCase("the mask is no Darwin JSON v1 file") from error
    if not lungs:
        raise RejectedCase("the Darwin file holds no polygon named Lung")
    return mask.astype(bool)


def _paths(annotation: dict[str, Any]) -> list[np.ndarray]:
    if "complex_polygon" in annotation:
        paths = annotation["complex_polygon"]["path"]
    else:
        paths = [annotation["polygon"]["path"]]
    return [
        np.array([[point["x"], point["y"]] for point in path], np.float64).round().astype(np.int32)
        for path in paths
    ]
