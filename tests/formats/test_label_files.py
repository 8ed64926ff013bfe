"""Labels as files: palette, record, names of classes."""

from __future__ import annotations

import io

import imageio.v3 as iio
import numpy as np
import pytest
from builders import META, png_of_rows, tiff
from PIL import Image, ImageOps

from wsstools.core.palette import voc_palette
from wsstools.errors import DataError
from wsstools.formats import label_files


def test_labels_are_read_back_with_palette_and_record(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = tmp_path / "x.png"
    path.write_bytes(label_files.encode_labels(labels, META))
    decoded = label_files.decode_labels(path.read_bytes(), "x.png")
    np.testing.assert_array_equal(decoded.value, labels)
    assert decoded.meta == META
    assert label_files.read_meta(path) == META
    with Image.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.reshape(picture.getpalette(), (-1, 3)), voc_palette())


def test_grey_labels_are_indices_and_colours_are_refused_with_a_hint():
    labels = np.array([[0, 3], [255, 1]], np.uint8)
    grey = iio.imwrite("<bytes>", labels, extension=".png")
    np.testing.assert_array_equal(label_files.decode_labels(grey, "x").value, labels)
    colours = iio.imwrite("<bytes>", voc_palette()[labels], extension=".png")
    with pytest.raises(DataError, match="palette or grey PNG"):
        label_files.decode_labels(colours, "x.png")
    with pytest.raises(DataError, match=r"x\.png"):
        label_files.decode_labels(grey[:40], "x.png")


def test_class_names_travel_with_the_folder(tmp_path):
    (tmp_path / "gt").mkdir()
    assert label_files.find_class_names(str(tmp_path / "gt")) is None
    (tmp_path / "classes.txt").write_text("a\nb c\n\n")
    assert label_files.find_class_names("-", str(tmp_path / "gt")) == ["a", "b c"]
    (tmp_path / "classes.txt").write_text("")
    with pytest.raises(DataError):
        label_files.find_class_names(str(tmp_path / "gt"))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_pictures_of_few_bits_hold_their_values(bits):
    values = np.arange(24).reshape(4, 6) % 2**bits
    found = label_files.decode_labels(few_bits(values, bits), "a.png").value
    np.testing.assert_array_equal(found, values)


def few_bits(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits; Pillow writes none of 2 and 4."""
    rows = b""
    for row in values:
        line = "".join(f"{value:0{bits}b}" for value in row)
        line = line.ljust(-(-len(line) // 8) * 8, "0")
        rows += b"\0" + bytes(int(line[k : k + 8], 2) for k in range(0, len(line), 8))
    return png_of_rows(values.shape, bits, 0, rows)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_in_tiff_stand_upright(orientation):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(values)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    tags = [(0x0112, "H", 1, orientation, True)]
    data = tiff(values, extratags=tags)
    np.testing.assert_array_equal(label_files.decode_labels(data, "a.tif").value, expected)
