"""Exports of other programs, as they wrote them: blanks between elements apart, nothing is ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import SHAPE, in_triangle

from wsstools.core.scribbles.annotation import draw_annotation, resolve_names
from wsstools.core.scribbles.strokes import Stroke, draw_strokes
from wsstools.formats.annotations import detection

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
