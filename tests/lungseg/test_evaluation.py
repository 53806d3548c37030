"""Scores of a mask that another tool wrote."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lungseg import images
from lungseg.case import Case
from lungseg.errors import RejectedCase
from lungseg.evaluation import score_file


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A film of 40×40 px, 8×8 of them lung."""
    film, mask = tmp_path / "film.png", tmp_path / "mask.png"
    lung = np.zeros((40, 40), np.uint8)
    lung[10:18, 10:18] = 255
    cv2.imwrite(str(film), np.arange(1600).reshape(40, 40) % 251)
    cv2.imwrite(str(mask), lung)
    return Case(case_id="film", image=str(film), masks=(str(mask),))


def test_a_mask_by_hand(case: Case, tmp_path: Path) -> None:
    half = np.zeros((40, 40), np.uint8)
    half[10:18, 10:14] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    row = score_file(case, str(tmp_path / "half.png"))
    assert (row["tp"], row["fn"], row["fp"]) == (32, 32, 0)
    assert row["dice"] == pytest.approx(2 * 32 / (32 + 64))


def test_a_film_that_is_missing_or_too_large_is_rejected(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mask,) = case.masks
    Path(case.image).unlink()
    with pytest.raises(RejectedCase, match="the film cannot be read: No such file"):
        score_file(case, mask)

    def read(path: str) -> None:
        raise MemoryError

    monkeypatch.setattr(images, "read", read)
    with pytest.raises(RejectedCase, match="more memory than there is"):
        score_file(case, mask)
