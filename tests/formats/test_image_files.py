"""Pictures of every form: the same pixels, however they were stored."""

from __future__ import annotations

import io
from collections.abc import Callable

import imageio.v3 as iio
import numpy as np
import pytest
from builders import by_pillow, draw_image, png_of_16_bits, tiff
from PIL import Image

from wsstools.formats.image_files import decode_image, encode_image


def wide(values: np.ndarray) -> np.ndarray:
    """The same in 16 bits: 0..255 becomes 0..65535."""
    return values.astype(np.uint16) * np.uint16(257)


def coloured(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def with_alpha(values: np.ndarray) -> np.ndarray:
    """A plane of alpha behind, which varies."""
    return np.dstack([values, np.roll(values if values.ndim == 2 else values[:, :, 0], 3, axis=1)])


def png(values: np.ndarray) -> bytes:
    return by_pillow(values, "PNG")


def tiff_of(values: np.ndarray, **options: object) -> bytes:
    photometric = "rgb" if values.ndim == 3 and values.shape[2] > 2 else "minisblack"
    return tiff(values, photometric=photometric, **options)


GREY: dict[str, Callable[[np.ndarray], bytes]] = {
    "8.png": png,
    "8-rgb.png": lambda grey: png(coloured(grey)),
    "8-alpha.png": lambda grey: png(with_alpha(grey)),
    "16.png": lambda grey: png(wide(grey)),
    "16-rgb.png": lambda grey: png_of_16_bits(wide(coloured(grey))),
    "8.tif": tiff_of,
    "8-deflated.tiff": lambda grey: by_pillow(grey, "TIFF", compression="tiff_adobe_deflate"),
    "16.tif": lambda grey: tiff_of(wide(grey)),
    "16-big-endian.tif": lambda grey: tiff_of(wide(grey), byteorder=">"),
    "16-rgb.tif": lambda grey: tiff_of(wide(coloured(grey))),
    "16-rgba.tif": lambda grey: tiff_of(
        wide(with_alpha(coloured(grey))), extrasamples=["unassalpha"]
    ),
    "8.bmp": lambda grey: by_pillow(grey, "BMP"),
    "8.gif": lambda grey: by_pillow(grey, "GIF"),
    "8.webp": lambda grey: by_pillow(coloured(grey), "WEBP", lossless=True),
    "8.pgm": lambda grey: by_pillow(grey, "PPM"),
    "16.pgm": lambda grey: (
        b"P5 %d %d 65535\n" % grey.shape[::-1] + wide(grey).astype(">u2").tobytes()
    ),
}


def grey_picture() -> np.ndarray:
    """(H, W) uint8 with all of 0..255 in use."""
    return draw_image(0)[0].mean(axis=2).round().astype(np.uint8)


@pytest.mark.parametrize("name", GREY)
def test_a_grey_picture_reads_the_same_from_every_file(name):
    grey = grey_picture()
    found = decode_image(GREY[name](grey), name).value
    assert found.dtype == (np.float32 if "16" in name else np.uint8)
    np.testing.assert_array_equal(found, coloured(grey))


@pytest.mark.parametrize("name", ["8.png", "8-alpha.png", "16.png", "8.tif", "16.tif"])
def test_colours_stay_in_their_planes(name):
    image, _, _ = draw_image(1)
    encode = {
        "8.png": png,
        "8-alpha.png": lambda rgb: png(with_alpha(rgb)),
        "16.png": lambda rgb: png_of_16_bits(wide(rgb)),
        "8.tif": tiff_of,
        "16.tif": lambda rgb: tiff_of(wide(rgb)),
    }[name]
    np.testing.assert_array_equal(decode_image(encode(image), name).value, image)


def test_16_bits_keep_what_8_bits_cannot_hold():
    values = np.arange(256 * 24, dtype=np.uint16).reshape(64, 96) * 10
    for encode, name in ((png, "a.png"), (tiff_of, "a.tif")):
        found = decode_image(encode(values), name).value
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[:, :, 1] * 257, values, rtol=1e-6)
        assert len(np.unique(found)) == values.size


def test_a_turned_picture_stands_upright():
    grey = grey_picture()
    for quarter_turns, orientation in ((0, 1), (-1, 6), (2, 3), (1, 8)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for values in (grey, wide(grey)):
            found = decode_image(by_pillow(values, "PNG", exif=exif), "a.png").value
            np.testing.assert_array_equal(found, np.rot90(coloured(grey), quarter_turns))


def test_images_of_all_depths_become_rgb():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (12, 17, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(encode_image(rgb), "x.png").value, rgb)
    grey = iio.imwrite("<bytes>", rgb[:, :, 0], extension=".png")
    np.testing.assert_array_equal(
        decode_image(grey, "x.png").value, np.repeat(rgb[:, :, :1], 3, axis=2)
    )
    deep = (rgb[:, :, 0].astype(np.uint16) * 257) + 100
    for extension in (".png", ".tif"):
        data = iio.imwrite("<bytes>", deep, extension=extension)
        value = decode_image(data, "x" + extension).value
        assert value.dtype == np.float32
        np.testing.assert_allclose(value[:, :, 1], deep / 257, rtol=1e-6)
    alpha = np.dstack([rgb, np.full((12, 17), 7, np.uint8)])
    data = iio.imwrite("<bytes>", alpha, extension=".png")
    np.testing.assert_array_equal(decode_image(data, "x.png").value, rgb)


def test_images_are_turned_as_exif_says():
    picture = Image.fromarray(np.zeros((10, 20, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue(), "x.jpg").value.shape == (20, 10, 3)
