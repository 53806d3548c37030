from __future__ import annotations

import pytest

from lungseg.errors import UserError
from lungseg.folds import fold_counts, fold_part

ONE = {"folds": 1, "counts": {"train": 7, "val": 2, "test": 3}, "fold_counts": [2]}
FOUR = {"folds": 4, "counts": {"train": 14, "val": 0, "test": 3}, "fold_counts": [4, 4, 3, 3]}


def test_one_fold_trains_on_train_and_validates_on_val() -> None:
    assert fold_counts(ONE, 0) == {"train": 7, "val": 2}
    assert fold_part(ONE, "train", 0) == ("train", (0,))
    assert fold_part(ONE, "val", 0) == ("val", (0,))


def test_a_fold_validates_on_its_own_and_trains_on_the_others() -> None:
    assert fold_counts(FOUR, 2) == {"train": 11, "val": 3}
    assert fold_part(FOUR, "val", 2) == ("train", (2,))
    assert fold_part(FOUR, "train", 2) == ("train", (0, 1, 3))


@pytest.mark.parametrize("fold", [-1, 4])
def test_a_fold_that_is_not_there(fold: int) -> None:
    with pytest.raises(UserError, match=f"folds 0 to 3, no fold {fold}: .*--folds"):
        fold_counts(FOUR, fold)
    with pytest.raises(UserError, match="no fold"):
        fold_part(FOUR, "val", fold)
