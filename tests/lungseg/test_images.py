"""Pictures of every kind become 8-bit grey, or a reason; DICOM is in test_dicom.py."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from lungseg import images
from lungseg.errors import RejectedCase
from lungseg.images.decode import decode_picture
from lungseg.images.intensity import to_uint8
from lungseg.opencv import cv2

RAMP = np.add.outer(np.arange(40), 5 * np.arange(48)).astype(np.uint8)
"""40×48, all values from 0 to 255 that fit; its transpose differs."""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey(kind: str, **options: object) -> bytes:
    return encoded(Image.fromarray(RAMP), kind, **options)


def png(*chunks: tuple[bytes, bytes], header: bytes = b"") -> bytes:
    """A PNG of given chunks between its header (32×32, 8-bit grey) and its end."""
    header = header or struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    whole = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in whole
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_pixels_are_kept(kind: str) -> None:
    film = images.decode(grey(kind), f"a.{kind.lower()}")
    np.testing.assert_array_equal(film.pixels, RAMP)
    assert film.pixels.dtype == np.uint8
    assert film.pixels.flags.c_contiguous
    assert film.spacing_mm is None
    assert film.patient_id == ""


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_other_modes_give_the_same_grey(mode: str, kind: str) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    np.testing.assert_array_equal(images.decode(encoded(image, kind), "a").pixels, RAMP)


def test_transparency_is_ignored() -> None:
    alpha = np.zeros_like(RAMP)
    image = Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(alpha)])
    np.testing.assert_array_equal(images.decode(encoded(image, "PNG"), "a").pixels, RAMP)


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(RAMP > 100)
    expected = np.where(RAMP > 100, 255, 0)
    for kind in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(images.decode(encoded(image, kind), "a").pixels, expected)


def test_colours_become_luminance() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[:20, :, 0] = 255  # RGB: 0.299 × 255 = 76
    for kind in ("PNG", "TIFF", "BMP"):
        pixels = images.decode(encoded(Image.fromarray(red), kind), "a").pixels
        assert set(np.unique(pixels)) == {0, 76}


def test_jpeg_is_near_and_turned_upright_by_its_exif_tag() -> None:
    exif = Image.Exif()
    exif[274] = 6
    straight = images.decode(grey("JPEG", quality=95), "a.jpg").pixels
    turned = images.decode(grey("JPEG", quality=95, exif=exif), "a.jpg").pixels
    assert np.abs(straight.astype(int) - RAMP).max() <= 6
    np.testing.assert_array_equal(turned, np.rot90(straight, -1))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_pixels_are_scaled_by_their_own_range(bits: int, kind: str) -> None:
    values = np.arange(2**bits, step=2**bits // 1024, dtype=np.uint16).reshape(32, 32)
    pixels = images.decode(encoded(Image.fromarray(values), kind), "a").pixels.ravel()
    # The 0.5 % darkest and lightest of 1024 steps, 5.115 at each end, are clipped.
    expected = np.clip((np.arange(1024) - 5.115) / (1023 - 2 * 5.115), 0, 1) * 255
    assert np.abs(pixels - expected).max() <= 0.51


def test_deep_pixels_that_need_no_depth_are_kept() -> None:
    image = Image.fromarray(RAMP.astype(np.uint16))
    np.testing.assert_array_equal(images.decode(encoded(image, "PNG"), "a").pixels, RAMP)


def test_a_few_bright_pixels_do_not_decide_the_contrast() -> None:
    values = np.random.default_rng(0).integers(1000, 1100, (100, 100)).astype(np.uint16)
    values[0, :5] = 65535
    pixels = to_uint8(values)
    assert pixels[1:].min() == 0
    assert pixels[1:].std() > 60


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_signed_and_floating_levels(dtype: type) -> None:
    values = np.linspace(-1000, 1000, 10_000).reshape(100, 100).astype(dtype)
    pixels = to_uint8(values)
    assert pixels.dtype == np.uint8
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert abs(int(pixels[50, 0]) - 127) <= 1


def test_not_a_number_is_black() -> None:
    values = np.linspace(1, 2, 10_000, dtype=np.float32).reshape(100, 100)
    values[3, 3] = np.nan
    assert to_uint8(values)[3, 3] == 0


def test_big_endian_and_white_is_zero_tiff() -> None:
    values = np.arange(0, 4096, 4, dtype=np.uint16).reshape(32, 32)
    usual = images.decode(encoded(Image.fromarray(values), "TIFF"), "a.tif").pixels
    swapped = encoded(Image.frombytes("I;16B", (32, 32), values.astype(">u2").tobytes()), "TIFF")
    np.testing.assert_array_equal(images.decode(swapped, "a.tif").pixels, usual)
    inverted = encoded(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(images.decode(inverted, "a.tif").pixels, 255 - usual)


def test_sixteen_bit_colour_keeps_its_depth() -> None:
    values = np.arange(0, 4096, 4, dtype=np.uint16).reshape(32, 32)
    colour = np.repeat(values[:, :, None], 3, axis=2)
    for kind in (".png", ".tiff"):
        pixels = images.decode(cv2.imencode(kind, colour)[1].tobytes(), "a").pixels
        assert len(np.unique(pixels)) > 250


def test_jsrt_film_is_big_endian_and_inverted() -> None:
    stored = np.full((2048, 2048), 2000, ">u2")
    stored[:1024] = 100  # less light reached the film: bone, so white
    film = images.decode(stored.tobytes(), "All247images/JPCLN001.IMG")
    assert (film.pixels[:1024] == 255).all()
    assert (film.pixels[1024:] == 0).all()
    assert film.spacing_mm == (0.175, 0.175)


def test_a_stray_first_pixel_of_a_jsrt_film_changes_no_other() -> None:
    ramp = np.linspace(300, 3900, 2048).astype(">u2")
    stored = np.repeat(ramp[None], 2048, axis=0)
    usual = images.decode(stored.tobytes(), "a.img").pixels
    for stray in (0, 2048, 4095):
        stored[0, 0] = stray
        film = images.decode(stored.tobytes(), "a.img").pixels
        assert np.abs(film.ravel()[1:] - usual.ravel()[1:].astype(int)).max() <= 1


def test_jsrt_film_of_another_size_or_depth_is_rejected() -> None:
    with pytest.raises(RejectedCase, match="1000 bytes"):
        images.decode(b"\1" * 1000, "a.IMG")
    with pytest.raises(RejectedCase, match="12 bits"):
        images.decode(b"\xff\xff" * 2048**2, "a.img")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (bytes(5000), "only zeros"),
        (b"these are words", "no PNG"),
        (b"<html>404</html>", "no PNG"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
    ],
)
def test_what_is_no_image_is_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(RejectedCase, match=reason):
        images.decode(data, "film.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated_files_are_rejected(
    kind: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    with pytest.raises(RejectedCase):
        images.decode(whole[: int(len(whole) * share)], "a")
    with pytest.raises(RejectedCase):
        images.decode(whole[: int(len(whole) * share)] + bytes(100), "a")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_damaged_tiff_is_rejected_quietly(
    compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    whole = bytearray(encoded(Image.fromarray(noise), "TIFF", compression=compression))
    for start in (200, 1000, len(whole) // 2):
        damaged = bytes(whole[:start]) + b"\xff" * 200 + bytes(whole[start + 200 :])
        with contextlib.suppress(RejectedCase):
            images.decode(damaged, "a.tif")
    assert capfd.readouterr() == ("", "")


def test_damaged_png_is_rejected_by_its_checksum() -> None:
    whole = bytearray(grey("PNG"))
    whole[len(whole) // 2] ^= 1
    with pytest.raises(RejectedCase, match="checksum of chunk IDAT"):
        images.decode(bytes(whole), "a.png")


def test_too_little_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr("lungseg.images.png.decode_image_png_u8", full)
    with pytest.raises(RejectedCase, match="needs more memory"):
        images.decode(grey("PNG"), "a.png")


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("filters", [(0,), (1,), (0, 1), (2,), (4,), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("width", [32, 33, 257])
def test_grey_png_is_decoded_as_opencv_does(
    depth: int, filters: tuple[int, ...], width: int
) -> None:
    random = np.random.default_rng(width)
    lines = random.integers(0, 256, (40, 1 + width * depth // 8), dtype=np.uint8)
    lines[:, 0] = random.choice(filters, 40)
    packed = zlib.compress(lines.tobytes())
    header = struct.pack(">IIBBBBB", width, 40, depth, 0, 0, 0, 0)
    data = png((b"IDAT", packed[:99]), (b"IDAT", packed[99:]), header=header)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    decoded = decode_picture(data)
    assert decoded.dtype == expected.dtype
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("filters", [1, 4, 5])
def test_png_with_a_false_line_or_missing_lines_is_rejected(filters: int) -> None:
    lines = np.full((32, 33), filters, np.uint8)
    if filters < 5:
        lines = lines[:20]
    with pytest.raises(RejectedCase, match="cannot be decompressed"):
        images.decode(png((b"IDAT", zlib.compress(lines.tobytes()))), "a.png")


@pytest.mark.parametrize("tail", [b"\x60\x82", b"\0" * 4, b"words after the end"])
def test_what_follows_the_end_of_a_png_is_ignored(tail: bytes) -> None:
    for image in (Image.fromarray(RAMP), Image.fromarray(RAMP).convert("RGB")):
        pixels = images.decode(encoded(image, "PNG") + tail, "a.png").pixels
        np.testing.assert_array_equal(pixels, RAMP)


def test_png_without_pixels_is_rejected() -> None:
    with pytest.raises(RejectedCase, match="no pixels"):
        images.decode(png(), "a.png")
    with pytest.raises(RejectedCase, match="pixel format"):
        images.decode(png(header=struct.pack(">IIBBBBB", 32, 32, 3, 0, 0, 0, 0)), "a.png")


def test_broken_colour_profile_does_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    pixels = zlib.compress(b"".join(b"\0" + bytes(range(32)) for _ in range(32)))
    data = png((b"iCCP", b"x\0\0broken"), (b"tRNS", b"?"), (b"IDAT", pixels))
    assert images.decode(data, "a.png").pixels[0, 31] == 31
    assert capfd.readouterr() == ("", "")


def test_small_and_blank_images_are_rejected() -> None:
    with pytest.raises(RejectedCase, match="16×40 pixels"):
        images.decode(encoded(Image.fromarray(RAMP[:, :16]), "PNG"), "a.png")
    for dtype in (np.uint8, np.uint16):
        with pytest.raises(RejectedCase, match="blank"):
            images.decode(encoded(Image.fromarray(np.full((40, 40), 7, dtype)), "PNG"), "a.png")


def bombs() -> dict[str, bytes]:
    """Headers that promise 60 000×60 000 pixels."""
    tiff = bytearray(grey("TIFF"))
    bmp = bytearray(grey("BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    gif = bytearray(grey("GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    entry = tiff.find(struct.pack("<HH", 256, 4))
    tiff[entry + 8 : entry + 12] = struct.pack("<I", 60_000)
    tiff[entry + 20 : entry + 24] = struct.pack("<I", 60_000)
    jpeg = bytearray(grey("JPEG"))
    frame = jpeg.find(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    zeros = zlib.compress(bytes(10_000_000), 9)
    big = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return {
        "png": png((b"IDAT", zeros), header=big),
        "tiff": bytes(tiff),
        "bmp": bytes(bmp),
        "gif": bytes(gif),
        "jpeg": bytes(jpeg),
    }


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp", "gif", "jpeg"])
def test_bombs_are_refused_before_decoding(kind: str) -> None:
    with pytest.raises(RejectedCase, match=r"megapixels|unknown kind|damaged"):
        images.decode(bombs()[kind], f"a.{kind}")


def test_decoded_size_is_bounded() -> None:
    header = struct.pack(">IIBBBBB", 7_000, 7_000, 16, 6, 0, 0, 0)
    with pytest.raises(RejectedCase, match="392 MB decoded"):
        images.decode(png((b"IDAT", b""), header=header), "a.png")


def test_files_made_to_keep_the_decoder_busy_are_refused() -> None:
    pixels = zlib.compress(bytes(33 * 32))
    with pytest.raises(RejectedCase, match="more than 100,000 chunks"):
        images.decode(png(*[(b"IDAT", b"")] * 100_001, (b"IDAT", pixels)), "a.png")
    bmp = bytearray(grey("BMP"))
    bmp[18:26], bmp[30] = struct.pack("<ii", 2500, 2500), 1
    with pytest.raises(RejectedCase, match="compressed by run lengths"):
        images.decode(bytes(bmp), "a.bmp")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_many_strips_is_refused(order: str, big: bool) -> None:
    mark = b"II" if order == "<" else b"MM"
    if big:
        start = struct.pack(order + "HHHQ", 43, 8, 0, 16)
        directory = struct.pack(order + "QHHQQ", 1, 273, 4, 300_000, 16)
    else:
        start = struct.pack(order + "HI", 42, 8)
        directory = struct.pack(order + "HHHII", 1, 273, 4, 300_000, 8)
    with pytest.raises(RejectedCase, match="cut into 300,000 strips"):
        images.decode(mark + start + directory, "a.tif")
    with pytest.raises(RejectedCase, match="directory lies outside"):
        images.decode(mark + start + directory[:-9], "a.tif")


def test_several_frames_are_rejected() -> None:
    frames = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    for kind in ("GIF", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(RejectedCase, match="holds several images"):
            images.decode(data, "a")


@pytest.mark.timeout(20)
def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zeros.png"):
        with pytest.raises(OSError, match="no regular file"):
            images.read(str(tmp_path / name))


def test_read_takes_a_path_and_bounds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "with space.png"
    path.write_bytes(grey("PNG"))
    np.testing.assert_array_equal(images.read(str(path)).pixels, RAMP)
    huge = tmp_path / "huge.png"
    with huge.open("wb") as stream:
        stream.truncate(300_000_000)
    with pytest.raises(RejectedCase, match="300 MB"):
        images.read(str(huge))
    with pytest.raises(OSError, match="No such file"):
        images.read(str(tmp_path / "absent.png"))


def test_real_films(originals: Path, real_cases: Path) -> None:
    assert images.read(str(originals / "cxr_gray_2000.jpg")).pixels.shape == (2000, 2000)
    colour = images.read(str(originals / "cxr_rgb_progressive.jpg")).pixels
    assert colour.shape == (2244, 2412)
    assert 100 < colour.mean() < 150
    for path in sorted((real_cases / "images").iterdir())[::50]:
        expected = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(images.read(str(path)).pixels, expected)


SEEDS = [
    *(grey(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF")),
    grey("JPEG", progressive=True),
    grey("TIFF", compression="tiff_lzw"),
    encoded(Image.fromarray(RAMP.astype(np.uint16) * 16), "PNG"),
    encoded(Image.fromarray(RAMP).convert("P"), "PNG"),
    encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF", compression="tiff_adobe_deflate"),
]


@settings(max_examples=300, deadline=5000, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
@example(SEEDS[0], [], 0)
def test_any_bytes_give_an_image_or_a_reason(
    seed: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(seed)
    for position, value in changes:
        data[position % len(data)] = value
    try:
        film = images.decode(bytes(data[: cut or None]), "a.png")
    except RejectedCase:
        return
    assert film.pixels.dtype == np.uint8
    assert min(film.pixels.shape) >= 32


@settings(max_examples=200, deadline=5000)
@given(st.binary(max_size=300), st.sampled_from(["a.png", "a.dcm", "a.img", "a"]))
def test_random_bytes_give_a_reason(data: bytes, name: str) -> None:
    with pytest.raises(RejectedCase):
        images.decode(data, name)


def test_decode_picture_keeps_depth_and_channels() -> None:
    assert decode_picture(encoded(Image.fromarray(RAMP).convert("RGB"), "PNG")).shape == (40, 48, 3)
    deep = encoded(Image.fromarray(RAMP.astype(np.uint16)), "PNG")
    assert decode_picture(deep).dtype == np.uint16
