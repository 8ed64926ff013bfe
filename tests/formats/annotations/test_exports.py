"""Exports of other programs as they wrote them, blanks between elements of XML and JSON apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from builders import REPOSITORY, SHAPE, by_pillow, in_triangle, labels_of
from PIL import Image

from wsstools.core.scribbles.annotation import draw_annotation
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.core.scribbles.colours import parse_colours
from wsstools.core.scribbles.strokes import Stroke, draw_strokes
from wsstools.errors import DataError
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.label_files import decode_labels

# datumaro 1.13.12, formats cvat and coco_instances, of one and the same set: the triangle of
# builders.TRIANGLE and a mask in image one; a polyline, points and a box in image two.
CVAT_OF_DATUMARO = (
    '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task><id'
    "></id><name>train</name><size>2</size><mode>annotation</mode><overlap></overlap><start_f"
    "rame>0</start_frame><stop_frame>2</stop_frame><frame_filter></frame_filter><z_order>True"
    "</z_order><labels><label><name>sky</name><attributes></attributes></label><label><name>g"
    "rass</name><attributes></attributes></label><label><name>water</name><attributes></attri"
    'butes></label></labels></task></meta><image id="0" name="one.jpg" width="56" height="40"'
    '><polygon label="grass" occluded="0" outside="0" keyframe="0" points="4.00,4.00;24.50,4.'
    '00;4.00,24.50" z_order="0" group_id="1"></polygon><mask label="water" occluded="0" outsi'
    'de="0" keyframe="0" rle="310, 11, 45, 11, 45, 11, 45, 3, 1, 7, 45, 11, 45, 11, 45, 11, 1'
    '583" left="0" top="0" width="56" height="40" z_order="0" group_id="2"></mask></image><im'
    'age id="1" name="two.jpg" width="56" height="40"><polyline label="sky" occluded="0" outs'
    'ide="0" keyframe="0" points="5.50,5.50;30.50,5.50" z_order="0"></polyline><points label='
    '"grass" occluded="0" outside="0" keyframe="0" points="20.50,30.50;25.50,30.50" z_order="'
    '0" group_id="4"></points><box label="water" occluded="0" outside="0" keyframe="0" xtl="3'
    '0.00" ytl="20.00" xbr="40.00" ybr="25.00" z_order="0" group_id="5"></box></image></annot'
    "ations>"
)
COCO_OF_DATUMARO = (
    '{"licenses":[{"name":"","id":0,"url":""}],"info":{"contributor":"","date_created":"","de'
    'scription":"","url":"","version":"","year":""},"categories":[{"id":1,"name":"sky","super'
    'category":""},{"id":2,"name":"grass","supercategory":""},{"id":3,"name":"water","superca'
    'tegory":""}],"images":[{"id":1,"width":56,"height":40,"file_name":"one.jpg","license":0,'
    '"flickr_url":"","coco_url":"","date_captured":0},{"id":2,"width":56,"height":40,"file_na'
    'me":"two.jpg","license":0,"flickr_url":"","coco_url":"","date_captured":0}],"annotations'
    '":[{"id":1,"image_id":1,"category_id":2,"segmentation":[[4.0,4.0,24.5,4.0,4.0,24.5]],"ar'
    'ea":210.0,"bbox":[4.0,4.0,20.5,20.5],"iscrowd":0},{"id":2,"image_id":1,"category_id":3,"'
    'segmentation":{"counts":[1205,7,33,7,33,7,33,3,1,3,33,7,33,7,33,7,33,7,33,7,33,7,33,7,62'
    '8],"size":[40,56]},"area":76.0,"bbox":[30.0,5.0,11.0,7.0],"iscrowd":1},{"id":5,"image_id'
    '":2,"category_id":3,"segmentation":[],"area":50.0,"bbox":[30.0,20.0,10.0,5.0],"iscrowd":'
    "0}]}"
)
NAMES = ("sky", "grass", "water")


def of_image_one() -> np.ndarray:
    expected = np.where(in_triangle(), 1, 255)
    expected[5:12, 30:41], expected[8, 33] = 2, 255
    return expected


def of_image_two() -> np.ndarray:
    lines = [Stroke(0, np.array([[5, 5], [30, 5.0]])), Stroke(1, np.array([[20, 30.0]]))]
    expected = draw_strokes([*lines, Stroke(1, np.array([[25, 30.0]]))], SHAPE, width=1)
    expected[20:25, 30:40] = 2
    return expected


@pytest.mark.parametrize(
    ("name", "text"), [("train.xml", CVAT_OF_DATUMARO), ("instances_train.json", COCO_OF_DATUMARO)]
)
def test_exports_of_datumaro(tmp_path: Path, name, text):
    path = tmp_path / name
    path.write_text(text)
    unpacked = detection.unpack(path)
    assert unpacked.lists == {str(path): NAMES}
    found = {}
    for stem, data in unpacked.parts:
        decoded = detection.decode_annotation(data, f"{path} ({stem})")
        ids = resolve_names([mark.name for mark in decoded.value.marks], NAMES)
        found[stem] = (
            draw_annotation(decoded.value, ids, decoded.value.shape, width=1),
            decoded.note,
        )
    assert list(found) == ["one", "two"]
    np.testing.assert_array_equal(found["one"][0], of_image_one())
    if name.endswith(".xml"):
        np.testing.assert_array_equal(found["two"][0], of_image_two())
    else:  # COCO has neither lines nor points, and boxes are not drawn
        assert (found["two"][0] == 255).all()
        assert found["two"][1] == "left out: 1 annotation with a box alone"


# --- Files of programs, in tests/exports, whose README says how they were made

EXPORTS = REPOSITORY / "tests" / "exports"
COLOURS = parse_colours("sky #0000ff\ngrass #00c800\nwater #ff0000")
STROKES = ([(5, 5), (30, 5), (30, 20)], [(3, 35), (20, 28)], [(40, 30), (52, 12)])
LIKE_A_LAYER = Values(unlabelled=0, first=1)
ROWS, COLUMNS = np.indices(SHAPE)


def scribbles_in(name: str, values: Values = Values(), form: str | None = None) -> np.ndarray:
    """What is drawn of a file with a brush of 1."""
    found = decoded_file(name, values, form).value
    ids = resolve_names([mark.name for mark in found.marks], NAMES)
    return draw_annotation(found, ids, found.shape or SHAPE, width=1)


def decoded_file(name: str, values: Values = Values(), form: str | None = None):
    data = (EXPORTS / name).read_bytes()
    return detection.decode_annotation(data, name, form=form, values=values)


def drawn_by(program: str) -> np.ndarray:
    """The ids that a program drew, as Pillow reads its colours on transparent pixels."""
    with Image.open(EXPORTS / program / "transparent.png") as picture:
        _, green, blue, alpha = np.moveaxis(np.asarray(picture.convert("RGBA")), 2, 0)
    return np.where(alpha == 0, 255, np.where(blue > 0, 0, np.where(green > 0, 1, 2)))


def strokes(width: float) -> np.ndarray:
    """The strokes of the README, as they are drawn here."""
    lines = [Stroke(k, np.array(points, float)) for k, points in enumerate(STROKES)]
    return draw_strokes(lines, SHAPE, width=width)


def check_strokes(ids: np.ndarray) -> None:
    """Strokes of a width of 3 cover those of 1, and stay in those of 6."""
    thin, thick = strokes(width=1), strokes(width=6)
    assert (ids[thin != 255] == thin[thin != 255]).all()
    assert (ids[ids != 255] == thick[ids != 255]).all()


@pytest.mark.parametrize("program", ["gimp", "imagemagick", "opencv"])
def test_programs_draw_the_strokes_where_they_are_drawn_here(program):
    check_strokes(drawn_by(program))


@pytest.mark.parametrize(
    "name",
    [
        "gimp/indexed.gif", "gimp/indexed.png", "gimp/transparent-16.tif",
        "gimp/transparent-lzw.tif", "gimp/transparent.png", "gimp/white-indexed.png",
        "imagemagick/transparent-16.tif", "imagemagick/transparent-64.png",
        "imagemagick/transparent.gif", "imagemagick/transparent.png", "imagemagick/white-8.png",
        "imagemagick/white-palette.tif", "imagemagick/white.gif", "opencv/transparent.png",
        "opencv/transparent.tif", "opencv/white.png",
    ],
)  # fmt: skip
def test_colours_of_programs(name):
    ids = drawn_by(Path(name).parent.name)
    found = scribbles_in(name, Values(colours=COLOURS), "picture")
    np.testing.assert_array_equal(found, ids)
    left_out = f"left out: 1 colour that is not in --colours: #ffffff ({(ids == 255).sum()} pixels)"
    note = decoded_file(name, Values(colours=COLOURS), "picture").note
    assert note == (left_out if "white" in name else None)


@pytest.mark.parametrize(
    "name",
    [
        "gimp/ids-alpha.png", "imagemagick/ids.pgm", "imagemagick/ids.png", "imagemagick/ids.tif",
        "opencv/ids-16.png", "opencv/ids-bgr.png", "opencv/ids-packbits.tif", "opencv/ids.bmp",
        "opencv/ids.pgm", "opencv/ids.png", "opencv/ids.tif",
    ],
)  # fmt: skip
def test_class_ids_of_programs(name):
    ids = drawn_by(Path(name).parent.name)
    np.testing.assert_array_equal(scribbles_in(name, form="picture"), ids)
    np.testing.assert_array_equal(decode_labels((EXPORTS / name).read_bytes(), name).value, ids)
    if name.endswith(".tif"):
        with pytest.raises(DataError, match="class ids of which 255 is unlabelled"):
            scribbles_in(name)
    else:
        np.testing.assert_array_equal(scribbles_in(name), ids)
        assert decoded_file(name).note is None


def test_a_layer_of_16_bits_of_opencv():
    np.testing.assert_array_equal(scribbles_in("opencv/layer-16.tif"), drawn_by("opencv"))


@pytest.mark.parametrize("program", ["gimp", "imagemagick", "opencv"])
def test_smooth_edges_are_left_out(program):
    found = scribbles_in(f"{program}/smooth.png", Values(colours=COLOURS), "picture")
    thick = strokes(width=6)
    assert (found[found != 255] == thick[found != 255]).all()
    assert all(20 < (found == k).sum() <= (drawn_by(program) == k).sum() for k in range(3))
    assert decoded_file(f"{program}/smooth.png", Values(colours=COLOURS), "picture").note


def test_smooth_edges_of_class_ids_are_noted():
    decoded = decoded_file("opencv/smooth-ids.png")
    n_values = len(np.unique(np.asarray(Image.open(EXPORTS / "opencv" / "smooth-ids.png"))))
    assert len(decoded.value.marks) == n_values - 1 > 64  # 255 is unlabelled
    assert decoded.note.startswith(f"{n_values - 1} values, each a class")


def test_shapes_that_were_clicked_in_labelme():
    expected = np.full(SHAPE, 255)
    expected[5, 5:31] = expected[5:21, 30] = 0
    expected[35, 3:21], expected[3, 50] = 1, 2
    expected[(ROWS >= 10) & (COLUMNS >= 4) & (ROWS + COLUMNS <= 25)] = 1
    expected[25:33, 38:50] = 2
    expected[(ROWS + 0.5 - 25) ** 2 + (COLUMNS + 0.5 - 20) ** 2 < 4.06**2] = 0
    along, across = ROWS + COLUMNS + 1, ROWS - COLUMNS
    expected[(along > 56.5) & (along < 68.5) & (across > -4.5) & (across < 1.5)] = 1
    expected[12:16, 44:50], expected[12, 44:46] = 2, 255
    np.testing.assert_array_equal(scribbles_in("labelme/a.json"), expected)
    assert decoded_file("labelme/a.json").value.shape == SHAPE


def test_labels_that_labelme_drew(wss, tmp_path):
    stored = np.asarray(Image.open(EXPORTS / "labelme" / "label.png"))
    assert set(stored.flat) == {0, 1, 2, 3}  # background, grass, sky, water
    np.testing.assert_array_equal(
        scribbles_in("labelme/label.png", LIKE_A_LAYER), np.where(stored > 0, stored - 1.0, 255)
    )
    gt = stored.copy()
    gt[0, :10] = 1
    (tmp_path / "label.png").write_bytes(by_pillow(gt, "PNG"))
    outcome = wss("score", EXPORTS / "labelme" / "label.png", tmp_path / "label.png", "--json")
    scores = json.loads(outcome.out)
    n_grass = int((stored == 1).sum())
    assert scores["iou"]["1"] == pytest.approx(n_grass / (n_grass + 10))
    assert scores["pixel_accuracy"] == pytest.approx(1 - 10 / stored.size)


@pytest.mark.parametrize("ending", ["tif", "npz", "pgm"])
def test_layers_of_napari(ending, wss, tmp_path):
    options = ["--unlabelled", 0, "--first-class", 1] if ending == "pgm" else []
    source = EXPORTS / "napari" / f"labels.{ending}"
    outcome = wss("scribbles", source, *options, "-o", tmp_path / "out")
    (path,) = outcome.paths
    assert path.name == "labels.png"
    found = labels_of(path)
    check_strokes(found)
    assert [int((found == k).sum()) for k in range(3)] == [129, 78, 97]  # as napari counts


# What Shapes.to_labels of napari draws of the turned ellipse, from row 11 and column 41.
TURNED_ELLIPSE = """\
...#####.
..#######
.########
#########
#########
#########
########.
########.
.#####...
"""


def shapes_of_napari() -> np.ndarray:
    """The table with a column of classes, drawn."""
    rows = (EXPORTS / "napari" / "shapes.csv").read_text().splitlines()
    classes = ["sky", "grass", "grass", "water", "sky", "water"]
    text = [f"{row},{classes[int(row[0])] if row[0].isdigit() else 'label'}\n" for row in rows]
    found = detection.decode_annotation("".join(text).encode(), "shapes.csv").value
    ids = resolve_names([mark.name for mark in found.marks], NAMES)
    return draw_annotation(found, ids, SHAPE, width=1)


def test_shapes_of_napari():
    found = shapes_of_napari()
    expected = np.full(SHAPE, 255)
    expected[5, 5:31] = expected[5:21, 30] = 0
    expected[35, 3:21] = 1
    expected[(ROWS >= 10) & (COLUMNS >= 4) & (ROWS + COLUMNS <= 25)] = 1
    expected[25:33, 38:50] = 2
    expected[((ROWS - 23.5) / 4) ** 2 + ((COLUMNS - 20.5) / 6) ** 2 < 1] = 0
    by_napari = np.array([list(row) for row in TURNED_ELLIPSE.split()]) == "#"
    turned = found[11:20, 41:50] == 2
    assert (turned ^ by_napari).sum() == 3  # on the rim: napari's has fewer sides
    np.testing.assert_array_equal(
        np.where(found == 2, 255, found), np.where(expected == 2, 255, expected)
    )
    np.testing.assert_array_equal(found[21:] == 2, expected[21:] == 2)


def test_shapes_of_napari_without_a_class_need_one(wss, tmp_path):
    source = EXPORTS / "napari" / "shapes.csv"
    (tmp_path / "shapes.png").write_bytes(by_pillow(np.zeros(SHAPE, np.uint8), "PNG"))
    command = ["scribbles", source, "--images", tmp_path / "shapes.png", "--width", 1]
    outcome = wss(*command, "-o", tmp_path / "none")
    assert outcome.code == 1
    assert "no column says the class" in outcome.err and "--remap 0=K" in outcome.err
    (path,) = wss(*command, "-o", tmp_path / "two", "--remap", "0=2").paths
    covered = shapes_of_napari() != 255
    np.testing.assert_array_equal(labels_of(path), np.where(covered, 2, 255))


@pytest.mark.parametrize("name", ["points.csv", "points-ids.csv"])
def test_points_of_napari_carry_their_classes(name):
    expected = np.full(SHAPE, 255)
    expected[3, 50], expected[10, 8], expected[22, 9] = 2, 0, 1
    np.testing.assert_array_equal(scribbles_in(f"napari/{name}"), expected)
