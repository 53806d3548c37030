"""Model folders that are damaged are told from whole ones, each in one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lungseg.errors import UserError
from lungseg.model_folder import INFO, WEIGHTS, read_info, read_weights

WHOLE: dict[str, Any] = {
    "format": 1,
    "architecture": "unet",
    "arguments": {},
    "size": 64,
    "threshold": 0.5,
    "min_area_fraction": 0.01,
    "sha256": hashlib.sha256(b"weights").hexdigest(),
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is damaged"),
        ("[]", "holds no object"),
        (json.dumps(WHOLE | {"format": 2}), "has format 2"),
        (json.dumps(WHOLE | {"size": "64"}), "no usable size"),
        (json.dumps({key: WHOLE[key] for key in WHOLE if key != "sha256"}), "no usable sha256"),
    ],
)
def test_a_damaged_description(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / INFO).write_text(content)
    with pytest.raises(UserError, match=reason):
        read_info(str(tmp_path))


def test_no_model_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(UserError, match="holds no trained model"):
            read_info(str(folder))
    (tmp_path / INFO).mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_info(str(tmp_path))


def test_weights_must_be_those_described(tmp_path: Path) -> None:
    (tmp_path / INFO).write_text(json.dumps(WHOLE))
    assert read_info(str(tmp_path)) == WHOLE
    with pytest.raises(UserError, match=f"has no {WEIGHTS}"):
        read_weights(str(tmp_path), WHOLE)
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    assert read_weights(str(tmp_path), WHOLE) == b"weights"
    (tmp_path / WEIGHTS).write_bytes(b"weight")
    with pytest.raises(UserError, match="is not the file"):
        read_weights(str(tmp_path), WHOLE)
