"""Masks of every kind become one boolean array, or a reason."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from lungseg import rle
from lungseg.case import Case
from lungseg.errors import RejectedCase
from lungseg.masks import binarise, read_mask

LEFT = np.zeros((50, 40), bool)
LEFT[10:40, 5:15] = True
RIGHT = np.zeros((50, 40), bool)
RIGHT[10:40, 22:35] = True
BOTH = LEFT | RIGHT


def write(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> str:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return str(path)


def mask_of(*paths: str, size: tuple[int, int] = (50, 40), **fields: Any) -> np.ndarray:
    return read_mask(Case(case_id="a", image="a.png", masks=paths, **fields), *size)


@pytest.mark.parametrize("lung", [1, 2, 76, 127, 128, 255])
def test_two_values_are_background_and_lung(lung: int) -> None:
    np.testing.assert_array_equal(binarise((BOTH * lung).astype(np.uint8)), BOTH)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_two_values_of_another_type(dtype: type) -> None:
    np.testing.assert_array_equal(binarise(BOTH.astype(dtype)), BOTH)


def test_of_three_values_the_middle_is_background() -> None:
    values = np.where(BOTH, 255, 0).astype(np.uint8)
    values[0, :20] = 127
    np.testing.assert_array_equal(binarise(values), BOTH)


def test_jpeg_noise_and_soft_edges_are_cut_at_127() -> None:
    stream = io.BytesIO()
    Image.fromarray((BOTH * 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    values = np.array(Image.open(stream))
    assert len(np.unique(values)) > 5
    assert (binarise(values) != BOTH).mean() < 0.01


@pytest.mark.parametrize(
    ("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.uint16, 255), (np.float32, 1)]
)
def test_soft_edges_are_cut_at_the_middle_of_every_type(dtype: type, white: float) -> None:
    soft = BOTH.astype(np.float64)
    soft[10, 5:15] = np.linspace(0.02, 0.98, 10)
    expected = BOTH.copy()
    expected[10, 5:15] = np.linspace(0.02, 0.98, 10) > 0.5
    np.testing.assert_array_equal(binarise((soft * white).astype(dtype)), expected)


def test_a_mask_without_numbers_in_some_pixels() -> None:
    values = BOTH.astype(np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    np.testing.assert_array_equal(binarise(values), BOTH)


def test_labels_and_photographs_are_no_masks() -> None:
    labels = LEFT + 2 * RIGHT.astype(np.uint8)
    with pytest.raises(RejectedCase, match=r"values 0, 1, 2, .* use 0 and 255"):
        binarise(labels.astype(np.uint8))
    for left, right in ((20000, 40000), (2000, 1000)):
        values = (LEFT * left + RIGHT * right).astype(np.uint16)
        with pytest.raises(RejectedCase, match=f"values to {max(left, right)}, .* use 0 and 255"):
            binarise(values)
    photograph = np.random.default_rng(0).integers(0, 256, (50, 40), dtype=np.uint8)
    with pytest.raises(RejectedCase, match="256 grey levels"):
        binarise(photograph)
    with pytest.raises(RejectedCase, match="grey levels"):
        binarise(photograph.astype(np.uint16) * 257)
    with pytest.raises(RejectedCase, match="grey levels"):
        binarise((photograph / 255).astype(np.float32))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_modes_of_mask_files(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray((BOTH * 255).astype(np.uint8))
    path = write(tmp_path / f"a.{ending}", image.convert(mode))
    np.testing.assert_array_equal(mask_of(path), BOTH)


def test_coloured_lung_and_coloured_palette(tmp_path: Path) -> None:
    colour = np.zeros((50, 40, 3), np.uint8)
    colour[LEFT, 0], colour[RIGHT, 2] = 255, 255
    np.testing.assert_array_equal(mask_of(write(tmp_path / "rgb.png", colour)), BOTH)
    palette = Image.fromarray(BOTH.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    np.testing.assert_array_equal(mask_of(write(tmp_path / "p.gif", palette)), BOTH)


def test_left_and_right_are_joined_by_or(tmp_path: Path) -> None:
    overlapping = RIGHT | LEFT
    paths = [
        write(tmp_path / "left.png", (LEFT * 255).astype(np.uint8)),
        write(tmp_path / "right.png", (overlapping * 255).astype(np.uint8)),
    ]
    np.testing.assert_array_equal(mask_of(*paths), BOTH)


def test_one_of_two_masks_may_be_empty(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "left.png", (LEFT * 255).astype(np.uint8)),
        write(tmp_path / "right.png", np.zeros((50, 40), np.uint8)),
    ]
    np.testing.assert_array_equal(mask_of(*paths), LEFT)


def test_empty_and_inverted_masks_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(RejectedCase, match="the mask is empty"):
        mask_of(write(tmp_path / "a.png", np.zeros((50, 40), np.uint8)))
    with pytest.raises(RejectedCase, match="lung must be the bright value"):
        mask_of(write(tmp_path / "a.png", (~BOTH * 255).astype(np.uint8)))
    with pytest.raises(RejectedCase, match="no mask"):
        mask_of()


def test_another_size_is_rejected_with_both_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", (BOTH * 255).astype(np.uint8))
    with pytest.raises(RejectedCase, match="mask is 40×50 pixels and its image 80×100"):
        mask_of(path, size=(100, 80))


def test_another_size_is_resized_by_nearest_where_the_layout_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", (BOTH * 255).astype(np.uint8))
    expected = BOTH.repeat(2, axis=0).repeat(2, axis=1)
    actual = mask_of(path, size=(100, 80), mask_resize=True)
    assert actual.dtype == bool
    np.testing.assert_array_equal(actual, expected)


def test_unreadable_mask_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(RejectedCase, match=r"mask bad\.png: the file is no PNG"):
        mask_of(str(tmp_path / "bad.png"))
    with pytest.raises(RejectedCase, match=r"mask gone\.png cannot be read: No such file"):
        mask_of(str(tmp_path / "gone.png"))


def test_run_lengths_are_joined_and_belong_to_a_size() -> None:
    texts = (rle.encode(LEFT), rle.encode(RIGHT))
    np.testing.assert_array_equal(mask_of(mask_rle=texts), BOTH)
    np.testing.assert_array_equal(mask_of(mask_rle=texts, mask_size=(50, 40)), BOTH)
    with pytest.raises(RejectedCase, match="mask is 80×100 pixels and its image 40×50"):
        mask_of(mask_rle=texts, mask_size=(100, 80))


def darwin(*annotations: dict[str, Any]) -> dict[str, Any]:
    image = {"width": 40, "height": 50, "filename": "a.png"}
    return {"image": image, "annotations": list(annotations)}


def square(left: float, top: float, right: float, bottom: float) -> list[dict[str, float]]:
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [{"x": x, "y": y} for x, y in corners]


def test_darwin_polygons_are_drawn_with_their_holes(tmp_path: Path) -> None:
    document = darwin(
        {"name": "Lung", "polygon": {"path": square(5, 10, 14, 39)}},
        {
            "name": "Lung",
            "complex_polygon": {"path": [square(22, 10, 34, 39), square(25, 15, 30, 20)]},
        },
        {"name": "Heart", "polygon": {"path": square(0, 0, 39, 49)}},
        {"name": "COVID-19", "tag": {}},
    )
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    mask = mask_of(str(path))
    hole = np.zeros_like(BOTH)
    hole[16:20, 26:30] = True
    np.testing.assert_array_equal(mask, BOTH & ~hole)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (darwin({"name": "Heart", "polygon": {"path": square(1, 1, 9, 9)}}), "no polygon named"),
        ({"annotations": []}, "no Darwin JSON"),
        ([], "no Darwin JSON"),
        (darwin({"name": "Lung", "polygon": {"path": [{"x": 1}]}}), "no Darwin JSON"),
        ({"image": {"width": 10**6, "height": 10**6}, "annotations": []}, "1000000×1000000 pixels"),
        (darwin(*[{"name": "Lung", "polygon": {"path": square(1, 1, 9, 9)}}] * 65), "65 lungs of"),
        (darwin({"name": "Lung", "polygon": {"path": square(1, 1, 9, 9) * 20_000}}), "80000 cor"),
    ],
)
def test_other_json_is_rejected(tmp_path: Path, document: Any, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(RejectedCase, match=reason):
        mask_of(str(path))


def polygon_file(*corners: tuple[float, float], height: float = 50) -> bytes:
    path = [{"x": x, "y": y} for x, y in corners]
    lung = {"name": "Lung", "polygon": {"path": path}}
    size = {"width": 40, "height": height, "filename": "a.png"}
    return json.dumps({"image": size, "annotations": [lung]}).encode()


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(BOTH).convert("L").save(stream, kind)
    return stream.getvalue()


SEEDS = {
    **{f"a.{kind.lower()}": encoded(kind) for kind in ("PNG", "GIF", "TIFF", "BMP", "JPEG")},
    "a.json": polygon_file((5, 10), (15, 10), (15, 40)),
}


@settings(max_examples=300, deadline=5000, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
@example("a.png", [], 0)
@example("a.json", [], 0)
def test_any_bytes_give_a_mask_or_a_reason(
    tmp_path: Path, name: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(SEEDS[name])
    for position, value in changes:
        data[position % len(data)] = value
    (tmp_path / name).write_bytes(data[: cut or None])
    try:
        mask = mask_of(str(tmp_path / name))
    except RejectedCase:
        return
    assert mask.shape == (50, 40)
    assert mask.dtype == bool
    assert mask.any()


@pytest.mark.parametrize(
    "data",
    [
        polygon_file((5, 10), (1e300, 10), (15, 40)),
        polygon_file((5, 10), (-3e9, 10), (15, 40)),
        polygon_file((5, 10), (float("nan"), 10), (15, 40)),
        polygon_file((5, 10), (15, 40), height=float("inf")),
    ],
)
def test_numbers_no_polygon_can_have(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(RejectedCase, match="no Darwin JSON"):
        mask_of(str(tmp_path / "a.json"))
