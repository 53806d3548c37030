"""Masks made elsewhere: what is refused before any is scored."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from jobs.evaluate_masks import cases_of_split, check
from jobs.score_table import write_scores
from lungseg.errors import UserError
from lungseg.settings import DataSettings


def test_a_table_of_other_masks_or_of_a_model_is_not_replaced(tmp_path: Path) -> None:
    out, ours, theirs = (str(tmp_path / name) for name in ("scores", "a/unet", "b/unet"))
    for folder in (ours, theirs):
        Path(folder).mkdir(parents=True)
    table = check(ours, out)
    assert table == f"{out}/unet/fold-0_seed-0.parquet"
    write_scores(table, pd.DataFrame({"dice": [1.0]}), "mark", ours)
    assert check(ours, out) == table
    with pytest.raises(UserError, match=f"holds the scores of {ours}: score {theirs} into another"):
        check(theirs, out)
    write_scores(table, pd.DataFrame({"dice": [1.0]}), "mark")
    with pytest.raises(UserError, match="holds the scores of a model"):
        check(ours, out)
    with pytest.raises(UserError, match="is no folder"):
        check(str(tmp_path / "c"), out)


def test_the_cases_of_a_split_are_those_of_its_hint(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("image,mask,split_hint\na.png,a.png,test\nb.png,b.png,\n")

    def ids(split: str) -> list[str]:
        cases = cases_of_split([str(manifest)], split, DataSettings())
        return [case.case_id for case in cases]

    assert ids("all") == ["a", "b"]
    assert ids("test") == ["a"]
    with pytest.raises(UserError, match=r"list.csv has split_hint=val: take --split all"):
        ids("val")
    with pytest.raises(UserError, match="holds no All247images"):
        cases_of_split([str(manifest)], "all", DataSettings(layout="jsrt"))
