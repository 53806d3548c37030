"""Which cases of the shards each fold of a cross-validation trains and validates on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lungseg.errors import UserError


def fold_part(info: Mapping[str, Any], part: str, fold: int) -> tuple[str, tuple[int, ...]]:
    """Where the cases lie that the training of a fold trains or validates on.

    Args:
        info: content of `dataset.json`.
        part: "train" or "val".
        fold: 0…K-1.

    Returns:
        The split whose files hold them, and the values of the column `fold` that they have there.

    Raises:
        UserError: the shards have no such fold.
    """
    folds = _check_fold(info, fold)
    if folds == 1:
        return part, (0,)
    return "train", tuple(one for one in range(folds) if (one == fold) == (part == "val"))


def fold_counts(info: Mapping[str, Any], fold: int) -> dict[str, int]:
    """How many cases the training of a fold trains ("train") and validates ("val") on.

    Args:
        info: content of `dataset.json`.
        fold: 0…K-1.

    Raises:
        UserError: the shards have no such fold.
    """
    _check_fold(info, fold)
    val = int(info["fold_counts"][fold])
    return {"train": info["counts"]["train"] + info["counts"]["val"] - val, "val": val}


def _check_fold(info: Mapping[str, Any], fold: int) -> int:
    folds = int(info["folds"])
    if not 0 <= fold < folds:
        raise UserError(
            f"the shards have the folds 0 to {folds - 1}, no fold {fold}: write others with "
            "lungseg shard --folds K"
        )
    return folds
