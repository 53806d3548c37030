"""Score a model's masks against the references, case by case, at original size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lungseg import images, masks, rle, shards
from lungseg.case import Case
from lungseg.errors import RejectedCase, UserError
from lungseg.letterbox import Geometry
from lungseg.network_input import clahe_of
from lungseg.scores import overlap, score_case
from lungseg.scores.counts import count

if TYPE_CHECKING:
    import pandas as pd

    from lungseg.segmenter import Segmenter

_FACTS = (
    "case_id",
    "patient_id",
    "split",
    "source",
    "mask_convention",
    "sex",
    "age",
    "finding",
    "view",
    "height",
    "width",
    "spacing_row",
    "spacing_column",
)
_GEOMETRY = ("height", "width", "scaled_height", "scaled_width", "top", "left")


def evaluate(
    segmenter: Segmenter, path: str, split: str = "test", *, batch_size: int = 16
) -> pd.DataFrame:
    """Score a model on shards in this process; `lungseg evaluate` does it on a cluster.

    >>> segmenter = Segmenter.load("RUN/models/unet/fold-0/seed-0")
    >>> scores = evaluate(segmenter, "RUN/shards")
    >>> scores[["case_id", "dice", "hd95"]].shape
    (3, 3)
    >>> bool(scores["dice"].between(0, 1).all())
    True

    Args:
        segmenter: the model.
        path: folder of the shards.
        split: "train", "val", "test" or "all".
        batch_size: cases the network sees at a time.

    Returns:
        One row a case, see `score_batch`; without the columns `model`, `fold` and `seed`.

    Raises:
        UserError: there are no shards, or no such split in them, or they were made for another
            network; `batch_size` is below 1.
    """
    import pandas as pd

    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}: give 1 or more")
    info = shards.read_info(path)
    if info["size"] != segmenter.size:
        raise UserError(
            f"the model takes {segmenter.size} px, the shards in {path} are of {info['size']} px"
        )
    shards.check_clahe(info, clahe_of(segmenter.info))
    table = shards.read_table(path, split)
    rows: list[dict[str, Any]] = []
    for start in range(0, len(table), batch_size):
        part = table.iloc[start : start + batch_size]
        batch = {str(name): part[name].to_numpy() for name in part if name not in shards.TENSORS}
        rows += score_batch(segmenter, batch | {"image": np.stack(part["image"].to_list())})
    return pd.DataFrame(rows)


def score_batch(segmenter: Segmenter, batch: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Rows of `scores/*.parquet` for a batch of shard rows.

    Args:
        segmenter: the model.
        batch: columns of a shard (see `lungseg.shards`).

    Returns:
        One row a case: its facts, all scores after post-processing, counts and Dice before it
        (`raw_…`), and the predicted mask as run lengths.
    """
    probabilities = segmenter.probabilities(batch["image"])
    rows = []
    for index, probability in enumerate(probabilities):
        facts = {name: batch[name][index] for name in (*_FACTS, *_GEOMETRY, "reference_rle")}
        size = {name: int(facts[name]) for name in _GEOMETRY}
        mask, raw = segmenter.mask_at_original_size(
            probability, Geometry(size=segmenter.size, **size)
        )
        reference = rle.decode(facts["reference_rle"], size["height"], size["width"])
        rows.append(
            {name: _plain(facts[name]) for name in _FACTS}
            | score_case(mask, reference, _spacing(facts))
            | _before_postprocessing(raw, reference)
            | {"prediction_rle": rle.encode(mask)}
        )
    return rows


def score_file(case: Case, path: str) -> dict[str, Any]:
    """The row of `score_batch` for a mask that another tool wrote.

    Args:
        case: the film with its reference mask.
        path: the other tool's mask at the film's size, which may be empty.

    Raises:
        RejectedCase: film, reference or mask cannot be used.
    """
    try:
        radiograph = images.read(case.image)
        height, width = radiograph.pixels.shape
        reference = masks.read_mask(case, height, width)
        mask = masks.read_mask_file(path, height, width)
    except OSError as error:
        raise RejectedCase(f"the film cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise RejectedCase("needs more memory than there is") from error
    spacing = case.spacing_mm or radiograph.spacing_mm
    row_mm, column_mm = spacing or (math.nan, math.nan)
    facts = {name: getattr(case, name, "") for name in _FACTS} | {
        "patient_id": case.patient_id or radiograph.patient_id or case.case_id,
        "view": case.view or radiograph.view,
        "split": case.split_hint or "test",
        "height": height,
        "width": width,
        "spacing_row": row_mm,
        "spacing_column": column_mm,
    }
    return (
        facts
        | score_case(mask, reference, spacing)
        | _before_postprocessing(mask, reference)
        | {"prediction_rle": rle.encode(mask)}
    )


def _before_postprocessing(raw: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    counts = count(raw, reference)
    scores = {**counts, "dice": overlap(**counts)["dice"]}
    return {f"raw_{name}": value for name, value in scores.items()}


def _spacing(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    row, column = float(facts["spacing_row"]), float(facts["spacing_column"])
    return None if math.isnan(row) or math.isnan(column) else (row, column)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
