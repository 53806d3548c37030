from __future__ import annotations

import numpy as np
import pytest
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


def covered(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """By counting: every pixel cut into height × width parts, every cell made of H × W of them."""
    fine = mask.repeat(height, axis=0).repeat(width, axis=1)
    cells = fine.reshape(height, mask.shape[0], width, mask.shape[1]).sum(axis=(1, 3))
    return np.asarray(2 * cells >= mask.size)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 12), st.integers(0, 2**32 - 1))
def test_a_pixel_is_lung_where_half_of_its_area_is(
    height: int, width: int, size: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    geometry = Geometry.fit(height, width, size)
    if max(height, width) <= size:
        return
    square = letterbox_mask(mask, geometry)
    expected = covered(mask, geometry.scaled_height, geometry.scaled_width)
    np.testing.assert_array_equal(square[geometry.content], expected)
    assert square.sum() == expected.sum()


@pytest.mark.parametrize("factor", range(2, 10))
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_films_a_whole_number_of_times_as_large(factor: int, more: int) -> None:
    """Cells of which just half is lung, one pixel less, one more."""
    lung = np.zeros((8, 8, factor**2), bool)
    lung[:, :, : factor**2 // 2 + more] = True
    lung = np.random.default_rng(factor).permuted(lung, axis=2)
    side = 8 * factor
    mask = lung.reshape(8, 8, factor, factor).transpose(0, 2, 1, 3).reshape(side, side)
    np.testing.assert_array_equal(
        letterbox_mask(mask, Geometry.fit(side, side, 8)), covered(mask, 8, 8)
    )


def test_half_of_an_area_by_hand() -> None:
    mask = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    # Of the 2.25 pixels of each quarter of 3×3 in 2×2: 1 + 0.5 + 0.5, 0.5, 0.5, 0.
    np.testing.assert_array_equal(
        letterbox_mask(mask, Geometry.fit(3, 3, 2)), [[True, False], [False, False]]
    )
    np.testing.assert_array_equal(
        letterbox_mask(np.eye(4, dtype=bool), Geometry.fit(4, 4, 2)), np.eye(2, dtype=bool)
    )
