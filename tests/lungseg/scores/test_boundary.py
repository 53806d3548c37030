from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from lungseg.scores import boundary, boundary_scores

SPACINGS = [None, (1.0, 1.0), (0.5, 0.5), (0.3, 0.7), (2.0, 0.143)]


def rectangle(rows: slice, columns: slice, size: int = 20) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask


def disk(row: float, column: float, radius: float, size: int = 60) -> np.ndarray:
    rows, columns = np.ogrid[:size, :size]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def test_boundary_of_a_square_is_its_rim() -> None:
    mask = rectangle(slice(2, 6), slice(2, 6))
    expected = mask.copy()
    expected[3:5, 3:5] = False
    assert (boundary(mask) == expected).all()


def test_boundary_runs_along_the_edge_of_the_film() -> None:
    assert boundary(np.ones((5, 5), bool)).sum() == 16


def test_diagonal_neighbour_outside_is_not_a_boundary() -> None:
    mask = np.ones((5, 5), bool)
    mask[0, 0] = False
    assert not boundary(mask)[1, 1]


def test_same_mask_is_at_no_distance() -> None:
    mask = disk(30, 30, 12)
    scores = boundary_scores(mask, mask, None)
    assert scores["boundary_unit"] == "px"
    assert [scores[name] for name in ("hd95", "assd", "nsd_2mm", "nsd_5mm")] == [0, 0, 1, 1]


def test_two_pixels_by_hand() -> None:
    # One pixel each, 3 rows and 4 columns apart: every distance is 5 px.
    prediction, reference = np.zeros((2, 12, 9), bool)
    prediction[1, 1] = reference[4, 5] = True
    scores = boundary_scores(prediction, reference, None)
    assert scores["hd95"] == scores["assd"] == 5
    assert (scores["nsd_2mm"], scores["nsd_5mm"]) == (0, 1)
    assert scores["hd95_percent"] == pytest.approx(100 * 5 / 15)  # diagonal of 12 × 9


def test_anisotropic_spacing_by_hand() -> None:
    # 3 rows of 0.5 mm and 4 columns of 2 mm: √(1.5² + 8²).
    prediction, reference = np.zeros((2, 12, 9), bool)
    prediction[1, 1] = reference[4, 5] = True
    scores = boundary_scores(prediction, reference, (0.5, 2.0))
    assert scores["boundary_unit"] == "mm"
    assert scores["hd95"] == pytest.approx(math.hypot(1.5, 8))
    assert scores["assd_percent"] == pytest.approx(100 * math.hypot(1.5, 8) / math.hypot(6, 18))


def test_lines_of_unequal_length_by_hand() -> None:
    # Boundaries: 1 pixel at column 0, against 5 pixels at columns 0…4 of the same row.
    # There: {0}. Back: {0, 1, 2, 3, 4}, whose 95th percentile is at rank 3.8 of 0…4.
    prediction = rectangle(slice(5, 6), slice(0, 1))
    reference = rectangle(slice(5, 6), slice(0, 5))
    scores = boundary_scores(prediction, reference, None)
    assert scores["hd95"] == pytest.approx(3.8)
    assert scores["assd"] == pytest.approx(10 / 6)  # pooled; a mean of two means would give 1
    assert scores["nsd_2mm"] == pytest.approx(4 / 6)
    assert scores["nsd_5mm"] == 1
    swapped = boundary_scores(reference, prediction, None)
    assert swapped == pytest.approx(scores)


def test_distance_of_exactly_the_tolerance_is_within_it() -> None:
    # 20 columns of 0.1 mm are 2.0000000000000004 mm in floating point when added up.
    prediction, reference = np.zeros((2, 3, 40), bool)
    prediction[1, 3] = reference[1, 23] = True
    assert boundary_scores(prediction, reference, (0.1, 0.1))["nsd_2mm"] == 1


def test_mask_cut_off_by_the_film() -> None:
    # Bars of 4 columns at the film's left and right edge, 20 rows: boundaries are their rims.
    # Column distances 16 between the bars; from the rim of the left to the nearest, column 16.
    left, right = rectangle(slice(0, 20), slice(0, 4)), rectangle(slice(0, 20), slice(16, 20))
    scores = boundary_scores(left, right, None)
    # Column 0: 20 pixels at 16; columns 1 and 2: 2 pixels each at 15, 14; column 3: 20 at 13.
    assert scores["assd"] == pytest.approx((20 * 16 + 2 * 15 + 2 * 14 + 20 * 13) / 44)
    assert scores["hd95"] == 16


def test_empty_prediction_is_a_diagonal_away() -> None:
    reference = rectangle(slice(2, 6), slice(2, 6))
    scores = boundary_scores(np.zeros_like(reference), reference, (0.3, 0.4))
    assert scores["hd95"] == scores["assd"] == pytest.approx(20 * 0.5)
    assert scores["nsd_2mm"] == scores["nsd_5mm"] == 0
    assert scores["hd95_percent"] == scores["assd_percent"] == pytest.approx(100)


def test_shifted_disk_is_never_further_than_the_shift() -> None:
    scores = boundary_scores(disk(30, 33, 15), disk(30, 30, 15), None)
    assert 2 < scores["hd95"] <= 3
    assert 1 < scores["assd"] < 3
    assert scores["nsd_5mm"] == 1


def independent(
    prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float] | None
) -> dict[str, float]:
    """The definitions again, with every distance written out: no tree, no OpenCV."""
    cross = ndimage.generate_binary_structure(2, 1)
    points = [
        np.argwhere(mask & ~ndimage.binary_erosion(mask, cross)) * (spacing or (1.0, 1.0))
        for mask in (prediction, reference)
    ]
    distances = cdist(*points)
    there, back = distances.min(axis=1), distances.min(axis=0)
    both = [*there, *back]
    return {
        "hd95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "assd": sum(both) / len(both),
        "nsd_2mm": sum(distance <= 2 + 1e-9 for distance in both) / len(both),
        "nsd_5mm": sum(distance <= 5 + 1e-9 for distance in both) / len(both),
    }


def random_mask(generator: np.random.Generator) -> np.ndarray:
    smooth = ndimage.gaussian_filter(generator.normal(size=(64, 80)), generator.uniform(0.5, 6))
    return smooth > np.quantile(smooth, generator.uniform(0.3, 0.9))


@pytest.mark.parametrize("number", range(50))
def test_random_masks_agree_with_an_independent_implementation(number: int) -> None:
    generator = np.random.default_rng(number)
    prediction, reference = random_mask(generator), random_mask(generator)
    spacing = SPACINGS[number % len(SPACINGS)]
    scores = boundary_scores(prediction, reference, spacing)
    for name, value in independent(prediction, reference, spacing).items():
        assert scores[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.filterwarnings("ignore:.*scipy.ndimage.*namespace:DeprecationWarning")
def test_deepmind_package_agrees_to_about_a_pixel() -> None:
    """Its boundary lies between the pixels and its elements carry a length: see the docstring."""
    metrics = pytest.importorskip("surface_distance", reason="a second opinion, not installed")
    for shift, radius in ((0, 15), (3, 15), (6, 12)):
        prediction, reference = disk(30, 30 + shift, radius), disk(30, 30, 15)
        theirs = metrics.compute_surface_distances(reference, prediction, (1.0, 1.0))
        scores = boundary_scores(prediction, reference, None)
        hd95 = metrics.compute_robust_hausdorff(theirs, 95)
        assd = np.mean(metrics.compute_average_surface_distance(theirs))
        assert scores["hd95"] == pytest.approx(hd95, abs=1)
        assert scores["assd"] == pytest.approx(assd, abs=1)
