"""Pictures of every form: the same pixels, however they were stored."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from builders import by_pillow, draw_image, png_chunk, png_of_16_bits, tiff
from PIL import Image

from wsstools.errors import DataError
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


def test_a_turned_picture_is_upright():
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


def tiff_pages(*pages: tuple[np.ndarray, dict], **options: object) -> bytes:
    """A TIFF of several pictures, each with options of its own."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for values, more in pages:
            writer.write(values, metadata=None, **more)
    return file.getvalue()


RGB = draw_image(1)[0]
THUMBNAIL = np.ascontiguousarray(RGB[::4, ::4])
IS_RGB = {"photometric": "rgb"}
FIRST: dict[str, tuple[bytes, str | None]] = {
    "thumbnail first": (
        tiff_pages((THUMBNAIL, {**IS_RGB, "subfiletype": 1}), (RGB, IS_RGB)), None
    ),
    "thumbnail last": (
        tiff_pages((RGB, IS_RGB), (THUMBNAIL, {**IS_RGB, "subfiletype": 1})), None
    ),
    "mask first": (
        tiff_pages(
            (RGB[:, :, 0] > 99, {"photometric": "mask", "subfiletype": 4}), (RGB, IS_RGB)
        ),
        None,
    ),
    "pages": (tiff(np.stack([RGB, RGB[::-1], RGB]), **IS_RGB), "the first of 3 pictures"),
    "deflated pages": (
        tiff(np.stack([RGB, RGB[::-1]]), compression="zlib", **IS_RGB), "the first of 2 pictures"
    ),
    "pages of other sizes": (
        tiff_pages((RGB, IS_RGB), (RGB[:9], IS_RGB)), "the first of 2 pictures"
    ),
    "pages by Pillow": (
        by_pillow(
            Image.fromarray(RGB), "TIFF", save_all=True, compression="tiff_lzw",
            append_images=[Image.fromarray(RGB[::-1].copy())],
        ),
        "the first of 2 pictures",
    ),
    "frames": (
        by_pillow(
            Image.fromarray(RGB), "PNG", save_all=True,
            append_images=[Image.fromarray(RGB[::-1].copy())],
        ),
        "the first of 2 pictures",
    ),
    "planes of ImageJ": (
        tiff(np.moveaxis(RGB, -1, 0), imagej=True, metadata={"axes": "CYX"}), None
    ),
    "planes of ImageJ in a stack": (
        tiff(np.stack([np.moveaxis(RGB, -1, 0)] * 2), imagej=True, metadata={"axes": "ZCYX"}),
        "the first of 2 pictures",
    ),
    "planes of OME": (
        tiff(np.moveaxis(RGB, -1, 0), ome=True, photometric="minisblack", metadata={"axes": "CYX"}),
        None,
    ),
    "separate planes": (
        tiff(np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"), None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_the_first_full_picture_of_a_file_is_read(name):
    data, note = FIRST[name]
    found = decode_image(data, "a")
    np.testing.assert_array_equal(found.value, RGB)
    assert found.note == (note and f"took {note} in the file")


def test_a_file_of_ome_reads_no_other_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("other.ome.tif", RGB[:, :, 1], ome=True)
    with tifffile.TiffFile("other.ome.tif") as file:
        text = file.ome_metadata
    text = text.replace('SizeC="1"', 'SizeC="3"', 1)
    block = (
        '<TiffData FirstC="{}" IFD="0"><UUID FileName="other.ome.tif">urn:uuid:{}</UUID></TiffData>'
    )
    parts = "".join(block.format(c, f"00000000-0000-0000-0000-00000000000{c}") for c in range(3))
    text, changed = re.subn(r"<TiffData.*?(/>|</TiffData>)", parts, text, count=1)
    assert changed
    data = tiff(RGB[:, :, 0], description=text, metadata=None)
    found = decode_image(data, "a.ome.tif").value
    np.testing.assert_array_equal(found, coloured(RGB[:, :, 0]))


def lzw(values: np.ndarray, *, bits: int = 16, **tags: int) -> bytes:
    """A TIFF compressed by LZW, from the codes as its definition has them: 9 bits, no gain."""
    raw = values.tobytes()
    codes = []
    for start in range(0, len(raw), 200):  # before the table outgrows 9 bits
        codes += [256, *raw[start : start + 200]]
    text = "".join(f"{code:09b}" for code in [*codes, 257])
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    packed = bytes(int(text[k : k + 8], 2) for k in range(0, len(text), 8))
    n_samples = values.shape[2] if values.ndim == 3 else 1
    order = ">" if values.dtype.byteorder == ">" else "<"
    entries = {
        256: (3, tags.get("width", values.shape[1])), 257: (3, values.shape[0]), 258: (3, bits),
        259: (3, 5), 262: (3, 2 if n_samples > 2 else 1), 273: (4, 0), 277: (3, n_samples),
        278: (3, values.shape[0]), 279: (4, len(packed)), 339: (3, tags.get("sample", 1)),
    }  # fmt: skip
    place = 8 + 2 + 12 * len(entries) + 4
    more = b""
    if n_samples > 1:
        more = struct.pack(f"{order}{n_samples}H", *[bits] * n_samples)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    listed = struct.pack(order + "H", len(entries))
    for tag, (kind, value) in entries.items():
        count = 1
        if tag == 258 and n_samples > 1:
            kind, count, value = 3, n_samples, place
        if tag == 273:
            value = place + len(more)
        is_short = kind == 3 and count == 1
        listed += struct.pack(order + "HHI", tag, kind, count)
        listed += struct.pack(
            order + ("HH" if is_short else "I"), *([value, 0] if is_short else [value])
        )
    return head + listed + struct.pack(order + "I", 0) + more + packed


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("n_samples", [1, 3, 4])
def test_lzw_of_16_bits_keeps_both_bytes(order, n_samples):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (12, 17, n_samples)).astype(f"{order}u2")
    data = lzw(values if n_samples > 1 else values[:, :, 0])
    found = decode_image(data, "a.tif").value
    expected = values[:, :, :3] if n_samples > 1 else np.repeat(values, 3, axis=2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found * 257, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["deflated with differences", "lzw by Pillow"])
def test_compressed_tiff_of_16_bits(name):
    values = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    data = {
        "deflated with differences": lambda: tiff(values, compression="zlib", predictor=True),
        "lzw by Pillow": lambda: by_pillow(values, "TIFF", compression="tiff_lzw"),
    }[name]()
    np.testing.assert_allclose(decode_image(data, "a.tif").value[:, :, 2] * 257, values, rtol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 3])
def test_floats_from_0_to_1_are_black_to_white(n_samples):
    values = np.linspace(0, 1, 12 * 10 * n_samples, dtype=np.float32)
    values = values.reshape(12, 10, n_samples) if n_samples > 1 else values.reshape(12, 10)
    data = tiff(values, photometric="rgb" if n_samples > 1 else "minisblack")
    found = decode_image(data, "a.tif").value
    assert found.dtype == np.float32
    expected = values if n_samples > 1 else coloured(values)
    np.testing.assert_allclose(found, expected * 255, rtol=1e-6)
    wide = lzw(values, bits=32, sample=3) if n_samples == 1 else data
    np.testing.assert_allclose(decode_image(wide, "a.tif").value, expected * 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (0.0, 255.0, "from 0 to 255, expected 0 to 1 .* --window 0,255 "),
        (-1000.0, 400.0, "from -1000 to 400, expected 0 to 1 .* --window -1000,400 "),
        (0.0, np.nan, "not finite"),
    ],
)
def test_floats_of_another_range_are_refused(low, high, message):
    values = np.full((4, 5), low, np.float32)
    values[1, 2] = high
    with pytest.raises(DataError, match=f"^a.tif: .*{message}"):
        decode_image(tiff(values), "a.tif")


