"""`scribbles --from-boxes`: labels from boxes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import CVAT, SHAPE, STEMS, coco, folder_bytes, labelme, labels_of, shape, voc

from wsstools.formats import label_files
from wsstools.formats.image_files import encode_image

HEIGHT, WIDTH = SHAPE
CAT = ("cat", (11, 5, 30, 24))
"""Rows 4 to 23 and columns 10 to 29, of class 8."""


@pytest.fixture
def labelled(wss, tmp_path):
    """The labels of annotations by name, and what the run printed."""

    def run(files: dict[str, str], *options: object, code: int = 0):
        folder = tmp_path / "boxes"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        outcome = wss("scribbles", folder, "-o", tmp_path / "out", "--jobs", 1, "--from-boxes",
                      *options)  # fmt: skip
        assert outcome.code == code, outcome.err
        return {path.stem: labels_of(path) for path in outcome.paths}, outcome

    return run


def test_filled_boxes_of_voc(labelled, tmp_path):
    files = {"a.xml": voc(CAT, ("person", (1, 1, 12, 99))), "b.xml": voc(("dog", (-5, -5, 2, 2)))}
    found, outcome = labelled(files, "box")
    expected = np.zeros(SHAPE, np.uint8)
    expected[:, :12] = 15
    expected[4:24, 10:30] = 8
    np.testing.assert_array_equal(found["a"], expected)
    assert (found["b"][:2, :2] == 12).all() and np.count_nonzero(found["b"]) == 4
    meta = label_files.read_meta(outcome.paths[0])
    assert meta["options"]["from_boxes"] == "box"
    assert meta["result"] == {"boxes": 2}
    assert (tmp_path / "out" / "classes.txt").read_text().splitlines()[8] == "cat"


def test_inner_boxes(labelled):
    found, _ = labelled({"a.xml": voc(CAT)}, "inner", "--inner-share", 0.25)
    expected = np.zeros(SHAPE, np.uint8)
    expected[4:24, 10:30] = 255
    expected[9:19, 15:25] = 8
    np.testing.assert_array_equal(found["a"], expected)


@pytest.fixture
def pictures(tmp_path):
    """An image with a red square in the middle of the box of CAT."""
    colours = np.full((*SHAPE, 3), [60, 80, 190])
    colours[8:20, 14:26] = [190, 60, 60]
    noise = np.random.default_rng(0).normal(0, 10, colours.shape)
    folder = tmp_path / "images"
    folder.mkdir()
    for stem in ("a", "b"):
        image = np.clip(colours + noise, 0, 255).astype(np.uint8)
        (folder / f"{stem}.png").write_bytes(encode_image(image))
    return folder


def test_grabcut_finds_the_object_for_any_number_of_jobs(labelled, wss, pictures, tmp_path):
    files = {"a.xml": voc(CAT, size=None), "b.xml": voc(CAT)}
    options = ("grabcut", "--images", pictures, "--runs", 2)
    found, outcome = labelled(files, *options)
    truth = np.zeros(SHAPE, bool)
    truth[8:20, 14:26] = True
    for labels in found.values():
        assert ((labels == 8) & truth).sum() / ((labels == 8) | truth).sum() > 0.95
        assert not labels[:4].any()
    assert label_files.read_meta(outcome.paths[0])["result"] == {"boxes": 1, "failed": 0}
    again = wss("scribbles", tmp_path / "boxes", "-o", tmp_path / "two", "--jobs", 2,
                "--from-boxes", *options)  # fmt: skip
    assert again.code == 0, again.err
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "two")
    assert "skipped 2 (up to date)" in labelled(files, *options)[1].err
    refused = labelled(files, *options, "--seed", 1, code=2)[1]
    assert "seed 0 (now 1)" in refused.err


def test_boxes_around_ground_truth(wss, dataset, tmp_path):
    outcome = wss("scribbles", dataset / "gt", "--simulate", "--from-boxes", "box", "-o",
                  tmp_path / "out", "--jobs", 1)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == list(STEMS)
    expected = np.zeros(SHAPE, np.uint8)
    expected[:, WIDTH // 3 :] = 1
    expected[HEIGHT // 2 :, 2 * WIDTH // 3 :] = 3
    np.testing.assert_array_equal(labels_of(outcome.paths[0]), expected)
    small = wss("scribbles", dataset / "gt", "--simulate", "--from-boxes", "box", "-o",
                tmp_path / "large", "--jobs", 1, "--min-area", 500)  # fmt: skip
    assert set(np.unique(labels_of(small.paths[0]))) == {0, 1}


def test_listed_classes_get_a_background(labelled, tmp_path):
    content = json.loads(coco())
    content["annotations"][0]["bbox"] = [10, 4, 20, 20]
    found, outcome = labelled({"all.json": json.dumps(content)}, "box")
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\nsky\ngrass\n"
    assert (found["one"][4:24, 10:30] == 2).all()
    assert "two" in found and not found["two"].any()
    assert "no box in it: all of it is background" in outcome.err


def test_a_background_that_is_listed_stays(labelled, tmp_path):
    listed = "<label><name>background</name></label><label><name>sky</name></label>"
    text = CVAT.replace("<label><name>sky</name></label>", listed)
    found, outcome = labelled({"a.xml": text}, "box", code=1)
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\nsky\n"
    assert list(found) == ["two"] and (found["two"][4:6, 10:14] == 1).all()
    assert "one): holds no box: 1 mask, 1 line" in outcome.err


def test_a_box_of_class_0_is_refused_and_ids_can_change(labelled, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encode_image(np.zeros((*SHAPE, 3), np.uint8)))
    files = {"a.txt": "0 0.5 0.5 0.5 0.5\n"}
    _, outcome = labelled(files, "box", "--images", tmp_path / "images", code=1)
    assert "a box of 0 is of class 0, which is what is outside all boxes" in outcome.err
    found, _ = labelled(files, "box", "--images", tmp_path / "images", "--remap", "0=1,1=2")
    assert (found["a"][10:30, 14:42] == 1).all() and found["a"].sum() == 20 * 28


@pytest.mark.parametrize(
    ("files", "options", "code", "message"),
    [
        ({"a.xml": voc(CAT)}, ["circle"], 2, "--from-boxes circle: expected box, inner, grabcut"),
        ({"a.xml": voc(CAT)}, ["grabcut"], 2, "--from-boxes grabcut looks at the images"),
        ({"a.xml": voc(CAT)}, ["box", "--min-area", 9], 2, "--min-area is for --simulate"),
        ({"a.xml": voc(CAT)}, ["box", "--colours", "voc"], 2, "are for pictures, not boxes"),
        ({"a.xml": voc(CAT)}, ["box", "--simulate", "--source-format", "voc"], 2, "ground truth"),
        ({"a.xml": voc(("unicorn", (1, 1, 9, 9)))}, ["box"], 1, "no such class: unicorn"),
        ({"a.xml": voc(CAT, size=None)}, ["box"], 1, "give --images"),
        ({"a.json": labelme(shape("x", "rectangle", [[1, 1], [5, 5]]))}, ["box"], 1,
         "no such class: x (classes: none); write a classes.txt"),
        ({"a.json": labelme(shape("x", "line", [[1, 1], [5, 5]]))}, ["box"], 1, "holds no box"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(labelled, files, options, code, message):
    _, outcome = labelled(files, *options, code=code)
    mark = "error: " if code == 2 else "failed: "
    (line,) = [line for line in outcome.err.splitlines() if mark in line]
    assert message in line


def test_sizes_of_boxes_and_images_are_compared(labelled, pictures):
    _, outcome = labelled({"a.xml": voc(CAT, size=(9, 9))}, "box", "--images", pictures, code=1)
    assert "the boxes are in an image of shape (9, 9), not (40, 56) (H, W)" in outcome.err
