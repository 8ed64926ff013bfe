"""Grey and 16-bit pictures: the same picture gives the same map, however it was stored."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from builders import draw_image, png_of_16_bits
from PIL import Image

from wsstools.formats import label_files, map_files
from wsstools.formats.image_files import decode_image


def by_pillow(form: str, **options) -> Callable[[np.ndarray], bytes]:
    def encode(values: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(values).save(file, form, **options)
        return file.getvalue()

    return encode


def tiff(values: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    photometric = "rgb" if values.ndim == 3 and values.shape[2] > 2 else "minisblack"
    tifffile.imwrite(file, values, photometric=photometric, **options)
    return file.getvalue()


def wide(values: np.ndarray) -> np.ndarray:
    """The same in 16 bits: 0..255 becomes 0..65535."""
    return values.astype(np.uint16) * np.uint16(257)


def coloured(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def with_alpha(values: np.ndarray) -> np.ndarray:
    """A plane of alpha behind, which varies."""
    return np.dstack([values, np.roll(values if values.ndim == 2 else values[:, :, 0], 3, axis=1)])


png = by_pillow("PNG")
GREY: dict[str, Callable[[np.ndarray], bytes]] = {
    "8.png": png,
    "8-rgb.png": lambda grey: png(coloured(grey)),
    "8-alpha.png": lambda grey: png(with_alpha(grey)),
    "16.png": lambda grey: png(wide(grey)),
    "16-rgb.png": lambda grey: png_of_16_bits(wide(coloured(grey))),
    "8.tif": tiff,
    "8-deflated.tiff": by_pillow("TIFF", compression="tiff_adobe_deflate"),
    "16.tif": lambda grey: tiff(wide(grey)),
    "16-big-endian.tif": lambda grey: tiff(wide(grey), byteorder=">"),
    "16-rgb.tif": lambda grey: tiff(wide(coloured(grey))),
    "16-rgba.tif": lambda grey: tiff(wide(with_alpha(coloured(grey))), extrasamples=["unassalpha"]),
    "8.bmp": by_pillow("BMP"),
    "8.gif": by_pillow("GIF"),
    "8.webp": lambda grey: by_pillow("WEBP", lossless=True)(coloured(grey)),
    "8.pgm": by_pillow("PPM"),
    "16.pgm": lambda grey: (
        b"P5 %d %d 65535\n" % grey.shape[::-1] + wide(grey).astype(">u2").tobytes()
    ),
}


def grey_picture() -> tuple[np.ndarray, np.ndarray]:
    """(H, W) uint8 with all of 0..255 in use, and scribbles."""
    image, _, scribbles = draw_image(0)
    return image.mean(axis=2).round().astype(np.uint8), scribbles


@pytest.mark.parametrize("name", GREY)
def test_a_grey_picture_reads_the_same_from_every_file(name):
    grey, _ = grey_picture()
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
        "8.tif": tiff,
        "16.tif": lambda rgb: tiff(wide(rgb)),
    }[name]
    np.testing.assert_array_equal(decode_image(encode(image), name).value, image)


def test_16_bits_keep_what_8_bits_cannot_hold():
    values = np.arange(256 * 24, dtype=np.uint16).reshape(64, 96) * 10
    for encode, name in ((png, "a.png"), (tiff, "a.tif")):
        found = decode_image(encode(values), name).value
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[:, :, 1] * 257, values, rtol=1e-6)
        assert len(np.unique(found)) == values.size


def test_a_turned_picture_stands_upright():
    grey, _ = grey_picture()
    for quarter_turns, orientation in ((0, 1), (-1, 6), (2, 3), (1, 8)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for values in (grey, wide(grey)):
            found = decode_image(by_pillow("PNG", exif=exif)(values), "a.png").value
            np.testing.assert_array_equal(found, np.rot90(coloured(grey), quarter_turns))


COMMANDS = {
    "rf-predict": ["--trees", 5],
    "walker": ["--model", "walker"],
    "boosting": ["--model", "boosting", "--rounds", 3],
}


@pytest.fixture
def maps(wss, tmp_path):
    """The maps that a command makes of one picture in many files, by the files' names."""
    _, scribbles = grey_picture()
    for folder in ("images", "scribbles"):
        (tmp_path / folder).mkdir()
    (tmp_path / "scribbles" / "a.png").write_bytes(label_files.encode_labels(scribbles, {}))

    def predicted(command: str, files: dict[str, bytes]) -> dict[str, np.ndarray]:
        out, found = tmp_path / command, {}
        for name, data in files.items():
            path = tmp_path / "images" / f"a.{name.rsplit('.')[-1]}"  # chance follows from `a`
            path.write_bytes(data)
            step = command if command == "rf-predict" else "local-predict"
            outcome = wss(
                step, path, tmp_path / "scribbles", "-o", out, "--n-classes", 4, "--jobs", 1,
                *COMMANDS[command],
            )  # fmt: skip
            assert outcome.code == 0, outcome.err
            found[name] = map_files.decode_map((out / "a.npz").read_bytes(), name).value.probs
            path.unlink()
            (out / "a.npz").unlink()
        return found

    return predicted


@pytest.mark.parametrize("command", COMMANDS)
def test_a_grey_picture_gives_the_same_map_from_every_file(maps, command):
    grey, _ = grey_picture()
    names = ["8.png", "8-rgb.png", "16.png", "16-rgb.tif", "8.tif", "16.tif"]
    found = maps(command, {name: GREY[name](grey) for name in names})
    assert len(np.unique(found["8.png"])) > 4
    for name in names[1:]:
        np.testing.assert_array_equal(found[name], found["8.png"])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_grey_jpeg_gives_the_map_of_its_pixels(maps, command):
    data = by_pillow("JPEG", quality=90)(grey_picture()[0])
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert pixels.ndim == 2
    found = maps(command, {"grey.jpg": data, "grey.png": png(pixels)})
    np.testing.assert_array_equal(found["grey.jpg"], found["grey.png"])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dark_16_bit_picture_is_told_apart_from_nothing(maps, command):
    """Of 65536 grey levels a hundred, the lowest: in 8 bits all would be black."""
    grey, _ = grey_picture()
    dark = (grey.astype(np.uint16) * 2) // 5
    found = maps(command, {"dark.png": png(dark), "black.png": png(np.zeros_like(grey))})
    assert not np.array_equal(found["dark.png"], found["black.png"])