@pytest.mark.parametrize(("brightest", "bits"), [(255, 8), (1000, 10), (4095, 12), (4096, None)])
@pytest.mark.parametrize("encode", [png, tiff_of])
def test_16_bits_that_hold_fewer_are_reported(encode, brightest, bits):
    values = np.zeros((6, 7), np.uint16)
    values[2, 3] = brightest
    found = decode_image(encode(values), "a")
    np.testing.assert_allclose(found.value[2, 3] * 257, brightest, rtol=1e-6)
    if bits is None:
        assert found.note is None
    else:
        assert f"brightest value is {brightest} of 65535, as in data of {bits} bits" in found.note
        assert f"--window 0,{2**bits - 1} " in found.note


def test_a_black_picture_of_16_bits_is_no_cause_for_a_note():
    assert decode_image(png(np.zeros((6, 7), np.uint16)), "a").note is None


def png_with(kind: bytes, content: bytes) -> bytes:
    """A picture in RGB with one more chunk after its first."""
    data = by_pillow(draw_image(0)[0], "PNG")
    return data[:33] + png_chunk(kind, content) + data[33:]


LARGE = b"a photograph " * 400_000
LARGE_CHUNKS = {
    "colour profile": (b"iCCP", b"profile\0\0" + zlib.compress(LARGE)),
    "text": (b"zTXt", b"Comment\0\0" + zlib.compress(LARGE)),
    "text of a program": (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(LARGE)),
    "plain text": (b"tEXt", b"Comment\0" + 20 * LARGE),
}


@pytest.mark.parametrize("name", LARGE_CHUNKS)
def test_texts_and_profiles_of_any_size_are_passed_over(name):
    found = decode_image(png_with(*LARGE_CHUNKS[name]), "x").value
    assert np.array_equal(found, draw_image(0)[0])


def test_a_damaged_text_spoils_no_photograph():
    data = png_with(b"tEXt", b"Comment\0of a holiday")
    assert np.array_equal(decode_image(data.replace(b"holiday", b"holidax"), "x").value,
                          draw_image(0)[0])  # fmt: skip
