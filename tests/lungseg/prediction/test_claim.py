"""A folder of predictions is for one model, one set of settings and one list of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lungseg.errors import UserError
from lungseg.prediction.claim import PLAN, claim
from lungseg.prediction.ensemble import Finish
from lungseg.prediction.inputs import Input
from lungseg.settings import PredictSettings

HOW = Finish(64, 0.0, 0.5, 0.0, "abc")
INPUTS = [Input("a", "/films/a.png")]
SETTINGS = PredictSettings()


def test_the_same_goes_on_and_all_else_is_refused(tmp_path: Path) -> None:
    out = str(tmp_path)
    claim(out, HOW, INPUTS, ["/model"], SETTINGS)
    before = (tmp_path / PLAN).read_bytes()
    claim(out, HOW, INPUTS, ["/moved/model"], SETTINGS.model_copy(update={"actors": "2:4"}))
    with pytest.raises(UserError, match="predictions of another model"):
        claim(out, replace(HOW, fingerprint="abd"), INPUTS, ["/model"], SETTINGS)
    for name, value in (("precision", "float32"), ("augment", True), ("masks", True)):
        with pytest.raises(UserError, match=f"with predict.{name}=.*, not {value}"):
            claim(out, HOW, INPUTS, ["/model"], SETTINGS.model_copy(update={name: value}))
    with pytest.raises(UserError, match="predictions of other images"):
        claim(out, HOW, [*INPUTS, Input("b", "/films/b.png")], ["/model"], SETTINGS)
    assert (tmp_path / PLAN).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is damaged"), ("[]", "of another version"), ('{"format": 2}', "of another version")],
)
def test_a_damaged_plan_is_told(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / PLAN).write_text(content)
    with pytest.raises(UserError, match=reason):
        claim(str(tmp_path), HOW, INPUTS, ["/model"], SETTINGS)


def test_what_is_no_place_for_predictions(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(UserError, match="is no folder and cannot become one"):
            claim(str(out), HOW, INPUTS, ["/model"], SETTINGS)
    (tmp_path / "other.parquet").write_text("x")
    with pytest.raises(UserError, match="Parquet files of something else"):
        claim(str(tmp_path), HOW, INPUTS, ["/model"], SETTINGS)
