from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lungseg.letterbox import Geometry, letterbox, letterbox_mask, restore

sides = st.integers(1, 300)
sizes = st.sampled_from([32, 64, 128])


def test_a_wide_film_is_centred_between_black_bars() -> None:
    square, geometry = letterbox(np.full((50, 100), 200, np.uint8), 64)
    assert geometry == Geometry(50, 100, 64, 32, 64, 16, 0)
    assert (square[16:48] == 200).all()
    assert not square[:16].any()
    assert not square[48:].any()


@given(sides, sides, sizes)
def test_geometry_stays_within_the_square(height: int, width: int, size: int) -> None:
    geometry = Geometry.fit(height, width, size)
    assert max(geometry.scaled_height, geometry.scaled_width) == size
    assert 0 <= geometry.top <= geometry.top + geometry.scaled_height <= size
    assert 0 <= geometry.left <= geometry.left + geometry.scaled_width <= size


@given(st.integers(150, 300), st.integers(150, 300), sizes)
def test_a_mask_comes_back_to_its_place(height: int, width: int, size: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    mask = ((rows / height - 0.5) ** 2 + (columns / width - 0.4) ** 2) < 0.09
    geometry = Geometry.fit(height, width, size)
    small = letterbox_mask(mask, geometry).astype(np.float32)
    back = restore(small, geometry) > 0.5
    assert back.shape == mask.shape
    dice = 2 * (back & mask).sum() / (back.sum() + mask.sum())
    # A boundary pixel of the small mask is max(H, W)/size pixels wide here.
    assert dice > (0.98 if size >= max(height, width) else 0.9)


@given(sides, sides)
def test_an_image_already_square_is_untouched(height: int, width: int) -> None:
    image = np.arange(64 * 64, dtype=np.uint32).astype(np.uint8).reshape(64, 64)
    square, geometry = letterbox(image, 64)
    np.testing.assert_array_equal(square, image)
    np.testing.assert_array_equal(restore(square.astype(np.float32), geometry), image)
