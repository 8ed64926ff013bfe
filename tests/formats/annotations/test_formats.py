"""The formats of annotations: what each draws, what it leaves out, and which one a file is of."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
from builders import (
    CVAT,
    SHAPE,
    TRIANGLE,
    by_pillow,
    coco,
    davis,
    geojson,
    in_percent,
    in_triangle,
    label_studio,
    labelme,
    npy,
    polygon,
    region,
    scribblesup,
    shape,
    via,
    via_region,
    voc,
    zipped,
)

from wsstools.core.scribbles.annotation import draw_annotation
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.core.scribbles.strokes import Stroke, draw_strokes
from wsstools.errors import DataError
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.content import image_stem

NAMES = ["sky", "grass", "water"]
HEIGHT, WIDTH = SHAPE
ROWS, COLUMNS = np.indices(SHAPE) + 0.5
FROM_CORNER = np.array(TRIANGLE) - 0.5


def decoded(content: str | bytes, name: str = "a.json", form: str | None = None):
    data = content.encode() if isinstance(content, str) else content
    return detection.decode_annotation(data, name, form=form)


def drawn(content: str | bytes, name: str = "a.json", form: str | None = None) -> np.ndarray:
    """The scribbles that a file of one image draws, with a brush of 1."""
    found = decoded(content, name, form).value
    ids = resolve_names([mark.name for mark in found.marks], NAMES)
    return draw_annotation(found, ids, found.shape or SHAPE, width=1)


def images_of(path: Path) -> dict[str, np.ndarray]:
    """The scribbles that a file of several images draws."""
    return {
        stem: drawn(data, f"{path} ({stem})") for stem, data in detection.unpack(path).parts or ()
    }


def classes_in(path: Path, form: str | None = None) -> tuple[str, ...] | None:
    return detection.common_class_names(detection.unpack(path, form).lists)


def written(folder: Path, content: str | bytes, name: str = "all.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def where(mask: np.ndarray, class_id: int) -> np.ndarray:
    return np.where(mask, class_id, 255)


def line(class_id: int, points: object) -> np.ndarray:
    return draw_strokes([Stroke(class_id, np.asarray(points, float))], SHAPE, width=1)


def in_ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0) -> np.ndarray:
    """The pixels whose centres are in an ellipse that is turned clockwise."""
    turn = math.radians(degrees)
    dx, dy = COLUMNS - x, ROWS - y
    along, across = (
        dx * math.cos(turn) + dy * math.sin(turn),
        dy * math.cos(turn) - dx * math.sin(turn),
    )
    return (along / rx) ** 2 + (across / ry) ** 2 <= 1


def cvat(*shapes: str, name: str = "a.jpg") -> str:
    inside = "".join(shapes)
    return (
        f'<annotations><image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}">{inside}'
        "</image></annotations>"
    )


# --- CVAT


def test_a_box_of_cvat_is_turned_about_its_centre():
    box = '<box label="water" xtl="8" ytl="10" xbr="24" ybr="14" rotation="90.0"/>'
    expected = (ROWS > 4) & (ROWS < 20) & (COLUMNS > 14) & (COLUMNS < 18)
    np.testing.assert_array_equal(drawn(cvat(box), "a.xml"), where(expected, 2))


def test_a_box_of_cvat_is_turned_clockwise():
    box = '<box label="sky" xtl="10.2" ytl="18.1" xbr="40.3" ybr="22.4" rotation="30"/>'
    turn = math.radians(30)
    dx, dy = COLUMNS - 25.25, ROWS - 20.25
    along = dx * math.cos(turn) + dy * math.sin(turn)
    across = dy * math.cos(turn) - dx * math.sin(turn)
    expected = (np.abs(along) < 15.05) & (np.abs(across) < 2.15)
    np.testing.assert_array_equal(drawn(cvat(box), "a.xml"), where(expected, 0))


@pytest.mark.parametrize("degrees", [0, 25, 90])
def test_ellipses_of_cvat_are_filled(degrees):
    ellipse = f'<ellipse label="grass" cx="20" cy="18" rx="11" ry="4.3" rotation="{degrees}"/>'
    expected = in_ellipse(20, 18, 11, 4.3, degrees)
    np.testing.assert_array_equal(drawn(cvat(ellipse), "a.xml"), where(expected, 1))


def test_a_mask_of_cvat_may_lack_its_last_run():
    mask = '<mask label="grass" rle="2, 3, 3" left="3" top="4" width="4" height="3"/>'
    expected = np.full(SHAPE, 255)
    expected[4, 5:7] = expected[5, 3] = 1
    np.testing.assert_array_equal(drawn(cvat(mask), "a.xml"), expected)


def test_what_cvat_draws_in_space_is_left_out_and_the_rest_kept():
    line_ = '<polyline label="grass" points="5.5,5.5;30.5,5.5"/>'
    cuboid = '<cuboid label="sky" xtl1="1" ytl1="1"/>'
    skeleton = '<skeleton label="sky"><points label="k" points="1,1"/></skeleton>'
    text = cvat(cuboid, line_, skeleton, cuboid, '<tag label="sky"/>')
    found = decoded(text, "a.xml")
    assert found.note == "left out: 2 cuboids, 1 skeleton, 1 tag"
    np.testing.assert_array_equal(drawn(text, "a.xml"), line(1, [(5, 5), (30, 5)]))


def test_polygons_of_two_points_become_lines():
    text = cvat('<polygon label="grass" points="5.5,5.5;30.5,5.5"/>')
    assert "1 polygon of fewer than three points drawn as a line" in decoded(text, "a.xml").note
    np.testing.assert_array_equal(drawn(text, "a.xml"), line(1, [(5, 5), (30, 5)]))
    text = labelme(shape("grass", "polygon", [[5.5, 5.5], [30.5, 5.5]]))
    np.testing.assert_array_equal(drawn(text), line(1, [(5, 5), (30, 5)]))


def test_labels_of_cvat_are_those_of_the_task_without_parts_of_skeletons(tmp_path):
    labels = (
        "<label><name>sky</name></label><label><name>man</name></label>"
        "<label><name>hand</name><parent>man</parent></label>"
    )
    text = CVAT.replace("<label><name>sky</name></label>", labels)
    assert classes_in(written(tmp_path, text, "a.xml")) == ("sky", "man")


def test_labels_of_cvat_that_are_numbers_are_ids(tmp_path):
    text = CVAT.replace("<name>sky</name>", "<name>3</name>")
    assert classes_in(written(tmp_path, text, "a.xml")) is None


# --- labelme and X-AnyLabeling


def test_circles_of_labelme_are_a_centre_and_a_point_on_the_rim():
    text = labelme(shape("grass", "circle", [[20, 15], [26, 23]]))
    np.testing.assert_array_equal(drawn(text), where(in_ellipse(20, 15, 10, 10), 1))


@pytest.mark.parametrize("kind", ["rectangle", "oriented_rectangle", "rotation", "quadrilateral"])
def test_rectangles_of_four_corners(kind):
    corners = [[20, 5], [30, 15], [25, 20], [15, 10]]
    text = labelme(shape("grass", kind, corners))
    along, across = COLUMNS + ROWS, COLUMNS - ROWS
    expected = (along > 25) & (along < 45) & (across > 5) & (across < 15)
    found = drawn(text) == 1
    edge = (along == 25) | (along == 45) | (across == 5) | (across == 15)
    np.testing.assert_array_equal(found[~edge], expected[~edge])
    assert found.sum() > 80


def test_files_of_labelme_3_state_no_size():
    old = {
        "version": "3.3.0", "flags": {}, "imagePath": "a.jpg", "imageData": None,
        "lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128],
        "shapes": [{"label": "grass", "line_color": None, "fill_color": None, "points": TRIANGLE}],
    }  # fmt: skip
    assert decoded(json.dumps(old)).value.shape is None
    np.testing.assert_array_equal(drawn(json.dumps(old)), where(in_triangle(), 1))


def test_files_of_labelme_3_may_hold_the_image():
    picture = base64.b64encode(by_pillow(np.zeros((30, 34, 3), np.uint8), "JPEG")).decode()
    old = {
        "version": "3.3.0",
        "imageData": picture,
        "shapes": [{"label": "sky", "points": TRIANGLE}],
    }
    assert decoded(json.dumps(old)).value.shape == (30, 34)
    assert decoded(json.dumps({**old, "imageData": "no picture"})).value.shape is None


def test_shapes_called_ignore_are_unlabelled_and_cover_others():
    shapes = shape("grass", "polygon", TRIANGLE), shape("__ignore__", "rectangle", [[0, 0], [9, 9]])
    expected = where(in_triangle(), 1)
    expected[:9, :9] = 255
    np.testing.assert_array_equal(drawn(labelme(*shapes)), expected)
    assert resolve_names(["__ignore__", "2"], None) == {"__ignore__": 255, "2": 2}


def test_other_shapes_of_labelme_are_left_out():
    text = labelme(shape("sky", "cuboid", [[1, 1]] * 8), shape("grass", "polygon", TRIANGLE))
    assert decoded(text).note == "left out: 1 cuboid"
    np.testing.assert_array_equal(drawn(text), where(in_triangle(), 1))


# --- COCO


def test_polygons_and_runs_of_coco(tmp_path):
    path = written(tmp_path, coco())
    runs = np.zeros(SHAPE, bool)
    runs[3:8, 2] = True
    found = images_of(path)
    assert list(found) == ["one", "two"]
    np.testing.assert_array_equal(found["one"], where(in_triangle(), 1))
    np.testing.assert_array_equal(found["two"], where(runs, 0))
    assert classes_in(path) == ("sky", "grass")  # in the order of their ids


def test_annotations_of_coco_with_boxes_or_key_points_are_left_out(tmp_path):
    content = json.loads(coco())
    content["annotations"] += [
        {"image_id": 7, "category_id": 1, "bbox": [1, 1, 9, 9], "segmentation": []},
        {"image_id": 7, "category_id": 1, "bbox": [1, 1, 9, 9], "keypoints": [1, 1, 2]},
    ]
    parts = dict(detection.unpack(written(tmp_path, json.dumps(content))).parts)
    note = decoded(parts["one"]).note
    assert note == "left out: 1 annotation with a box alone, 1 annotation with key points alone"
    np.testing.assert_array_equal(drawn(parts["one"]), where(in_triangle(), 1))


def test_whole_numbers_with_a_point_are_a_size_of_coco(tmp_path):
    size = {"height": float(HEIGHT), "width": float(WIDTH)}
    images = [{**image, **size} for image in json.loads(coco())["images"]]
    path = written(tmp_path, coco(images=images))
    assert '"height": 40.0' in path.read_text()
    for _, part in detection.unpack(path).parts:
        assert decoded(part).value.shape == SHAPE


def test_empty_polygons_of_coco_are_left_out(tmp_path):
    content = json.loads(coco())
    (flat,) = content["annotations"][0]["segmentation"]
    content["annotations"] = [
        {"image_id": 7, "category_id": 1, "segmentation": [[]], "bbox": [0, 0, 0, 0]},
        {"image_id": 7, "category_id": 5, "segmentation": [[], flat, []]},
        {"image_id": 7, "category_id": 1, "segmentation": []},
    ]
    ((_, part),) = detection.unpack(written(tmp_path, json.dumps(content))).parts
    note = "left out: 3 polygons without a point, 1 annotation without a segmentation"
    assert decoded(part).note == note
    np.testing.assert_array_equal(drawn(part), where(in_triangle(), 1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"annotations": []}, "no image in it is annotated"),
        ({"annotations": [{"image_id": 1}]}, "of image 1, which is not in 'images'"),
        ({"annotations": [{"segments_info": []}]}, "panoptic"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "the same name"),
        ({"images": [{"id": 1}, {"id": 1}]}, "two images have the same id"),
        ({"annotations": [{"image_id": 7, "category_id": 4}]}, "category 4, which is not listed"),
        ({"annotations": [{"image_id": 7, "category_id": 5, "segmentation": [[1, 2, 3]]}]},
         "3 numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 5,
                           "segmentation": {"size": [4, 4], "counts": [16]}}]}, "of size"),
        ({"annotations": [{"image_id": 7, "category_id": 5,
                           "segmentation": {"size": list(SHAPE), "counts": [3, 9999]}}]},
         "runs of 10002 pixels"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_coco(tmp_path, changed, message):
    path = written(tmp_path, coco(**changed))
    parts = detection.unpack(path).parts
    with pytest.raises(DataError, match=message):
        decoded(path.read_bytes() if parts is None else parts[0].data)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_polygons_of_coco_cover_what_pycocotools_covers(tmp_path):
    peer = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(3)
    flat = (rng.random((9, 2)) * [WIDTH, HEIGHT]).ravel().tolist()
    annotation = {"image_id": 7, "category_id": 1, "segmentation": [flat]}
    path = written(tmp_path, coco(annotations=[annotation]))
    ours = images_of(path)["one"] == 0
    theirs = peer.decode(peer.merge(peer.frPyObjects([flat], *SHAPE))) > 0
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.85  # it rounds the corners to pixels


# --- Label Studio


def test_regions_of_label_studio(tmp_path):
    triangle = region("polygon", "grass", {"points": in_percent(TRIANGLE), "closed": True})
    (x, y), (right, bottom) = in_percent([[10, 20], [50, 24]])
    box = {"x": x, "y": y, "width": right - x, "height": bottom - y, "rotation": 0}
    (cx, cy), (rx, ry) = in_percent([[30, 12], [9, 5]])
    ellipse = {"x": cx, "y": cy, "radiusX": rx, "radiusY": ry, "rotation": 40}
    (dot,) = in_percent([[50.5, 30.5]])
    text = label_studio(
        ("/data/upload/1/0a1b2c3d-one.jpg", [triangle]),
        ("/data/local-files/?d=set%2Ftwo.png", [region("rectangle", "water", box)]),
        ("s3://bucket/dir/three.jpg", [region("ellipse", "sky", ellipse)]),
        ("https://host/four.jpg?x=1", [region("keypoint", "sky", {"x": dot[0], "y": dot[1]})]),
        ("/data/upload/1/0a1b2c3d-five.jpg", []),
    )
    found = images_of(written(tmp_path, text))
    assert list(found) == ["one", "two", "three", "four"]
    np.testing.assert_array_equal(found["one"], where(in_triangle(), 1))
    expected = (ROWS > 20) & (ROWS < 24) & (COLUMNS > 10) & (COLUMNS < 50)
    np.testing.assert_array_equal(found["two"], where(expected, 2))
    np.testing.assert_array_equal(found["three"], where(in_ellipse(30, 12, 9, 5, 40), 0))
    np.testing.assert_array_equal(found["four"], line(0, [(50, 30)]))


def test_rectangles_of_label_studio_are_turned_about_their_upper_left_corner(tmp_path):
    (corner,) = in_percent([[30, 6]])
    size = {"width": 100 * 20 / WIDTH, "height": 100 * 8 / HEIGHT, "rotation": 90}
    box = region("rectangle", "grass", {"x": corner[0], "y": corner[1], **size})
    found = images_of(written(tmp_path, label_studio(("a.jpg", [box]))))["a"]
    expected = (COLUMNS > 22) & (COLUMNS < 30) & (ROWS > 6) & (ROWS < 26)
    np.testing.assert_array_equal(found, where(expected, 1))


def test_a_brush_of_label_studio(tmp_path):
    # label-studio-sdk 2.1.2, converter.brush.mask2rle: rows 1 to 3, columns 2 to 5 and (4, 7)
    rle = [0, 0, 0, 192, 57, 27, 254, 39, 0, 191, 255, 124, 2, 255, 253, 240, 11, 255, 248, 140, 2,
           63, 252, 62, 0]  # fmt: skip
    size = {"original_height": 6, "original_width": 8}
    brush = region("brush", "water", {"format": "rle", "rle": rle}) | size
    found = images_of(written(tmp_path, label_studio(("a.jpg", [brush]))))["a"]
    expected = np.full((6, 8), 255)
    expected[1:4, 2:6] = expected[4, 7] = 2
    np.testing.assert_array_equal(found, expected)


def test_the_small_export_of_label_studio(tmp_path):
    size = {"original_height": HEIGHT, "original_width": WIDTH}
    triangle = {"points": in_percent(TRIANGLE), "polygonlabels": ["grass"], **size}
    task = {"id": 1, "image": "/data/upload/1/0a1b2c3d-a.jpg", "label": [triangle], "annotator": 1}
    found = images_of(written(tmp_path, json.dumps([task])))
    np.testing.assert_array_equal(found["a"], where(in_triangle(), 1))


def test_labels_of_label_studio_may_be_regions_of_their_own(tmp_path):
    triangle = region("polygon", "", {"points": in_percent(TRIANGLE)}) | {"type": "polygon"}
    del triangle["value"]["polygonlabels"]
    label = {"id": "x", "type": "labels", "value": {"labels": ["grass"]}}
    choice = {"id": "y", "type": "choices", "value": {"choices": ["good"]}}
    path = written(tmp_path, label_studio(("a.jpg", [triangle, label, choice])))
    np.testing.assert_array_equal(images_of(path)["a"], where(in_triangle(), 1))
    assert decoded(detection.unpack(path).parts[0].data).note == "left out: 1 choices result"


def test_a_task_with_two_annotations_wants_one_marked(tmp_path):
    triangle = region("polygon", "grass", {"points": in_percent(TRIANGLE)})
    (task,) = json.loads(label_studio(("a.jpg", [triangle])))
    task["annotations"].append({"id": 2, "result": [region("polygon", "sky", {"points": []})]})
    path = written(tmp_path, json.dumps([task]))
    with pytest.raises(DataError, match="the task has 2 annotations; mark one"):
        images_of(path)
    task["annotations"][0]["ground_truth"] = True
    np.testing.assert_array_equal(
        images_of(written(tmp_path, json.dumps([task])))["a"], where(in_triangle(), 1)
    )
    task["annotations"] = [task["annotations"][0], {"was_cancelled": True, "result": [{}]}]
    assert list(images_of(written(tmp_path, json.dumps([task])))) == ["a"]


# --- VIA


def test_regions_of_via(tmp_path):
    x, y = np.transpose(TRIANGLE).tolist()
    regions = [
        via_region({"class": "grass"}, "polygon", all_points_x=x, all_points_y=y),
        via_region({"class": "sky"}, "circle", cx=40, cy=30, r=6),
        via_region({"class": "water"}, "rect", x=30, y=2, width=20, height=5),
        via_region({"class": "water"}, "polyline", all_points_x=[2, 9], all_points_y=[38, 38]),
        via_region({"class": "sky"}, "point", cx=20, cy=35),
    ]
    expected = where(in_triangle(), 1)
    expected[in_ellipse(40, 30, 6, 6)] = 0
    expected[2:7, 30:50] = 2
    for more in (line(2, [(1.5, 37.5), (8.5, 37.5)]), line(0, [(19.5, 34.5)])):
        expected = np.where(more == 255, expected, more)
    found = images_of(written(tmp_path, via(*regions)))
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], expected)
    # version 1 numbers the regions in an object, and exports annotations without the project
    images = json.loads(via())["_via_img_metadata"]
    images["a.jpg1234"]["regions"] = {str(k): entry for k, entry in enumerate(regions)}
    found = images_of(written(tmp_path, json.dumps(images)))
    np.testing.assert_array_equal(found["a"], expected)


def test_ellipses_of_via_are_turned_by_radians(tmp_path):
    ellipse = via_region({"x": "grass"}, "ellipse", cx=25, cy=20, rx=14, ry=4, theta=math.pi / 6)
    found = images_of(written(tmp_path, via(ellipse)))["a"]
    np.testing.assert_array_equal(found, where(in_ellipse(25, 20, 14, 4, 30), 1))


def test_the_table_of_via(tmp_path):
    x, y = np.transpose(TRIANGLE).tolist()
    attributes = json.dumps({"name": "polygon", "all_points_x": x, "all_points_y": y})
    quoted = [cell.replace('"', '""') for cell in (attributes, json.dumps({"class": "grass"}))]
    text = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        f'region_attributes\na.jpg,12,"{{}}",1,0,"{quoted[0]}","{quoted[1]}"\n'
        'b.jpg,12,"{}",0,0,"{}","{}"\n'
    )
    found = images_of(written(tmp_path, text, "via.csv"))
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], where(in_triangle(), 1))


def test_a_table_of_via_that_is_no_csv_fails_by_itself(tmp_path):
    path = written(
        tmp_path, f"filename,region_shape_attributes\na.jpg,{'1' * 140_000}\n", "via.csv"
    )
    assert detection.unpack(path).parts is None
    with pytest.raises(DataError, match="not CSV: field larger"):
        decoded(path.read_bytes(), "via.csv")


def test_options_of_a_project_of_via_are_its_classes(tmp_path):
    options = {"type": "dropdown", "options": {"sky": "", "grass": "", "water": ""}}
    dot = via_region({"kind": {"grass": True}}, "point", cx=3, cy=3)
    path = written(tmp_path, via(dot, _via_attributes={"region": {"kind": options}}))
    assert classes_in(path) == ("sky", "grass", "water")
    np.testing.assert_array_equal(images_of(path)["a"], line(1, [(2.5, 2.5)]))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kind": "sky", "side": "left"}, "has the attributes kind, side; which is the class"),
        ({}, "no label"),
        ({"kind": {"sky": True, "grass": True}}, "several classes: sky, grass"),
    ],
)
def test_a_region_of_via_has_one_class(tmp_path, attributes, message):
    path = written(tmp_path, via(via_region(attributes, "point", cx=3, cy=3)))
    with pytest.raises(DataError, match=message):
        images_of(path)


# --- QuPath, DAVIS, YOLO, points


def test_objects_of_qupath():
    hole = [[7, 7], [10, 7], [10, 10], [7, 10], [7, 7]]
    text = geojson(
        ("grass", "Polygon", [[*TRIANGLE, TRIANGLE[0]], hole]),
        ("water", "LineString", [[30, 3], [50, 15]]),
        ("sky", "MultiPoint", [[40.5, 30.5], [44.5, 30.5]]),
        (None, "Polygon", [hole]),
        (None, "Polygon", [hole]),
    )
    expected = where(in_triangle(), 1)
    expected[7:10, 7:10] = 255
    for more in (line(2, [(29.5, 2.5), (49.5, 14.5)]), line(0, [(40, 30)]), line(0, [(44, 30)])):
        expected = np.where(more == 255, expected, more)
    np.testing.assert_array_equal(drawn(text, "a.geojson"), expected)
    assert decoded(text).note == "left out: 2 objects without a class"
    listed = json.dumps(json.loads(text)["features"])  # QuPath 0.2 has no collection
    np.testing.assert_array_equal(drawn(listed, "a.json"), expected)


TWO_LINES = (
    ("grass", "LineString", [[5.5, 5.5], [30.5, 5.5]]),
    ("water", "LineString", [[5.5, 9.5], [30.5, 9.5]]),
)
"""Of QuPath, in the rows 5 and 9."""


def plane(z: int, t: int = 0, c: int = -1) -> dict:
    """What QuPath writes into a geometry that is not on its first plane."""
    return {"c": c, "z": z, "t": t}


@pytest.mark.parametrize("other", [plane(2), plane(0, 1)])
def test_objects_of_qupath_on_other_planes_are_left_out(other):
    third = ("sky", "LineString", [[1, 20], [9, 20]])
    text = geojson(*TWO_LINES, third, planes=[plane(0, c=1), other, other])
    np.testing.assert_array_equal(drawn(text), line(1, [(5, 5), (30, 5)]))
    assert decoded(text).note == "left out: 2 objects on a plane other than z=0 t=0"


def test_objects_of_qupath_on_one_plane_are_those_of_a_picture_of_it():
    text = geojson(*TWO_LINES, (None, "Point", [1, 1]), planes=[plane(3), plane(3)])
    rows = line(1, [(5, 5), (30, 5)]), line(2, [(5, 9), (30, 9)])
    np.testing.assert_array_equal(drawn(text), np.minimum(*rows))
    assert decoded(text).note == "left out: 1 object without a class"


def test_objects_of_qupath_on_planes_without_the_first_are_refused():
    with pytest.raises(DataError, match="planes 'z=1 t=0', 'z=4 t=2', none on the first, z=0 t=0"):
        decoded(geojson(*TWO_LINES, planes=[plane(4, 2), plane(1)]))


def test_parts_of_a_multi_polygon_are_filled():
    other = [[30, 4], [40, 4], [40, 9], [30, 9]]
    expected = in_triangle()
    expected[4:9, 30:40] = True
    text = geojson(("grass", "MultiPolygon", [[TRIANGLE], [other]]))
    np.testing.assert_array_equal(drawn(text), where(expected, 1))


def test_scribbles_of_davis_reach_from_the_first_to_the_last_pixel(tmp_path):
    path = written(tmp_path, davis(f1=[(0, [[0, 0], [1, 0]]), (2, [[0.5, 1], [0.5, 1]])]))
    found = images_of(path)
    assert list(found) == ["00001"]
    expected = np.full(SHAPE, 255)
    expected[0] = 0
    expected = np.where(line(2, [(27.5, 39)]) == 2, 2, expected)
    np.testing.assert_array_equal(found["00001"], expected)


def test_polygons_of_yolo_are_shares_of_the_image():
    flat = " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in TRIANGLE)
    text = f"1 {flat}\n0 0.5 0.5 0.2 0.2\n"
    np.testing.assert_array_equal(drawn(text, "a.txt"), where(in_triangle(), 1))
    assert decoded(text, "a.txt").note == "left out: 1 box"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0.1 0.1 0.5 0.1 0.4\n", "line 1: 5 numbers after the class"),
        ("1 10 10 50 10 40 70\n", "not in 0..1"),
        ("1 0.1 0.1 0.5 0.1 0.4 0.7\ncat 0.1 0.1 0.5 0.1 0.4 0.7", "line 2: expected a class id"),
        ("1 nan nan nan nan nan nan", "not in 0..1"),
    ],
)
def test_what_is_wrong_with_yolo(text, message):
    with pytest.raises(DataError, match=message):
        decoded(text, "a.txt")


SEEN = "0.25 0.3 2 0.28 0.31 1"
HIDDEN = "0.25 0.3 0 0.28 0.31 1"


@pytest.mark.parametrize(
    "text",
    [
        f"0 0.3 0.4 0.2 0.5 {SEEN}\n",  # an even count of numbers, as of polygons
        f"0 0.3 0.4 0.2 0.5 {HIDDEN}\n0 0.6 0.6 0.2 0.5 {SEEN}\n",
        f"0 0.3 0.4 0.2 0.5 {HIDDEN}\n0 0.1 0.1 0.1 0.1\n",  # and a box
        "0 0.3 0.4 0.2 0.5 0.25 0.3 2\n",
        f"0 0.3 0.4 0.2 0.5 {SEEN} {SEEN} {HIDDEN} {HIDDEN} 0 0 0\n",
    ],
)
def test_poses_of_yolo_are_refused(text):
    with pytest.raises(DataError, match=r"holds poses .* export segments"):
        decoded(text, "a.txt")


def test_polygons_of_yolo_at_the_border_are_no_poses():
    """Every third number from the seventh on is 0 or 1."""
    corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]  # no box in the image
    text = "1 " + " ".join(f"{x} {y}" for x, y in corners)
    assert (drawn(text, "a.txt") == 1).all()
    like_a_pose = "1 0.5 0.5 0.25 0.25 0.5 0.25 0 0.5 0.5 1"
    text = f"{like_a_pose}\n0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n"  # not as long
    assert set(np.unique(drawn(text, "a.txt"))) == {0, 1, 255}
    assert decoded(text, "a.txt").note is None


def test_poses_of_yolo_without_visibility_are_drawn_with_a_note():
    points = "0.25 0.3 0.35 0.3 0.3 0.6 0 0 0.3 0.2"
    text = f"0 0.3 0.4 0.2 0.5 {points}\n0 0.3 0.4 0.2 0.5 {points}\n0 0.5 0.5 0.2 0.2\n"
    assert decoded(text, "a.txt").note == (
        "left out: 1 box; lines look like poses (a box, then key points) and are drawn as polygons"
    )
    polygon = "0 0.3 0.4 0.35 0.45 0.4 0.5 0.35 0.55 0.3 0.5"
    assert decoded(f"{polygon}\n", "a.txt").note is None


def test_strokes_are_not_taken_for_yolo():
    np.testing.assert_array_equal(drawn("# x\n1,4,5,12,5\n", "a.txt"), line(1, [(4, 5), (12, 5)]))


def test_lists_of_points_name_images(tmp_path):
    text = json.dumps(
        {
            "2008_000008": [{"x": 5, "y": 6, "cls": 1, "rank": 1}, {"x": 9, "y": 4, "cls": 0}],
            "b.v2.png": [{"x": 3, "y": 3, "label": "water"}],
            "v1.2": [{"x": 3, "y": 3, "cls": 0}],
            "none": [],
        }
    )
    found = images_of(written(tmp_path, text))
    assert list(found) == ["2008_000008", "b.v2", "v1.2"]
    assert found["2008_000008"][6, 5] == 1 and found["2008_000008"][4, 9] == 0
    assert (found["2008_000008"] != 255).sum() == 2
    np.testing.assert_array_equal(found["b.v2"], line(2, [(3, 3)]))


# --- napari and ilastik

SHAPES = "index,shape-type,vertex-index,axis-0,axis-1,axis-2,"


def test_shapes_of_napari_in_one_slice_with_several_columns():
    text = f"{SHAPES}sure,Label\n0,path,0,7,5,6,.5,sky\n0,path,1,7,5,9,.5,sky\n1,spline,0,7,1,1,1,sky\n"
    found = decoded(text, "a.csv")
    assert found.note == "left out: 1 spline"
    np.testing.assert_array_equal(drawn(text, "a.csv"), line(0, [(6, 5), (9, 5)]))
    assert not decoded("index,axis-0,axis-1\n", "a.csv").value.marks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SHAPES}label\n0,path,0,7,5,6,sky\n1,path,0,8,5,6,sky\n", "in several slices"),
        (f"{SHAPES}sure,kind\n0,path,0,7,5,6,1,sky\n", "which of the columns sure, kind is the"),
        (f"{SHAPES[:-1]}\n0,path,0,7,5,6\n", "a.csv: no column says the class"),
        (f"{SHAPES}label\n0,path,0,7,5,x,sky\n", "points are not numbers"),
        (f"{SHAPES}label\n0,path,0,7,5,6\n", "a path has no label"),
        (f"{SHAPES}label\n0,ellipse,0,7,5,6,sky\n", "has 1 points, expected 4"),
        (f"{SHAPES}label\n0,path,0,7,5,6,{'x' * 140_000}\n", "a.csv: not CSV: field larger"),
    ],
)
def test_what_is_wrong_with_tables_of_napari(text, message):
    with pytest.raises(DataError, match=message):
        drawn(text, "a.csv")


@pytest.mark.parametrize("form", [(1, *SHAPE), (*SHAPE, 1), (1, *SHAPE, 1)])
def test_layers_may_have_axes_of_length_one_at_both_ends(form):
    values = np.zeros(SHAPE, np.uint8)
    values[3, 4:9] = 2
    expected = np.full(SHAPE, 255)
    expected[3, 4:9] = 1
    np.testing.assert_array_equal(drawn(npy(values.reshape(form)), "a.npy"), expected)


# --- Which format, archives, and files of several images

ONE_EACH = {
    "labelme": labelme(shape("sky", "point", [[1, 1]])),
    "coco": coco(),
    "labelstudio": label_studio(("a.jpg", [region("keypoint", "sky", {"x": 1, "y": 1})])),
    "via": via(via_region({"a": "sky"}, "point", cx=3, cy=3)),
    "davis": davis(f0=[(1, [[0, 0]])]),
    "geojson": geojson(("sky", "Point", [3, 3])),
    "points": '{"a": [{"x": 1, "y": 2, "cls": 3}]}',
    "voc": voc(("cat", (1, 1, 3, 3))),
    "scribblesup": scribblesup(polygon("cat", (1, 1))),
    "cvat": CVAT,
    "yolo": "0 0.1 0.1 0.5 0.1 0.4 0.7\n",
    "strokes": "0,1,2,3,4\n",
    "napari-csv": "index,axis-0,axis-1,label\n0,3.0,4.0,sky\n",
}


@pytest.mark.parametrize("form", ONE_EACH)
def test_formats_are_recognized_by_their_content(form):
    data = ONE_EACH[form].encode()
    assert detection.detected_format(data, "whatever") == form
    assert detection.detected_format(b"\xef\xbb\xbf \n" + data, "whatever") == form


@pytest.mark.parametrize("form", [name for name, entry in detection.FORMATS.items() if entry.split])
def test_parts_keep_their_format(tmp_path, form):
    path = written(tmp_path, ONE_EACH[form])
    parts = detection.unpack(path).parts
    assert parts
    for stem, data in parts:
        assert detection.detected_format(data, f"{path} ({stem})") == form
        assert decoded(data, f"{path} ({stem})").value.marks
    with pytest.raises(DataError, match="give the file itself"):
        decoded(ONE_EACH[form], "else.json")


def test_every_format_is_tried():
    assert {*ONE_EACH, "napari", "sbd", "picture"} == set(detection.FORMATS)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.json", "the file is empty"),
        (b" \n", "a.xml", "the file is empty"),
        (b'{"a": 1}', "a.json", "JSON of no program that is read"),
        (b'{"part_of": "nothing"}', "a.json", "JSON of no program that is read"),
        (b"{", "a.json", "not well-formed JSON"),
        (b"<drawing/>", "a.xml", "the root is <drawing>"),
        (b"P4\n8 1\n\x00", "a.pbm", "it is a bitmap"),
        (b"P6\n1 1\n255\n\x01\x02\x03", "a.ppm", "labels are stored as PPM colours"),
        (by_pillow(np.zeros(SHAPE, np.uint8), "WEBP", lossless=True), "a.webp", "it is WEBP data"),
        (zipped([(b"a/readme.md", b"x")]), "a.zip", "no annotations in this archive"),
        (zipped([(b"a.xml", CVAT.encode())])[:200], "a.zip", "not a readable archive"),
        (zipped([(b"b.zip", zipped([(b"a.xml", CVAT.encode())]))]), "a.zip", "no annotations"),
        (zipped([(b"a.xml", CVAT.encode())]), "a.zip", "an archive; give the file itself"),
    ],
)
def test_what_is_of_no_format(data, name, message):
    with pytest.raises(DataError, match=message):
        decoded(data, name)


def test_an_archive_is_read_as_a_folder(tmp_path):
    members = [
        (b"task/annotations.xml", CVAT.encode()),
        (b"task/images/one.jpg", b"x"),
        (b"__MACOSX/task/._annotations.xml", b"x"),
        (b"task/labels.json", coco().encode()),  # JSON comes before XML, as in a folder
    ]
    path = written(tmp_path, zipped(members), "task.zip")
    assert list(images_of(path)) == ["one", "two"]
    assert classes_in(path) == ("sky", "grass")
    assert classes_in(path, "cvat") == ("sky",)
    assert [part.stem for part in detection.unpack(path, "cvat").parts] == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [cvat('<points label="sky" points="1,1"/>', name=""), coco(images=[{"id": 3}, {"id": 7}])],
)
def test_images_without_a_name_are_refused(tmp_path, text):
    path = written(tmp_path, text)
    assert detection.unpack(path).parts is None
    with pytest.raises(DataError, match="an image in it has no name"):
        decoded(text)


def test_an_archive_in_an_archive_is_not_unpacked(tmp_path):
    inner = zipped([(b"annotations.xml", CVAT.encode())])
    (part,) = detection.unpack(written(tmp_path, zipped([(b"a.json", inner)]), "all.zip")).parts
    assert part == ("a", inner)
    with pytest.raises(DataError, match="an archive; give the file itself"):
        decoded(part.data)


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["a.json", "b.xml", "c.png"], [".json"]),
        (["b.xml", "scores.csv", "old.zip", "q.geojson"], [".xml"]),
        (["c.png", "scores.csv", "q.geojson"], [".png"]),
        (["scores.csv", "old.zip"], [".csv"]),
        (["old.zip", "a.jpg"], [".zip"]),
        (["q.geojson", "old.zip"], [".geojson"]),
    ],
)
def test_which_files_of_a_folder_are_read(tmp_path, names, read):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    suffixes = detection.suffixes_of(str(tmp_path), None)
    assert [suffix for suffix in suffixes if any(n.endswith(suffix) for n in names)] == read


def test_files_that_list_different_classes_are_refused():
    assert detection.common_class_names({"a": ["x", "y"], "c": ("x", "y")}) == ("x", "y")
    assert detection.common_class_names({}) is None
    with pytest.raises(DataError, match="a and b list different classes"):
        detection.common_class_names({"a": ["x", "y"], "b": ["y", "x"]})


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("/data/upload/12/0a1b2c3d-cat.v2.jpg", "cat.v2"),
        ("/data/local-files/?d=set/cat%201.png", "cat 1"),
        ("gs://bucket/a%20b.jpg", "a b"),
        ("C:\\pictures\\a.jpg", "a"),
        ("0a1b2c3d-cat.jpg", "0a1b2c3d-cat"),
        ("../../etc/a.jpg", "a"),
    ],
)
def test_names_of_images_are_paths_or_addresses(name, stem):
    assert image_stem(name) == stem


def test_boxes_of_yolo_are_shares_of_the_image_too():
    with pytest.raises(DataError, match=r"line 1: coordinates are not in 0\.\.1"):
        detection.decode_annotation(b"0 10 10 50 50\n1 60 20 80 90\n", "a.txt")
