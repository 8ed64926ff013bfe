"""Labels as files: palette, record, names of classes."""

from __future__ import annotations

import io
import struct
import zlib

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from builders import META, by_pillow, frames, png_of_rows, tiff
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


LABELS = np.array([[0, 1, 7], [20, 255, 1], [3, 3, 0]], np.uint8)
COLOURED = np.repeat(LABELS[:, :, None], 3, axis=2)


def pgm(kind: bytes, values: np.ndarray, white: int, comment: bytes = b"") -> bytes:
    head = kind + b"\n" + comment + b"%d %d\n%d\n" % (values.shape[1], values.shape[0], white)
    if kind in (b"P2", b"P3"):
        return head + b" ".join(b"%d" % value for value in values.ravel()) + b"\n"
    return head + values.astype(">u2" if white > 255 else "u1").tobytes()


EQUAL = {
    "rgb.png": by_pillow(COLOURED, "PNG"),
    "rgba.png": by_pillow(np.dstack([COLOURED, np.full_like(LABELS, 255)]), "PNG"),
    "rgb.bmp": by_pillow(COLOURED, "BMP"),
    "rgb.tif": tiff(COLOURED, photometric="rgb"),
    "rgb-planes.tif": tiff(np.moveaxis(COLOURED, -1, 0), photometric="rgb", planarconfig="separate"),
    "rgb-lzw.tif": by_pillow(COLOURED, "TIFF", compression="tiff_lzw"),
    "rgb-16.tif": tiff(COLOURED.astype(np.uint16), photometric="rgb"),
    "thumbnail-first.tif": None,
    "unit-axes.tif": tiff(
        LABELS[None, :, :, None], photometric="minisblack", metadata={"axes": "ZYXC"}
    ),
    "p2.pgm": pgm(b"P2", LABELS, 255, b"# by hand\n"),
    "p3.pgm": pgm(b"P3", COLOURED, 255),
    "p5.pgm": pgm(b"P5", LABELS, 255, b"#\n# two lines\n"),
    "p5-16.pgm": pgm(b"P5", LABELS, 300),
    "p6.pgm": pgm(b"P6", COLOURED, 255),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_the_stored_value_is_the_class_id(name):
    data = EQUAL[name] or thumbnail_first(LABELS)
    np.testing.assert_array_equal(label_files.decode_labels(data, name).value, LABELS)


def thumbnail_first(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(values[::2, ::2], subfiletype=1, metadata=None)
        writer.write(values, metadata=None)
    return file.getvalue()


@pytest.mark.parametrize("white", [1, 3, 20, 254, 1000, 65535])
@pytest.mark.parametrize("kind", [b"P2", b"P5"])
def test_pgm_counts_as_stored_whatever_is_white(kind, white):
    values = np.minimum(LABELS, min(white, 255))
    found = label_files.decode_labels(pgm(kind, values, white), "a.pgm").value
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pgm(b"P5", LABELS, 255)[:-1], "holds 8 values, expected 9"),
        (pgm(b"P5", LABELS, 20), "holds the value 255, its header says at most 20"),
        (pgm(b"P5", LABELS, 70000), "up to 70000"),
        (b"P5 0 4 255\n", "0 x 4 pixels"),
        (b"P5 99999 99999 255\n", "99999 x 99999"),
        (b"P2 2 1 255\n1 -1", "no whole numbers"),
        (b"P5 2", "no header of a PGM"),
        (b"P4 8 1\n\x80", "bitmap"),
    ],
)
def test_damaged_pgm_is_refused(data, message):
    with pytest.raises(DataError, match=f"^a.pgm: .*{message}"):
        label_files.decode_labels(data, "a.pgm")


def four_bits(values: np.ndarray, compression: int, packed: bytes) -> bytes:
    """A grey TIFF of 4 bits a pixel; tifffile writes none without another package."""
    place = 8 + 2 + 12 * 9 + 4
    entries = [
        (256, 3, values.shape[1]), (257, 3, values.shape[0]), (258, 3, 4), (259, 3, compression),
        (262, 3, 1), (273, 4, place), (277, 3, 1), (278, 3, values.shape[0]), (279, 4, len(packed)),
    ]  # fmt: skip
    listed = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, 9) + listed + bytes(4) + packed


@pytest.mark.parametrize("compression", [1, 8])
def test_tiff_of_4_bits_counts_as_stored(compression):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    packed = bytes(values.ravel()[k] << 4 | values.ravel()[k + 1] for k in range(0, 12, 2))
    data = four_bits(values, compression, zlib.compress(packed) if compression == 8 else packed)
    np.testing.assert_array_equal(label_files.decode_labels(data, "a.tif").value, values)


