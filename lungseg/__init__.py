"""Lung segmentation on chest radiographs: images, masks, networks, scores.

`Segmenter.load(path).predict(image)` gives the mask of a film.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungseg.segmenter import Segmenter

__all__ = ["Segmenter"]


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import, so it comes only with the first use.
    if name == "Segmenter":
        from lungseg.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
