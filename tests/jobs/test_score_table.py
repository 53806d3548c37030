"""Tables of scores tell what they are of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from jobs.score_table import mark_of, write_scores
from lungseg.errors import UserError


def test_a_mark_is_told_for_the_same_source_only(tmp_path: Path) -> None:
    model, masks = str(tmp_path / "model.parquet"), str(tmp_path / "masks.parquet")
    frame = pd.DataFrame({"case_id": ["a"], "dice": [0.5]})
    assert mark_of(model) == mark_of(masks, "/peer") == ""
    write_scores(model, frame, "one")
    write_scores(masks, frame, "two", "/peer")
    assert (mark_of(model), mark_of(masks, "/peer")) == ("one", "two")
    pd.testing.assert_frame_equal(pd.read_parquet(masks), frame)
    with pytest.raises(UserError, match="holds the scores of /peer: score the model into another"):
        mark_of(masks)
    with pytest.raises(UserError, match="holds the scores of a model: score /peer into another"):
        mark_of(model, "/peer")