GREY_JPEG = by_pillow(LABELS, "JPEG")
LOSSY = {
    "jpeg": (GREY_JPEG, "it is JPEG data"),
    "jpeg in tiff": (by_pillow(LABELS, "TIFF", compression="jpeg"), "compressed as JPEG"),
    "colour jpeg in tiff": (by_pillow(COLOURED, "TIFF", compression="jpeg"), "compressed as JPEG"),
    "webp": (by_pillow(COLOURED, "WEBP", quality=90), "it is WEBP data"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_pictures_hold_no_class_ids(name):
    data, message = LOSSY[name]
    for read in (label_files.decode_labels, label_files.read_indices):
        with pytest.raises(DataError, match=f"^a.png: .*{message}.* class ids"):
            read(data, "a.png")


def test_colours_of_16_bits_are_no_indices():
    """Pillow gives their upper bytes, which are equal where the lower ones hold the ids."""
    rows = b"".join(b"\0" + row.tobytes() for row in COLOURED.astype(">u2"))
    with pytest.raises(DataError, match="colours are stored as RGB;16B"):
        label_files.decode_labels(png_of_rows(LABELS.shape, 16, 2, rows), "a.png")


@pytest.mark.parametrize("change", ["colour", "alpha"])
def test_planes_that_differ_are_no_indices(change):
    planes = np.dstack([COLOURED, np.full_like(LABELS, 255)])
    planes[1, 1, 2 if change == "colour" else 3] = 9
    with pytest.raises(DataError, match="stored as RGBA colours"):
        label_files.decode_labels(by_pillow(planes, "PNG"), "a.png")


def test_grey_with_alpha_of_one_value_holds_indices():
    alpha = np.full_like(LABELS, 255)
    data = by_pillow(np.dstack([LABELS, alpha]), "PNG")
    np.testing.assert_array_equal(label_files.decode_labels(data, "a.png").value, LABELS)
    alpha[1, 1] = 0
    with pytest.raises(DataError, match="stored as LA colours"):
        label_files.decode_labels(by_pillow(np.dstack([LABELS, alpha]), "PNG"), "a.png")


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_of_several_pictures_the_first_is_taken_with_a_note(form, later):
    labels = np.arange(24 * 30).reshape(24, 30) % 7 == 0
    found = label_files.decode_labels(frames(labels, later, form), "a")
    np.testing.assert_array_equal(found.value, labels)
    note = f"took the first of {later + 1} pictures in the file"
    assert found.note == (note if later else None)


@pytest.mark.parametrize(
    ("greys", "shown"),
    [
        ([0, 1, 7], "0 as 0, 1 as 1, 2 as 7"),  # numbered anew, as Pillow's GIF has it
        ([0, 20, 255], "0 as 0, 1 as 20, 2 as 255"),
        ([0, 1, 2], None),
        ([0, 128, 255], None),  # chosen to be seen
        ([0, 255, 9], None),  # no pixel is of the last
        ([0, 0, 0], None),
    ],
)
def test_greys_of_a_palette_that_may_be_the_ids_are_noted(greys, shown):
    labels = np.array([[0, 1, 2], [255, 1, 0]], np.uint8)
    if greys[-1] == 9:
        labels[labels == 2] = 0
    picture = Image.fromarray(labels)
    picture.putpalette([grey for grey in [*greys, *[40] * 253] for _ in range(3)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    found = label_files.decode_labels(buffer.getvalue(), "a.png")
    np.testing.assert_array_equal(found.value, labels)
    message = f"its palette shows values as greys ({shown}); if these are the ids, save a grey PNG"
    assert found.note == (message if shown else None)


def test_a_stack_of_labels_is_refused():
    with pytest.raises(DataError, match="expected class indices"):
        label_files.decode_labels(tiff(np.stack([LABELS] * 2)), "a.tif")


def test_bitmaps_that_pillow_unpacks_as_bits_are_refused():
    """A BMP of 8 bits whose palette is black and white: Pillow would give other values."""
    labels = np.zeros((24, 32), np.uint8)
    labels[8:16] = 1
    picture = Image.fromarray(labels)
    for colours, is_read in (([0, 0, 0, 255, 255, 255], False), ([0, 0, 0, 255, 0, 0], True)):
        picture.putpalette(colours)
        file = io.BytesIO()
        picture.save(file, "BMP")
        if is_read:
            np.testing.assert_array_equal(
                label_files.decode_labels(file.getvalue(), "a.bmp").value, labels
            )
        else:
            with pytest.raises(DataError, match="BMP of several bits and two colours"):
                label_files.decode_labels(file.getvalue(), "a.bmp")
