"""What a notebook shows of a prediction."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from lungseg import Prediction, Segmenter, networks, phantoms, segmenter
from lungseg.errors import UserError


@pytest.fixture
def loaded(tmp_path: Path) -> Segmenter:
    keras.utils.set_random_seed(3)
    arguments = {"widths": [4, 8], "batch_norm": "fused"}
    info = {"architecture": "unet", "arguments": arguments, "size": 32, "threshold": 0.5}
    model = networks.build("unet", size=32, **arguments)
    segmenter.save(str(tmp_path / "model"), model, info | {"min_area_fraction": 0.0})
    return Segmenter.load(str(tmp_path / "model"), "float32")


def test_a_prediction_is_the_mask_and_what_is_known_of_it(loaded: Segmenter) -> None:
    film = phantoms.draw(0, seed=0, size=128).image
    found = loaded.segment(film, (0.5, 0.4))
    assert isinstance(found, Prediction)
    np.testing.assert_array_equal(found.mask, loaded.predict(film))
    np.testing.assert_array_equal(found.mask, found.left | found.right)
    assert found.probability.shape == film.shape
    assert math.isclose(sum(found.areas.values()), 0.2 * found.mask.sum())
    assert "mm²" in repr(found)
    assert loaded.segment(film).areas["left"] == found.left.sum()


def test_a_notebook_shows_film_outline_and_flags(loaded: Segmenter) -> None:
    film = phantoms.draw(0, seed=0, size=128).image
    mask = np.zeros(film.shape, bool)
    mask[20:100, 20:45] = True
    found = Prediction(film, mask, mask.astype(np.float32), mask & False, mask, ("one-lung",))
    picture = cv2.imdecode(np.frombuffer(found._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert max(picture.shape) == 512
    assert (picture.max(axis=2) != picture.min(axis=2)).any()  # the outline alone has a colour
    shown = found._repr_html_()
    assert "data:image/png;base64," in shown
    assert "one-lung: there is only one lung" in shown


def test_many_films_give_the_masks_of_each(loaded: Segmenter) -> None:
    films = [phantoms.draw(index, seed=0, size=64 + index).image for index in range(5)]
    masks = list(loaded.predict_many(iter(films), batch_size=2))
    for film, mask in zip(films, masks, strict=True):
        assert mask.shape == film.shape
        assert (mask != loaded.predict(film)).mean() < 0.001
    with pytest.raises(UserError, match="takes a uint8 image"):
        list(loaded.predict_many([films[0], films[1].astype(float)]))
