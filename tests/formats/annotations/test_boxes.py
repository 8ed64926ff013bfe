"""The boxes in annotations of each format."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import (
    CVAT,
    SHAPE,
    by_pillow,
    coco,
    geojson,
    in_percent,
    label_studio,
    labelme,
    polygon,
    region,
    scribblesup,
    shape,
    via,
    via_region,
    voc,
)

from wsstools.core.boxes.box import Box, boxes_of_annotation
from wsstools.core.scribbles.annotation import draw_annotation
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.errors import DataError
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.boxes import decode_boxes

NAMES = ["sky", "grass", "water"]
HEIGHT, WIDTH = SHAPE
CORNERS = [[10, 4], [14, 6]]
EXPECTED = Box(1, 4, 10, 6, 14)
RING = [[10, 4], [14, 4], [14, 6], [10, 6]]


def found(content: str | bytes, name: str = "a.json", names: list[str] | None = NAMES):
    """The boxes in a file of one image, and the note."""
    data = content.encode() if isinstance(content, str) else content
    decoded = decode_boxes(data, name)
    marks = decoded.value.marks
    ids = resolve_names([mark.name for mark in marks], names)
    return boxes_of_annotation(decoded.value, ids, decoded.value.shape or SHAPE), decoded.note


def part(tmp_path, content: str, stem: str) -> bytes:
    path = tmp_path / "all.json"
    path.write_text(content)
    return dict(detection.unpack(path).parts)[stem]


def test_boxes_of_voc_count_from_one_and_hold_their_last_pixel():
    boxes, note = found(voc(("grass", (11, 5, 14, 6)), ("sky", (1, 1, WIDTH, HEIGHT))), "a.xml")
    assert boxes == [EXPECTED, Box(0, 0, 0, HEIGHT, WIDTH)]
    assert note is None


def test_parts_of_objects_and_objects_without_a_box_are_no_boxes_of_voc():
    inner = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    text = voc(("grass", (10.6, 5, 14, "6.0"))).replace("</object>", inner)
    text = text.replace("</annotation>", "<object><name>sky</name></object></annotation>")
    assert found(text, "a.xml") == ([EXPECTED], "left out: 1 object without a box")


def test_voc_without_a_size_takes_that_of_the_image():
    assert decode_boxes(voc(("cat", (1, 1, 2, 2)), size=None).encode(), "a.xml").value.shape is None
    assert decode_boxes(voc(("cat", (1, 1, 2, 2))).encode(), "a.xml").value.shape == SHAPE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (voc(("cat", (1, 1, 2, "x"))), "box 'cat' has ymax='x', expected a number"),
        (voc(("", (1, 1, 2, 2))), "a box has no label"),
        (voc(("cat", (1, 1, 2, "inf"))), "box 'cat': points are not finite"),
    ],
)
def test_damaged_boxes_of_voc(text, message):
    with pytest.raises(DataError, match=message):
        decode_boxes(text.encode(), "a.xml")


def test_boxes_of_voc_are_drawn_as_those_of_labelme():
    text = voc(("grass", (11, 5, 14, 6))).encode()
    assert detection.detected_format(text, "a.xml") == "voc"
    annotation = detection.decode_annotation(text, "a.xml").value
    drawn = draw_annotation(annotation, {"grass": 1}, SHAPE)
    expected = np.full(SHAPE, 255)
    expected[EXPECTED.pixels] = 1
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (labelme(shape("grass", "rectangle", CORNERS)), "a.json"),
        (labelme(shape("grass", "rectangle", CORNERS[::-1])), "a.json"),
        (labelme(shape("grass", "rectangle", RING)), "a.json"),
        (labelme(shape("grass", "polygon", RING)), "a.json"),
        (geojson(("grass", "Polygon", [[*RING, RING[0]]])), "a.json"),
    ],
)
def test_boxes_of_files_of_one_image(content, name):
    assert found(content, name) == ([EXPECTED], None)


def test_boxes_of_cvat(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(CVAT.replace('label="sky" xtl', 'label="grass" xtl'))
    parts = dict(detection.unpack(path).parts)
    assert found(parts["two"], "a.xml (two)") == ([EXPECTED], "no boxes, left out: 2 points")
    with pytest.raises(DataError, match=r"one\): holds no box: 1 mask, 1 line$"):
        found(parts["one"], "a.xml (one)")


def test_turned_boxes_are_none(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(CVAT.replace('ybr="6.0"', 'ybr="6.0" rotation="30"'))
    with pytest.raises(DataError, match="holds no box: 1 polygon, 2 points"):
        found(dict(detection.unpack(path).parts)["two"], "a.xml (two)")


def test_the_boxes_of_coco_rather_than_its_segments(tmp_path):
    content = json.loads(coco())
    content["annotations"][0]["bbox"] = [10, 4, 4, 2]
    content["annotations"] += [
        {"image_id": 7, "category_id": 5, "bbox": [0, 0, 2, 2], "segmentation": []},
        {"image_id": 7, "category_id": 5},
    ]
    data = part(tmp_path, json.dumps(content), "one")
    assert found(data) == ([EXPECTED, Box(1, 0, 0, 2, 2)], "left out: 1 annotation without a box")
    content["annotations"][0]["bbox"] = [10, 4, 4]
    with pytest.raises(DataError, match="box 'grass' has 3 numbers"):
        found(part(tmp_path, json.dumps(content), "one"))


def test_boxes_of_label_studio_and_via(tmp_path):
    (left, top), (right, bottom) = in_percent(CORNERS)
    value = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
    task = label_studio(("a.jpg", [region("rectangle", "grass", value)]))
    assert found(part(tmp_path, task, "a")) == ([EXPECTED], None)
    project = via(via_region({"a": "grass"}, "rect", x=10, y=4, width=4, height=2))
    assert found(part(tmp_path, project, "a")) == ([EXPECTED], None)


def test_boxes_of_yolo_are_shares_of_the_image():
    line = f"1 {12 / WIDTH} {5 / HEIGHT} {4 / WIDTH} {2 / HEIGHT}\n"
    assert found(line, "a.txt", None) == ([EXPECTED], None)
    assert found(line + "2 .1 .1 .9 .1 .4 .7", "a.txt", None)[1] == "no boxes, left out: 1 polygon"
    with pytest.raises(DataError, match=r"not in 0..1"):
        found("1 12 5 4 2", "a.txt", None)


def test_annotations_without_any_box_are_refused():
    with pytest.raises(DataError, match=r"a.xml: holds no box: 1 line, 1 point$"):
        found(scribblesup(polygon("cat", (1, 1), (5, 5)), polygon("cat", (1, 1))), "a.xml")
    picture = by_pillow(np.zeros(SHAPE, np.uint8), "PNG")
    with pytest.raises(DataError, match="holds no box: 1 mask; --simulate takes ground truth"):
        found(picture, "a.png")


def test_nothing_is_no_box_and_no_error():
    assert found(labelme()) == ([], None)
    assert found(scribblesup(), "a.xml") == ([], None)
