import csv
import hashlib

import cv2
import numpy as np
import pytest

from lungseg.phantoms import Phantom, draw, write, write_manifest
from lungseg.phantoms.curves import band, spline
from lungseg.phantoms.dataset import COLUMNS

SIZE = 160


@pytest.fixture(scope="module")
def films() -> list[Phantom]:
    return [draw(index, seed=3, size=SIZE) for index in range(60)]


def resized(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    height, width = like.shape
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_the_same_numbers_draw_the_same_film_in_any_order() -> None:
    first = draw(42, seed=7, size=SIZE)
    draw(5, seed=7, size=SIZE)
    again = draw(42, seed=7, size=SIZE)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert (first.case_id, first.finding, first.view) == (
        "phantom_00042",
        again.finding,
        again.view,
    )
    assert not np.array_equal(first.mask, draw(42, seed=8, size=SIZE).mask)


def test_the_film_does_not_depend_on_numpy_s_global_state() -> None:
    expected = draw(1, seed=0, size=96).image
    np.random.seed(99)
    np.testing.assert_array_equal(draw(1, seed=0, size=96).image, expected)


def test_another_size_shows_the_same_patient_and_disease() -> None:
    for index in range(6):
        small, large = draw(index, seed=0, size=128), draw(index, seed=0, size=384)
        assert (small.finding, small.view, small.age) == (large.finding, large.view, large.age)
        assert dice(resized(small.mask, large.mask), large.mask) > 0.95
        shrunk = cv2.resize(large.image, small.image.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.corrcoef(shrunk.ravel(), small.image.ravel())[0, 1] > 0.97


def test_shape_type_and_range(films: list[Phantom]) -> None:
    for film in films:
        assert film.image.dtype == np.uint8
        assert film.mask.dtype == np.bool_
        assert film.image.shape == film.mask.shape
        assert max(film.image.shape) == SIZE
        assert np.ptp(film.image) > 120
        assert film.image.flags.c_contiguous
        assert film.mask.flags.c_contiguous
    assert len({film.image.shape for film in films}) > 20


@pytest.mark.parametrize("size", [64, 96, 256])
def test_the_mask_is_two_lungs_right_and_left_of_the_heart(size: int) -> None:
    for index in range(40):
        mask = draw(index, seed=1, size=size).mask
        count, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        assert count == 3
        assert abs(centres[1, 0] - centres[2, 0]) > 0.25 * mask.shape[1]
        areas = stats[1:, cv2.CC_STAT_AREA]
        assert areas.min() > 0.35 * areas.max()
        assert 0.12 < mask.mean() < 0.4


def test_the_heart_lies_to_the_image_right() -> None:
    """The patient's left lung is the smaller one; here without disease, on most films."""
    smaller = []
    for index in range(60):
        film = draw(index, seed=2, size=128)
        if film.finding == "normal":
            _, _, stats, _ = cv2.connectedComponentsWithStats(film.mask.astype(np.uint8))
            right, left = sorted(stats[1:].tolist(), key=lambda lung: lung[cv2.CC_STAT_LEFT])
            smaller.append(left[cv2.CC_STAT_AREA] < right[cv2.CC_STAT_AREA])
    assert np.mean(smaller) > 0.8


def test_lungs_are_darker_than_what_surrounds_them(films: list[Phantom]) -> None:
    """Bright is dense: the rim just outside the mask is brighter than the rim just inside."""
    kernel = np.ones((7, 7), np.uint8)
    for film in films:
        area = film.mask.astype(np.uint8)
        outside = (cv2.dilate(area, kernel) > 0) & ~film.mask
        inside = film.mask & (cv2.erode(area, kernel) == 0)
        assert film.image[outside].mean() > film.image[inside].mean() + 5, film.case_id


def test_films_vary(films: list[Phantom]) -> None:
    assert len({hashlib.sha256(film.image.tobytes()).digest() for film in films}) == len(films)
    assert {film.finding for film in films} >= {"normal", "opacity", "effusion"}
    assert {film.view for film in films} == {"PA", "AP"}
    assert {film.sex for film in films} == {"F", "M"}
    assert np.std([film.age for film in films]) > 8
    assert np.std([film.image.mean() for film in films]) > 8
    assert np.std([film.mask.mean() for film in films]) > 0.02


def test_some_patients_have_two_films(films: list[Phantom]) -> None:
    patients: dict[str, list[Phantom]] = {}
    for film in films:
        patients.setdefault(film.patient_id, []).append(film)
    assert sorted({len(shown) for shown in patients.values()}) == [1, 2]
    assert len(patients) == 48
    for shown in patients.values():
        assert len({(film.sex, film.age) for film in shown}) == 1
        assert len({film.case_id for film in shown}) == len(shown)


def test_no_global_threshold_solves_them(films: list[Phantom]) -> None:
    """Even the best threshold of each film, found with its mask, stays far below a network."""
    best = []
    for film in films:
        lung = np.bincount(film.image[film.mask], minlength=256).cumsum()
        dark = np.bincount(film.image.ravel(), minlength=256).cumsum()
        best.append((2 * lung / (dark + film.mask.sum())).max())
    assert np.mean(best) < 0.8


def test_a_written_folder_reads_back(tmp_path) -> None:
    later = write(range(2, 4), str(tmp_path), seed=5, size=96)
    rows = later + write(range(2), str(tmp_path), seed=5, size=96)
    write_manifest(rows, str(tmp_path))
    with open(tmp_path / "manifest.csv", newline="") as stream:
        reader = csv.DictReader(stream)
        read = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert [row["case_id"] for row in read] == [f"phantom_{index:05d}" for index in range(4)]
    for index, row in enumerate(read):
        phantom = draw(index, seed=5, size=96)
        image = cv2.imread(str(tmp_path / row["image"]), cv2.IMREAD_UNCHANGED)
        mask = cv2.imread(str(tmp_path / row["mask"]), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, phantom.image)
        np.testing.assert_array_equal(mask, np.where(phantom.mask, 255, 0))
        assert row["patient_id"] == phantom.patient_id
        assert (row["sex"], row["age"]) == (phantom.sex, str(phantom.age))
        assert (row["finding"], row["view"]) == (phantom.finding, phantom.view)
        assert (row["source"], row["mask_convention"]) == ("phantoms", "heart-excluded")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "manifest.csv", "masks"]


def test_a_spline_passes_through_its_knots_and_a_band_keeps_its_width() -> None:
    knots = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    np.testing.assert_allclose(spline(knots)[::8], knots)
    np.testing.assert_allclose(spline(knots, closed=True)[::8], knots)
    one, other = band(np.array([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]), 0.5)
    np.testing.assert_allclose(one[:, 1] - other[:, 1], 0.5)
