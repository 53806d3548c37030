"""Lung segmentation on chest radiographs: images, masks, networks, scores.

>>> import lungseg
>>> segmenter = lungseg.Segmenter.load("RUN/models/unet/fold-0/seed-0")
>>> segmenter.predict(lungseg.read("film.png").pixels).shape
(320, 279)

`Segmenter` loads a model and finds the lungs of one film or of many, `Prediction` is what it tells
of one and shows in a notebook, `read` reads films of any format, `read_table` shards as a table,
`evaluate` scores a model on them, `build` gives the networks for another task, and
`lungseg.export.write.export` writes a model for other programs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungseg.evaluation import evaluate
    from lungseg.images import read
    from lungseg.networks import build
    from lungseg.prediction.prediction import Prediction
    from lungseg.segmenter import Segmenter
    from lungseg.shards import read_table

__all__ = ["Prediction", "Segmenter", "build", "evaluate", "read", "read_table"]

_HOMES = {
    "Prediction": "lungseg.prediction.prediction",
    "Segmenter": "lungseg.segmenter",
    "build": "lungseg.networks",
    "evaluate": "lungseg.evaluation",
    "read": "lungseg.images",
    "read_table": "lungseg.shards",
}


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import, so it comes only with the first use.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
