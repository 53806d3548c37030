from __future__ import annotations

import numpy as np
import pytest

from lungseg import phantoms
from lungseg.letterbox import letterbox
from lungseg.network_input import clahe_of, network_input, preprocessing
from lungseg.opencv import cv2


def test_without_clahe_it_is_the_letterbox() -> None:
    film = phantoms.draw(0, seed=0, size=128).image
    square, geometry = network_input(film, 64)
    expected, same = letterbox(film, 64)
    np.testing.assert_array_equal(square, expected)
    assert geometry == same


def test_clahe_equalises_the_film_and_not_its_padding() -> None:
    film = np.ascontiguousarray(phantoms.draw(0, seed=0, size=128).image[:, :80] // 4 + 90)
    square, geometry = network_input(film, 64, 3.0)
    plain = letterbox(film, 64)[0]
    content = plain[geometry.content]
    expected = cv2.createCLAHE(3.0, (8, 8)).apply(np.ascontiguousarray(content))
    np.testing.assert_array_equal(square[geometry.content], expected)
    assert np.ptp(expected) > 1.5 * np.ptp(content)
    outside = np.ones_like(square, bool)
    outside[geometry.content] = False
    assert outside.any()
    assert not square[outside].any()


@pytest.mark.parametrize("shape", [(32, 1024), (1024, 32), (33, 35)])
def test_clahe_of_narrow_films(shape: tuple[int, int]) -> None:
    film = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert network_input(film, 32, 2.0)[0].shape == (32, 32)


def test_a_model_states_its_clip_limit() -> None:
    assert clahe_of({"preprocessing": preprocessing(2.5)}) == 2.5
    assert clahe_of({"preprocessing": {"letterbox": "black"}}) == 0.0
