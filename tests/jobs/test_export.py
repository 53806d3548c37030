"""`lungseg export` as a command."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest

from jobs.command import _status
from lungseg import networks, segmenter


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model folder."""
    arguments = {"widths": [4, 8], "batch_norm": "fused"}
    info = {"architecture": "unet", "arguments": arguments, "size": 32, "threshold": 0.5}
    keras.utils.set_random_seed(0)
    network = networks.build("unet", size=32, **arguments)
    segmenter.save(str(tmp_path / "model"), network, info | {"min_area_fraction": 0.0})
    return str(tmp_path / "model")


def test_export_tells_the_agreement(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "lungs.keras")
    assert _status(["export", model, "--format", "keras", "--out", out]) == 0
    told = capsys.readouterr().out
    found = re.search(r"on 8 phantoms: masks differ from Keras's in ([\d.]+)% of the pixels", told)
    # An untrained network says 0.5 nearly everywhere, where rounding decides.
    assert found is not None
    assert float(found[1]) < 0.01
    assert "MiB" in told
    assert _status(["export", model, "--format", "keras", "--out", out]) == 2
    assert capsys.readouterr().err.strip().endswith("is there already: choose another --out")
    assert _status(["export", model, "--format", "caffe", "--out", f"{out}2"]) == 2
    assert "no format 'caffe'" in capsys.readouterr().err
