"""Pictures in colours, as image editors save them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders import SHAPE, by_pillow, png_of_16_bits, tiff
from PIL import Image, ImageDraw

from wsstools.core.scribbles.annotation import draw_annotation
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.core.scribbles.colours import parse_colours
from wsstools.errors import DataError
from wsstools.formats.annotations.colour_pictures import decode_colours
from wsstools.formats.annotations.detection import decode_annotation
from wsstools.formats.annotations.label_arrays import Values

TABLE = parse_colours("sky #0000ff\ncar #ff0000\ncar #800000\n__ignore__ #010101")
LABELS = np.full(SHAPE, 255)
LABELS[4:8, 5:30], LABELS[20:30, 10:13] = 0, 1
COLOURS = {0: (0, 0, 255), 1: (255, 0, 0), 255: (255, 255, 255)}


def coloured(labels: np.ndarray, colours: dict = COLOURS) -> np.ndarray:
    """RGB of labels."""
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for label, colour in colours.items():
        picture[labels == label] = colour
    return picture


def found(data: bytes, name: str = "a.png"):
    return decode_annotation(data, name, form="picture", values=Values(colours=TABLE))


def drawn(data: bytes, name: str = "a.png") -> np.ndarray:
    annotation = found(data, name).value
    ids = resolve_names([mark.name for mark in annotation.marks], ["sky", "car"])
    return draw_annotation(annotation, ids, annotation.shape)


def saved(picture: np.ndarray) -> dict[str, bytes]:
    rgb = Image.fromarray(picture)
    return {
        "rgb.png": by_pillow(rgb, "PNG"),
        "palette.png": by_pillow(rgb.quantize(8), "PNG"),
        "rgb.bmp": by_pillow(rgb, "BMP"),
        "palette.gif": by_pillow(rgb.quantize(8), "GIF"),
        "rgb.tif": tiff(picture, photometric="rgb", compression="zlib"),
        "planes.tif": tiff(np.moveaxis(picture, 2, 0), photometric="rgb", planarconfig="separate"),
    }


@pytest.mark.parametrize("name", saved(coloured(LABELS)))
def test_strokes_on_white_in_any_file(name):
    data = saved(coloured(LABELS))[name]
    np.testing.assert_array_equal(drawn(data, name), LABELS)
    n_white = (LABELS == 255).sum()
    expected = f"left out: 1 colour that is not in --colours: #ffffff ({n_white} pixels)"
    assert found(data, name).note == expected


@pytest.mark.parametrize("name", ["a.png", "a.tif", "lzw.tif"])
def test_transparent_pixels_are_unlabelled(name):
    rgba = np.dstack([coloured(LABELS, {**COLOURS, 255: (255, 0, 0)}), 255 * (LABELS < 255)])
    rgba[4, 5, 3] = 128  # the edge of a soft brush
    rgba = rgba.astype(np.uint8)
    data = {
        "a.png": by_pillow(rgba, "PNG"),
        "a.tif": tiff(rgba, photometric="rgb", extrasamples=["unassalpha"]),
        "lzw.tif": by_pillow(rgba, "TIFF", compression="tiff_lzw"),
    }[name]
    expected = LABELS.copy()
    expected[4, 5] = 255
    np.testing.assert_array_equal(drawn(data, name), expected)
    note = found(data, name).note
    assert note == "left out: 1 pixel of these colours that is partly transparent"


def test_edges_that_are_drawn_smoothly_are_left_out_and_listed():
    large = Image.new("RGB", (SHAPE[1] * 4, SHAPE[0] * 4), "white")
    ImageDraw.Draw(large).line([(20, 20), (180, 130)], fill=(255, 0, 0), width=30)
    small = large.resize(SHAPE[::-1], Image.Resampling.BOX)
    values, decoded = np.asarray(small), found(by_pillow(small, "PNG"))
    np.testing.assert_array_equal(
        drawn(by_pillow(small, "PNG")) == 1, (values == (255, 0, 0)).all(axis=2)
    )
    n_colours = len(np.unique(values.reshape(-1, 3), axis=0))
    assert decoded.note.startswith(f"left out: {n_colours - 1} colours that are not in --colours: ")
    assert "#ffffff" in decoded.note and n_colours > 8 and decoded.note.endswith("...")


def test_strokes_merged_into_a_photograph():
    photo = np.random.default_rng(0).integers(20, 200, (*SHAPE, 3)).astype(np.uint8)
    merged = np.where((LABELS == 255)[..., None], photo, coloured(LABELS))
    np.testing.assert_array_equal(drawn(by_pillow(merged, "PNG")), LABELS)


def test_a_class_of_several_colours_and_ignored_ones():
    labels = LABELS.copy()
    labels[35, :], labels[36, :] = 2, 3
    data = by_pillow(coloured(labels, {**COLOURS, 2: (128, 0, 0), 3: (1, 1, 1)}), "PNG")
    expected = LABELS.copy()
    expected[35, :] = 1
    np.testing.assert_array_equal(drawn(data), expected)


def test_a_picture_of_one_other_colour_has_no_marks():
    decoded = found(by_pillow(coloured(np.full(SHAPE, 255)), "PNG"))
    assert not decoded.value.marks and decoded.value.shape == SHAPE


def test_a_picture_without_a_colour_of_the_table_is_refused_and_its_colours_are_listed():
    other = coloured(LABELS, {0: (0, 0, 254), 1: (254, 0, 0), 255: (255, 255, 255)})
    with pytest.raises(DataError, match="no pixel has a colour of --colours") as error:
        found(by_pillow(other, "PNG"))
    white, blue, red = (int((k == LABELS).sum()) for k in (255, 0, 1))
    listed = f"#ffffff ({white} pixels), #0000fe ({blue} pixels), #fe0000 ({red} pixels)"
    assert str(error.value).endswith(listed)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (by_pillow(coloured(LABELS), "JPEG"), "a JPEG, whose colours are not exact"),
        (by_pillow(LABELS.astype(np.uint16), "PNG"), "colours of kind I;16 are not read"),
        (
            tiff(coloured(LABELS).astype(np.uint32), photometric="rgb"),
            "expected colours of 8 or 16",
        ),
        (by_pillow(coloured(LABELS), "PNG")[:-40], "not a readable picture"),
    ],
)
def test_what_is_no_picture_in_colours(data, message):
    with pytest.raises(DataError, match=message):
        found(data)


def test_colours_of_16_bits_lose_only_what_is_below_8_bits():
    wide = coloured(LABELS).astype(np.uint16) * 257
    np.testing.assert_array_equal(drawn(png_of_16_bits(wide)), LABELS)
    np.testing.assert_array_equal(drawn(tiff(wide, photometric="rgb"), "a.tif"), LABELS)


def test_soft_strokes_are_noted():
    """An airbrush has the right colour and is partly transparent: that is why it counts not."""
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[0], pixels[2, :3] = (255, 0, 0, 255), (0, 0, 255, 120)
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "PNG")
    table = parse_colours("cat #ff0000\ndog #0000ff\n")
    found = decode_colours(file.getvalue(), "a.png", table)
    assert [mark.name for mark in found.value.marks] == ["cat"]
    assert found.note == "left out: 3 pixels of these colours that are partly transparent"
