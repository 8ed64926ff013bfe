"""`scribbles`: annotations of every format it reads, and strokes simulated from ground truth."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from builders import (
    CVAT,
    RLE,
    SHAPE,
    STEMS,
    by_pillow,
    coco,
    folder_bytes,
    frames,
    in_triangle,
    labelme,
    labels_of,
    npy,
    png_in_base64,
    polygon,
    sbd,
    scribblesup,
    shape,
    tiff,
    zipped,
)
from PIL import Image
from scipy.io import savemat

import wsstools.demo
from wsstools.core.scribbles.annotation import Area
from wsstools.core.scribbles.class_names import VOC_CLASSES, resolve_names
from wsstools.core.scribbles.strokes import Stroke, draw_strokes
from wsstools.formats import label_files
from wsstools.formats.annotations import detection
from wsstools.running.settings import Selection
from wsstools.steps.annotation_sources import open_source

HEIGHT, WIDTH = SHAPE


def drawn(*strokes: tuple[int, list], width: float = 3) -> np.ndarray:
    return draw_strokes([Stroke(c, np.array(p, float)) for c, p in strokes], SHAPE, width=width)


# --- ScribbleSup


@pytest.fixture
def converted(wss, tmp_path):
    """The scribbles of one annotation file, and what the run printed."""

    def convert(name: str, content: str | bytes, *options: object, code: int = 0):
        folder = tmp_path / "annotations"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        out = tmp_path / "out"
        outcome = wss("scribbles", path, "-o", out, "--overwrite", "--jobs", 1, *options)
        assert outcome.code == code, outcome.err
        made = [labels_of(each) for each in outcome.paths]
        return made, outcome

    return convert


def test_a_polygon_is_an_open_stroke(converted):
    corners = [(5, 5), (40, 5), (40, 30)]
    (found,), _ = converted("a.xml", scribblesup(polygon("cat", *corners)))
    np.testing.assert_array_equal(found, drawn((8, corners)))
    assert (found[16:20, 20:24] == 255).all()  # on the line that would close it


@pytest.mark.parametrize("tag", VOC_CLASSES)
def test_voc_names_are_voc_classes(converted, tag):
    (found,), _ = converted("a.xml", scribblesup(polygon(tag, (5, 5), (9, 9))))
    assert set(np.unique(found)) == {VOC_CLASSES.index(tag), 255}


@pytest.mark.parametrize(
    ("tag", "class_id"),
    [("plane", 1), ("bike", 2), ("table", 11), ("motorbike", 14), ("plant", 16), ("sofa", 18),
     ("monitor", 20), ("background", 0)],
)  # fmt: skip
def test_tags_of_scribblesup_are_voc_classes(converted, tag, class_id):
    (found,), _ = converted("a.xml", scribblesup(polygon(tag, (5, 5), (9, 9))))
    assert set(np.unique(found)) == {class_id, 255}


def test_points_outside_the_image_only_lead_the_line_out(converted):
    points = [(-30, 10), (20, 10), (20, 400), (99999, -5)]
    (found,), outcome = converted("a.xml", scribblesup(polygon("dog", *points)))
    np.testing.assert_array_equal(found, drawn((12, points)))
    assert (found[10, :20] == 12).all()
    assert (found[10:, 20] == 12).all()
    meta = label_files.read_meta(outcome.paths[0])
    assert meta["result"] == {"marks": 1, "points_outside": 3}


def test_a_stroke_outside_the_image_draws_nothing(converted):
    (found,), _ = converted("a.xml", scribblesup(polygon("dog", (500, 500), (600, 500))))
    assert (found == 255).all()


def test_duplicate_points_and_strokes_change_nothing(converted):
    once = [(5, 5), (20, 9), (30, 30)]
    often = [(5, 5), (5, 5), (20, 9), (20, 9), (20, 9), (30, 30), (30, 30)]
    (one,), _ = converted("a.xml", scribblesup(polygon("cow", *once)))
    (two,), _ = converted("a.xml", scribblesup(polygon("cow", *often), polygon("cow", *often)))
    np.testing.assert_array_equal(one, two)


def test_a_single_point_is_a_dot(converted):
    (found,), _ = converted("a.xml", scribblesup(polygon("bird", (30, 20))))
    np.testing.assert_array_equal(found, drawn((3, [(30, 20)])))
    assert (found == 3).sum() == 9


def test_a_file_with_one_stroke_and_one_with_none(converted):
    (found,), outcome = converted("a.xml", scribblesup(polygon("bus", (3, 3), (50, 3))))
    assert set(np.unique(found)) == {6, 255}
    assert "warning" not in outcome.err
    (found,), outcome = converted("a.xml", scribblesup())
    assert (found == 255).all()
    assert "a: warning: nothing is annotated" in outcome.err


def test_classes_whose_marks_leave_no_pixel_are_warned_about(converted):
    outside, covered = polygon("dog", (-90, -90), (-80, -90)), polygon("cat", (9, 9))
    (found,), outcome = converted("a.xml", scribblesup(outside, covered, polygon("cow", (9, 9))))
    assert set(np.unique(found)) == {10, 255}
    message = "a: warning: no pixel is of 'dog', 'cat': marks are too small, outside or covered"
    assert message in outcome.err


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_label_that_is_no_class_shifts_no_id(wss, tmp_path, place):
    names = ["cat", "dog"]
    names.insert(place, "__ignore__")
    labels = "".join(f"<label><name>{name}</name></label>" for name in names)
    boxes = "".join(
        f'<box label="{name}" xtl="0" ytl="0" xbr="{width}" ybr="9"/>'
        for name, width in (("dog", 9), ("__ignore__", 4))
    )
    image = f'<image name="a.jpg" width="20" height="10">{boxes}</image>'
    (tmp_path / "a.xml").write_text(
        f"<annotations><meta><labels>{labels}</labels></meta>{image}</annotations>"
    )
    outcome = wss("scribbles", tmp_path / "a.xml", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    found = labels_of(tmp_path / "out" / "a.png")
    expected = np.full((10, 20), 255)
    expected[:9, 4:9] = 1
    np.testing.assert_array_equal(found, expected)
    assert label_files.read_class_names(tmp_path / "out" / "classes.txt") == ["cat", "dog"]


def test_names_that_classes_txt_cannot_hold_are_refused(wss, tmp_path):
    polygon = {"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    image = {"id": 1, "file_name": "a.jpg", "height": 10, "width": 20}
    categories = [{"id": 1, "name": "#1"}]
    content = {"images": [image], "categories": categories, "annotations": [polygon]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    outcome = wss("scribbles", tmp_path / "a.json", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "the name of class 0 is a comment: '#1'; classes.txt cannot hold it" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_polygon_without_points_is_reported(converted):
    (found,), outcome = converted("a.xml", scribblesup(polygon("bus"), polygon("car", (5, 5))))
    assert set(np.unique(found)) == {7, 255}
    assert "1 stroke without a point left out" in outcome.err


def test_later_strokes_cover_earlier_ones(converted):
    across, down = [(5, 20), (50, 20)], [(25, 5), (25, 35)]
    (found,), _ = converted("a.xml", scribblesup(polygon("car", *across), polygon("cat", *down)))
    np.testing.assert_array_equal(found, drawn((7, across), (8, down)))
    assert found[20, 25] == 8


def test_the_width_is_drawn_and_recorded(converted):
    line = [(10, 20), (40, 20)]
    for width in (1.0, 3.0, 7.0):
        (found,), outcome = converted(
            "a.xml", scribblesup(polygon("person", *line)), "--width", width
        )
        assert (found[:, 25] == 15).sum() == width
        assert label_files.read_meta(outcome.paths[0])["options"]["width"] == width


def test_names_follow_classes_txt_whatever_its_names(converted, tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "classes.txt").write_text("Plane\nbackground\nTV-Monitor\n")
    text = scribblesup(
        polygon("aeroplane", (5, 5)), polygon("background", (15, 5)), polygon("monitor", (25, 5))
    )
    (found,), outcome = converted("a.xml", text)
    assert found[5, [5, 15, 25]].tolist() == [0, 1, 2]
    meta = label_files.read_meta(outcome.paths[0])
    assert meta["options"]["classes"] == ["Plane", "background", "TV-Monitor"]
    assert label_files.find_class_names(str(tmp_path / "out")) == meta["options"]["classes"]


def test_voc_classes_are_written_beside_the_scribbles(converted, tmp_path):
    _, outcome = converted("a.xml", scribblesup(polygon("cat", (5, 5))))
    meta = label_files.read_meta(outcome.paths[0])
    assert meta["options"]["classes"] == list(VOC_CLASSES)
    assert label_files.find_class_names(str(tmp_path / "out")) == list(VOC_CLASSES)


def test_unknown_names_are_listed(converted):
    text = scribblesup(polygon("unicorn", (5, 5)), polygon("cat", (5, 5)), polygon("elf", (5, 5)))
    made, outcome = converted("a.xml", text, code=1)
    assert not made
    assert "no such class: elf, unicorn (classes: background, aeroplane," in outcome.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><polygon>", "not well-formed XML"),
        ("<annotation><polygon><point/></polygon></annotation>", "no <tag>"),
        (scribblesup(polygon("cat", ("x", 3))), "X='x'"),
        (scribblesup(polygon("cat", ("nan", 3))), "X='nan', expected a number"),
        ("<annotation><object><name>cat</name></object></annotation>", "no <polygon>"),
        ("<drawing/>", "the root is <drawing>"),
        (scribblesup(polygon("cat", (5, 5)), size=None), "give --images"),
        (scribblesup(polygon("cat", (5, 5)), size=(0, 9)), "give --images"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(converted, text, message):
    made, outcome = converted("a.xml", text, code=1)
    assert not made
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert message in line


def test_utf_16_is_read():
    text = scribblesup(polygon("cat", (5, 5))).replace("utf-8", "utf-16")
    found = detection.decode_annotation(text.encode("utf-16"), "a.xml").value
    assert [mark.name for mark in found.marks] == ["cat"]
    assert found.shape == SHAPE


def test_images_give_the_size_and_must_fit(converted, dataset):
    text = scribblesup(polygon("water", (5, 5)), size=None)
    (found,), _ = converted("a.xml", text, "--images", dataset / "images")
    assert found.shape == SHAPE
    assert found[5, 5] == 3  # by the classes.txt beside the images
    text = scribblesup(polygon("water", (5, 5)), size=(HEIGHT, WIDTH + 1))
    _, outcome = converted("a.xml", text, "--images", dataset / "images", code=1)
    assert "the annotation is of shape (40, 57), the image (40, 56)" in outcome.err


def test_a_folder_joins_by_name_and_jobs_give_the_same_bytes(wss, dataset, tmp_path):
    source = tmp_path / "xml"
    source.mkdir()
    for k, stem in enumerate(STEMS):
        (source / f"{stem}.xml").write_text(scribblesup(polygon("cat", (5 + k, 5), (40, 30))))
    for jobs in (1, 2):
        outcome = wss("scribbles", source, "-o", tmp_path / f"{jobs}", "--jobs", jobs)
        assert [path.stem for path in outcome.paths] == list(STEMS)
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "2")
    again = wss("scribbles", source, "-o", tmp_path / "1")
    assert "skipped 4 (up to date)" in again.err


def test_paths_come_from_standard_input(shell, tmp_path):
    for stem in "ab":
        (tmp_path / f"{stem}.xml").write_text(scribblesup(polygon("plane", (5, 5))))
    outcome = shell("ls *.xml | wss scribbles - -o out -j 1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == ["out/a.png", "out/b.png"]
    assert labels_of(tmp_path / "out" / "a.png")[5, 5] == 1


# --- labelme


@pytest.fixture
def named(tmp_path):
    """classes.txt beside the annotations."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "classes.txt").write_text("sky\ngrass\nwater\n")


def test_line_strips_of_labelme_are_strokes(converted, named):
    strip, line = [[5.5, 5.5], [30.5, 5.5], [30.5, 30.5]], [[10.5, 20.5], [20.5, 35.5]]
    shapes = shape("grass", "linestrip", strip), shape("water", "line", line)
    dots = shape("sky", "point", [[50.5, 30.5]])
    (found,), _ = converted("a.json", labelme(*shapes, dots))
    centres = [np.array(points) - 0.5 for points in (strip, line)]  # labelme counts from corners
    np.testing.assert_array_equal(found, drawn((1, centres[0]), (2, centres[1]), (0, [(50, 30)])))


def test_masks_of_labelme_lie_where_their_points_say(converted, named):
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    text = labelme(shape("water", "mask", [[7, 4], [9, 5]], mask=png_in_base64(mask)))
    (found,), _ = converted("a.json", text)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[4:6, 7:10][mask > 0] = 2
    np.testing.assert_array_equal(found, expected)


def test_a_mask_that_sticks_out_is_cut_off(converted, named):
    mask = np.ones((4, 6))
    for corner, area in (((-3, -2), 2 * 3), ((WIDTH - 2, HEIGHT - 1), 2), ((90, 5), 0)):
        x, y = corner
        points = [[x, y], [x + 5, y + 3]]
        text = labelme(shape("sky", "mask", points, mask=png_in_base64(mask)))
        (found,), _ = converted("a.json", text)
        assert (found == 0).sum() == area


def test_polygons_and_rectangles_of_labelme_are_filled(converted, named):
    triangle = [[0, 0], [10, 0], [0, 10]]
    shapes = shape("sky", "polygon", triangle), shape("grass", "rectangle", [[20, 9], [25, 3]])
    (found,), _ = converted("a.json", labelme(*shapes))
    assert (found[3:9, 20:25] == 1).all()
    assert (found == 1).sum() == 5 * 6
    y, x = np.nonzero(found == 0)
    assert 40 <= len(x) <= 60
    assert (x + y).max() <= 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not well-formed JSON"),
        ('{"version": "5"}', "no list 'shapes'"),
        (labelme(shape("sky", "circle", [[1, 1]])), "'sky' has 1 points, expected 2"),
        (labelme(shape("sky", "rectangle", [[1, 1], [2, 2], [3, 3]])), "3 points, expected 2"),
        (labelme(shape("sky", "linestrip", [[1, 1, 1]])), "shape (1, 3)"),
        (labelme(shape("sky", "linestrip", [])), "shape (0,)"),
        (labelme(shape("sky", "linestrip", [["a", 1]])), "not numbers"),
        (labelme(shape("", "linestrip", [[1, 1]])), "no label"),
        (labelme(shape("sky", "mask", [[1, 1], [2, 2]], mask="!")), "no PNG in base64"),
        (labelme(shape("sky", "mask", [[1, 1], [2, 2]], mask=png_in_base64(np.ones((9, 9))))),
         "its points say (2, 2)"),
        (labelme(shape("sea", "linestrip", [[1, 1]])), "no such class: sea (classes: sky"),
        (labelme(shape("sky", "polygon", [[1, 1], [5, 1], [1, 5]]), size=None), "give --images"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_labelme_is_one_line(converted, named, text, message):
    _, outcome = converted("a.json", text, code=1)
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert message in line


def test_a_folder_of_labelme_holds_images_too(wss, named, tmp_path):
    folder = tmp_path / "annotations"
    Image.new("RGB", SHAPE[::-1]).save(folder / "a.png")
    (folder / "a.json").write_text(labelme(shape("sky", "point", [[5, 5]])))
    outcome = wss("scribbles", folder, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert [path.name for path in outcome.paths] == ["a.png"]
    assert "of other formats, not read: 1" in outcome.err


# --- CVAT


def test_one_file_of_cvat_holds_many_images(converted, named):
    (one, two), outcome = converted("annotations.xml", CVAT)
    assert [path.stem for path in outcome.paths] == ["one", "two"]
    mask = np.zeros(10, bool)
    mask[[2, 3, 4, 9]] = True
    expected = np.full(SHAPE, 255, np.uint8)
    expected[3:5, 20:25][mask.reshape(2, 5)] = 2
    line = drawn((1, [(5, 5), (30, 5), (30, 30)]))
    np.testing.assert_array_equal(one, np.where(line == 1, 1, expected))
    expected = drawn((2, [(30, 20)]), (2, [(40, 20)]))
    expected[4:6, 10:14] = 0
    np.testing.assert_array_equal(two, expected)


def test_ids_and_shards_choose_images_of_cvat(wss, converted, named, tmp_path):
    (tmp_path / "ids.txt").write_text("two\n")
    _, outcome = converted("annotations.xml", CVAT, "--ids", tmp_path / "ids.txt")
    assert [path.stem for path in outcome.paths] == ["two"]
    _, outcome = converted("annotations.xml", CVAT, "--shard", "1/2")
    assert [path.stem for path in outcome.paths] == ["one"]


def test_one_changed_image_of_cvat_is_remade_alone(wss, converted, named, tmp_path):
    converted("annotations.xml", CVAT)
    path = tmp_path / "annotations" / "annotations.xml"
    path.write_text(CVAT.replace("40.5,20.5", "41.5,20.5"))
    outcome = wss("scribbles", path, "-o", tmp_path / "out")
    assert "1 written" in outcome.err
    assert "skipped 1 (up to date)" in outcome.err
    assert labels_of(tmp_path / "out" / "two.png")[20, 42] == 2


@pytest.mark.slow
def test_a_file_of_cvat_on_standard_input_must_be_of_one_image(shell, named, tmp_path):
    (tmp_path / "annotations" / "annotations.xml").write_text(CVAT)
    outcome = shell("ls annotations/*.xml | wss scribbles - -o out")
    assert outcome.code == 1
    assert "give the file itself" in outcome.err


def test_a_broken_file_of_cvat_fails_alone(wss, named, tmp_path):
    folder = tmp_path / "annotations"
    (folder / "job_1.xml").write_text(CVAT[:-20])
    (folder / "job_2.xml").write_text(CVAT)
    outcome = wss("scribbles", folder, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert [path.stem for path in outcome.paths] == ["one", "two"]
    assert "job_1: failed: " in outcome.err


def test_a_folder_of_cvat_files(wss, named, tmp_path):
    folder = tmp_path / "annotations"
    (folder / "job_1.xml").write_text(CVAT)
    (folder / "job_2.xml").write_text(CVAT.replace("one.jpg", "1.jpg").replace("two.jpg", "2.jpg"))
    outcomes = [
        wss("scribbles", folder, "-o", tmp_path / f"{jobs}", "--jobs", jobs) for jobs in (1, 2)
    ]
    assert [path.stem for path in outcomes[0].paths] == ["1", "2", "one", "two"]
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "2")
    (folder / "job_2.xml").write_text(CVAT)
    outcome = wss("scribbles", folder, "-o", tmp_path / "twice")
    assert outcome.code == 1
    assert "one: failed: job_1.xml and job_2.xml" in outcome.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (RLE, "2, 3, 4, 2", "runs of 11 pixels, its box 10"),
        (RLE, "2, 3, x", "no run lengths"),
        ('width="5" height="2"', 'width="99999" height="2"', "99999, the image"),
        ("5.5,5.5;", "5.5;", "points"),
        ("polyline", "ellipse", "cx=''"),
        (f'height="{HEIGHT}"', 'height="tall"', "height='tall'"),
    ],
)
def test_a_wrong_image_of_cvat_fails_alone(converted, named, old, new, message):
    text = (
        CVAT.replace(old, new)
        if "height=" not in old or "rle" in old
        else CVAT.replace(old, new, 1)
    )
    made, outcome = converted("annotations.xml", text, code=1)
    assert len(made) == 1
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert line.startswith("wss scribbles: one: failed: ")
    assert message in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><track/></annotations>", "not for video"),
        ("<annotations><image name='a.jpg'/></annotations>", "no image in it is annotated"),
        (CVAT.replace("set/one.jpg", r"set\two.png"), "2 images in annotations.xml have this name"),
        ("<annotations><image>", "not well-formed"),
    ],
)
def test_a_file_of_cvat_that_cannot_be_split(converted, named, text, message):
    _, outcome = converted("annotations.xml", text, code=1)
    assert message in outcome.err


# --- pictures and layers


@pytest.mark.parametrize("name", ["../../up.png", "/etc/up.png", "..\\..\\up.png", "C:\\up.png"])
def test_the_name_of_an_image_leads_to_no_folder(name, tmp_path):
    line = '<polyline label="a" points="1,1;5,5"/>'
    text = f'<annotations><image name="{name}" width="9" height="9">{line}</image></annotations>'
    (tmp_path / "a.xml").write_text(text)
    assert open_source(str(tmp_path / "a.xml"), None, Selection(), command="x")[0].stems == ["up"]


def indexed(values: np.ndarray, mode: str = "P") -> bytes:
    picture = Image.fromarray(values.astype(np.uint8))
    if mode == "P":
        picture.putpalette(list(range(256)) * 3)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def some_labels(unlabelled: int) -> np.ndarray:
    values = np.full(SHAPE, unlabelled)
    values[3:6, 4:20], values[10, 10], values[30:33, :] = 1, 2, 3
    return values


@pytest.mark.parametrize("mode", ["P", "L"])
@pytest.mark.parametrize("unlabelled", [0, 7, 254, 255])
def test_pictures_keep_their_values_but_the_unlabelled(converted, mode, unlabelled):
    values = some_labels(unlabelled)
    (found,), _ = converted("a.png", indexed(values, mode), "--unlabelled", unlabelled)
    np.testing.assert_array_equal(found, np.where(values == unlabelled, 255, values))


def test_a_picture_of_16_bits(converted):
    values = some_labels(65535).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    (found,), _ = converted("a.png", file.getvalue(), "--unlabelled", 65535)
    np.testing.assert_array_equal(found, np.where(values == 65535, 255, values))
    _, outcome = converted("a.png", file.getvalue(), code=1)
    assert "the value 65535 is no class" in outcome.err


def test_a_picture_of_colours_is_refused(converted):
    file = io.BytesIO()
    Image.new("RGB", (5, 4), (9, 9, 8)).save(file, "PNG")
    _, outcome = converted("a.png", file.getvalue(), code=1)
    assert "labels are stored as RGB colours" in outcome.err
    assert "its colours are #090908 (20 pixels)" in outcome.err
    assert "--colours FILE" in outcome.err


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
def test_label_0_of_napari_is_unlabelled_and_1_is_class_0(converted, dtype, name):
    values = some_labels(0).astype(dtype)
    data = npy(values) if name == "a.npy" else tiff(values, compression="zlib")
    (found,), _ = converted(name, data)
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))
    (found,), _ = converted(name, data, "--first-class", 0)
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values))
    (found,), _ = converted(name, data, "--unlabelled", 3, "--first-class", 0)
    np.testing.assert_array_equal(found, np.where(values == 3, 255, values))


def test_that_ids_of_layers_become_others_is_noted_once_a_folder(wss, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    values = some_labels(0).astype(np.uint8)
    for name in ("a.tif", "b.tif", "c.tif"):
        (masks / name).write_bytes(tiff(values))

    def read(*options: object) -> tuple[np.ndarray, str]:
        outcome = wss("scribbles", masks, "-o", tmp_path / "out", "--overwrite", *options)
        assert len(outcome.paths) == 3, outcome.err
        return labels_of(outcome.paths[2]), outcome.err

    found, message = read()
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))
    note = "label 1 becomes class 0 (0 is unlabelled in layers of napari and ilastik); "
    assert message.count("becomes class 0") == 1
    assert f"{note}--first-class 0 --unlabelled 255 keeps the ids" in message
    for options in (["--first-class", 0, "--unlabelled", 255], ["--source-format", "picture"]):
        found, message = read(*options)
        np.testing.assert_array_equal(found, values)
        assert "becomes" not in message
    found, message = read("--unlabelled", 0)
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))
    assert f"{note}--first-class 0 keeps the ids" in message
    assert "becomes" not in read("--source-format", "napari")[1]


@pytest.mark.parametrize("held", [(0, 1, 255), (0, 255), (0, 1, 2, 3, 4, 9, 255)])
def test_a_tiff_that_may_be_a_layer_or_a_picture_is_asked_about(converted, held):
    values = np.array(held, np.uint8)[np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) % len(held)]
    _, outcome = converted("a.tif", tiff(values), code=1)
    assert (
        "and 255: class ids of which 255 is unlabelled (--source-format picture), or" in outcome.err
    )
    (found,), _ = converted("a.tif", tiff(values), "--source-format", "picture")
    np.testing.assert_array_equal(found, values)
    (found,), _ = converted("a.tif", tiff(values), "--unlabelled", 0)
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))


def test_a_layer_with_all_labels_up_to_255_is_a_layer(converted):
    values = (np.arange(SHAPE[0] * SHAPE[1]) % 256).reshape(SHAPE).astype(np.uint8)
    (found,), _ = converted("a.tif", tiff(values))
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))


def test_a_layer_may_have_an_axis_of_length_one(converted):
    values = some_labels(0)
    (found,), _ = converted("a.npy", npy(values[None]))
    np.testing.assert_array_equal(found, np.where(values == 0, 255, values - 1))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.npy", npy(np.zeros((3, 4, 5), int)), "layer of shape (3, 4, 5)"),
        ("a.tif", tiff(np.zeros((3, 4, 5), np.uint8), photometric="minisblack"), "(3, 4, 5)"),
        ("a.npy", npy(np.zeros((4, 5))), "float64"),
        ("a.npy", npy(np.array([[{}]], object)), "not a readable layer"),
        ("a.npy", npy(np.zeros((4, 5), int))[:-9], "not a readable layer"),
        ("a.npy", npy(np.full((4, 5), 256)), "the value 256 is no class"),
        ("a.npy", npy(np.full((4, 5), -1)), "the value -1 is no class"),
        ("a.tif", tiff(np.zeros((40, 50), np.uint8))[:100], "not a readable layer"),
    ],
)
def test_what_is_wrong_with_a_layer_is_one_line(converted, name, data, message):
    _, outcome = converted(name, data, code=1)
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert message in line


def test_the_format_can_be_forced(converted):
    values = some_labels(255).astype(np.uint8)
    (found,), _ = converted("a.tif", tiff(values), "--source-format", "picture")
    np.testing.assert_array_equal(found, values)
    _, outcome = converted("a.tif", tiff(values), "--source-format", "drawing", code=2)
    assert f"expected one of {', '.join(detection.FORMATS)}" in outcome.err


def test_the_format_of_a_folder_is_that_of_the_first_file_that_has_one(wss, named, tmp_path):
    folder = tmp_path / "annotations"
    (folder / "a.json").write_bytes(b"")
    (folder / "b.json").write_text('{"b": [{"x": 5, "y": 6, "cls": 1}]}')
    outcome = wss("scribbles", folder, "-o", tmp_path / "out", "--images", folder)
    assert outcome.code == 2
    for name in ("a.png", "b.png"):
        Image.new("RGB", SHAPE[::-1]).save(folder / name)
    outcome = wss("scribbles", folder, "-o", tmp_path / "out", "--images", folder)
    assert outcome.code == 1
    assert "a: failed: " in outcome.err and "the file is empty" in outcome.err
    assert "revision" not in label_files.read_meta(tmp_path / "out" / "b.png")


def test_ids_beyond_classes_txt_are_refused(converted, named):
    _, outcome = converted("a.png", indexed(some_labels(255)), code=1)
    assert "no such class: 3 (classes: sky, grass, water)" in outcome.err


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "palette"])
def test_labels_in_tiff_are_the_stored_values(photometric):
    values = some_labels(255).astype(np.uint8)
    colours = {"colormap": np.zeros((3, 256), np.uint16)} if photometric == "palette" else {}
    data = tiff(values, photometric=photometric, **colours)
    np.testing.assert_array_equal(label_files.decode_labels(data, "a.tif").value, values)


def test_labels_in_a_compressed_tiff():
    values = some_labels(255).astype(np.uint8)
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        file = io.BytesIO()
        Image.fromarray(values).save(file, "TIFF", compression=compression)
        found = label_files.decode_labels(file.getvalue(), "a.tif").value
        np.testing.assert_array_equal(found, values)


def test_pictures_whose_values_may_mean_something_else_are_noted(converted):
    values = some_labels(0)
    _, outcome = converted("a.png", indexed(values))
    assert (
        "every pixel has a class; where one value is unlabelled, --unlabelled says" in outcome.err
    )
    for options in (["--unlabelled", 0], ["--first-class", 0]):
        assert "every pixel" not in converted("a.png", indexed(values), *options)[1].err
    assert "every pixel" not in converted("a.png", indexed(some_labels(255)))[1].err
    palette = Image.fromarray(values.astype(np.uint8))
    palette.putpalette(list(range(256)) * 3)
    (found,), outcome = converted("a.png", by_pillow(palette, "PNG", transparency=0))
    n_transparent = (values == 0).sum()
    assert f"{n_transparent} transparent pixels have a class; --unlabelled 0 makes" in outcome.err
    (found,), outcome = converted("a.png", by_pillow(palette, "PNG", transparency=3))
    np.testing.assert_array_equal(found, values)
    assert f"{(values == 3).sum()} transparent pixels" in outcome.err


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", []), ("a.png", []), ("a.tif", []), ("a.tif", ["--source-format", "picture"]),
        ("a.gif", ["--colours"]), ("a.png", ["--colours"]), ("a.tif", ["--colours"]),
    ],
)  # fmt: skip
def test_strokes_of_several_pictures_are_those_of_the_first(converted, tmp_path, name, options):
    (tmp_path / "colours.txt").write_text("grass #ffffff\nwater #c80000\n")
    options = [*options, tmp_path / "colours.txt"] if "--colours" in options else options
    form = {"a.gif": "GIF", "a.png": "PNG", "a.tif": "TIFF"}[name]
    labels = some_labels(0) == 1
    (found,), outcome = converted(name, frames(labels, 3, form), *options)
    is_layer = name == "a.tif" and not options
    np.testing.assert_array_equal(found, np.where(labels, 0, 255) if is_layer else labels)
    assert "took the first of 4 pictures in the file" in outcome.err


def test_masks_of_0_and_255_are_noted(converted):
    mask = np.where(some_labels(0) > 0, 255, 0)
    _, outcome = converted("a.png", indexed(mask, "L"))
    assert "a mask of 0 and 255, which is unlabelled; --remap 255=1 makes" in outcome.err
    assert "a mask" not in converted("a.png", indexed(mask, "L"), "--remap", "255=1")[1].err
    assert "a mask" not in converted("a.png", indexed(mask, "P"))[1].err  # strokes of class 0


def test_palettes_that_differ_are_warned_about(wss, tmp_path):
    """Image editors number the colours of each file as they come."""
    folder = tmp_path / "strokes"
    folder.mkdir()
    red, blue, white = [255, 0, 0], [0, 0, 255], [255, 255, 255]
    for name, palette in (("a", white + red), ("b", white + red + blue), ("c", white + blue)):
        picture = Image.fromarray(np.eye(9, dtype=np.uint8))
        picture.putpalette(palette)
        picture.save(folder / f"{name}.png")
    message = "index 1 is #ff0000 in a.png and #0000ff in c.png"
    assert message in wss("scribbles", folder, "-o", tmp_path / "out").err
    (folder / "c.png").unlink()
    outcome = wss("scribbles", folder, "-o", tmp_path / "out")
    assert outcome.code == 0 and "index" not in outcome.err
    (tmp_path / "colours.txt").write_text("sky 255 0 0\n")
    options = ["--colours", tmp_path / "colours.txt", "-o", tmp_path / "other"]
    assert "index" not in wss("scribbles", folder, *options).err


@pytest.mark.parametrize("values", [[0, 255], [0, 1, 255], [1, 255]])
def test_a_layer_in_which_255_means_something_else_is_refused(converted, values):
    layer = np.resize(np.array(values, np.uint8), SHAPE)
    _, outcome = converted("a.tif", tiff(layer), code=1)
    few = ", ".join(map(str, values[:-1]))
    assert f"holds the values {few} and 255: class ids of which 255 is unlabelled" in outcome.err
    (found,), _ = converted("a.tif", tiff(layer), "--source-format", "picture")
    np.testing.assert_array_equal(found, layer)
    for option in (["--first-class", 1], ["--unlabelled", 0]):
        (found,), _ = converted("a.tif", tiff(layer), *option)
        np.testing.assert_array_equal(found, np.where(layer == 0, 255, layer - 1.0))


# --- colours


def in_colours(labels: np.ndarray, palette: dict[int, tuple[int, int, int]]) -> bytes:
    picture = np.full((*labels.shape, 3), 255, np.uint8)
    for label, colour in palette.items():
        picture[labels == label] = colour
    return by_pillow(picture, "PNG")


def test_a_table_of_colours_names_the_classes(converted, tmp_path):
    values = some_labels(255)
    data = in_colours(values, {1: (255, 0, 0), 2: (0, 0, 255), 3: (0, 128, 0)})
    table = tmp_path / "colours.txt"
    table.write_text("cat 255 0 0\ndog #0000ff\n__ignore__ #008000\n")
    (found,), outcome = converted("a.png", data, "--colours", table)
    np.testing.assert_array_equal(found, np.select([values == 1, values == 2], [0, 1], 255))
    assert (tmp_path / "out" / "classes.txt").read_text() == "cat\ndog\n"
    options = label_files.read_meta(outcome.paths[0])["options"]
    assert options["colors"] == ["cat #ff0000", "dog #0000ff", "__ignore__ #008000"]
    assert options["classes"] == ["cat", "dog"] and "remap" not in options
    (tmp_path / "annotations" / "classes.txt").write_text("bird\ndog\ncat\n")
    (found,), _ = converted("a.png", data, "--colours", table)
    np.testing.assert_array_equal(found, np.select([values == 1, values == 2], [2, 1], 255))


@pytest.mark.parametrize(("name", "classes"), [("voc", VOC_CLASSES), ("cityscapes", None)])
def test_colours_of_known_data_sets(converted, tmp_path, name, classes):
    values = some_labels(255)
    known = {"voc": (128, 0, 0), "cityscapes": (244, 35, 232)}  # aeroplane and sidewalk, both 1
    (found,), _ = converted("a.png", in_colours(values, {1: known[name]}), "--colours", name)
    np.testing.assert_array_equal(found, np.where(values == 1, 1, 255))
    names = (tmp_path / "out" / "classes.txt").read_text().splitlines()
    assert names == list(classes) if classes else names[:2] == ["road", "sidewalk"]


def test_colours_that_the_photograph_has_too_are_warned_about(converted, tmp_path):
    photo = np.full((*SHAPE, 3), 90, np.uint8)
    photo[30:, 40:] = (255, 0, 0)
    merged = photo.copy()
    merged[5:8, 5:20] = (255, 0, 0)
    (tmp_path / "images").mkdir()
    Image.fromarray(photo).save(tmp_path / "images" / "a.png")
    (tmp_path / "colours.txt").write_text("cat #ff0000\n")
    options = ["--colours", tmp_path / "colours.txt", "--images", tmp_path / "images"]
    (found,), outcome = converted("a.png", by_pillow(merged, "PNG"), *options)
    assert (found == 0).sum() == 3 * 15 + 10 * 16
    assert "a: warning: 160 labelled pixels have the colour of their class" in outcome.err
    photo[30:, 40:] = 80
    Image.fromarray(photo).save(tmp_path / "images" / "a.png")
    assert "warning" not in converted("a.png", by_pillow(merged, "PNG"), *options)[1].err


def test_options_of_colours_that_do_not_fit(wss, tmp_path):
    table = tmp_path / "colours.txt"
    table.write_text("cat\n")
    for options, message in (
        (["--colours", table], "colours.txt: line 1: 'cat': expected a name"),
        (["--colours", "voc", "--source-format", "cvat"], "--colours is for pictures"),
        (["--colours", "voc", "--unlabelled", 0], "not for --colours"),
        (["--remap", "1=x"], "--remap 1=x: '1=x': expected OLD=NEW"),
    ):
        outcome = wss("scribbles", tmp_path, "-o", tmp_path / "out", *options)
        assert outcome.code == 2
        assert message in outcome.err
    outcome = wss("scribbles", tmp_path, "-o", tmp_path / "out", "--colours", tmp_path / "none")
    assert outcome.code == 1
    assert f"{tmp_path / 'none'}: No such file" in outcome.err


# --- ids that change


def test_masks_of_0_and_255_become_two_classes(converted):
    values = np.where(some_labels(0) > 0, 255, 0)
    data = indexed(values, "L")
    (found,), outcome = converted("a.png", data, "--source-format", "picture", "--remap", "255=1")
    np.testing.assert_array_equal(found, np.where(values == 255, 1, 0))
    assert label_files.read_meta(outcome.paths[0])["options"]["remap"] == "255=1"
    (found,), outcome = converted("a.png", data, "--source-format", "picture")
    np.testing.assert_array_equal(found, values)
    assert "remap" not in label_files.read_meta(outcome.paths[0])["options"]


def test_ids_of_cityscapes_are_remapped_before_they_are_checked(converted, tmp_path):
    values = np.zeros(SHAPE, np.uint8)
    values[:5], values[5:9], values[9:12], values[12:14] = 7, 33, 29, 255
    expected = np.full(SHAPE, 255)
    expected[:5], expected[5:9] = 0, 18
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "classes.txt").write_text("".join(f"c{k}\n" for k in range(19)))
    (found,), _ = converted("a.png", indexed(values), "--remap", "cityscapes")
    np.testing.assert_array_equal(found, expected)
    (tmp_path / "ids.txt").write_text("7 0\n33 18\nothers 255\n")
    (found,), _ = converted("a.png", indexed(values), "--remap", tmp_path / "ids.txt")
    np.testing.assert_array_equal(found, expected)
    _, outcome = converted("a.png", indexed(values), "--remap", "7=0", code=1)
    assert "no such class: 29, 33" in outcome.err


def test_large_values_can_be_remapped(converted):
    values = some_labels(255).astype(np.uint16)
    values[values == 2] = 26001
    data = tiff(values)
    (found,), _ = converted("a.tif", data, "--source-format", "picture", "--remap", "26001=9")
    np.testing.assert_array_equal(found, np.where(values == 26001, 9, values))
    _, outcome = converted("a.tif", data, "--source-format", "picture", code=1)
    assert "the value 26001 is no class" in outcome.err


def test_ids_of_lines_can_be_remapped_but_not_names(converted, dataset, tmp_path):
    text = "1,4,5,12,5\n3,4,15,12,15\n"
    images = ["--images", dataset / "images"]
    (found,), _ = converted("a.txt", text, *images, "--remap", "1=0,3=2,255=7", "--classes",
                            eight_names(tmp_path))  # fmt: skip
    expected = drawn((0, [(4, 5), (12, 5)]), (2, [(4, 15), (12, 15)]))
    np.testing.assert_array_equal(found, np.where(expected == 255, 7, expected))
    (tmp_path / "annotations" / "a.txt").unlink()
    text = labelme(shape("n1", "point", [[5, 5]]))
    _, outcome = converted("a.json", text, "--remap", "1=0", "--classes", eight_names(tmp_path),
                           code=2)  # fmt: skip
    assert "these classes have names" in outcome.err


def eight_names(folder) -> str:
    path = folder / "names.txt"
    path.write_text("".join(f"n{k}\n" for k in range(8)))
    return str(path)


# --- files of several images in other formats


def test_names_that_a_file_lists_are_its_classes(converted, tmp_path):
    made, outcome = converted("coco.json", coco())
    assert [path.stem for path in outcome.paths] == ["one", "two"]
    np.testing.assert_array_equal(made[0], np.where(in_triangle(), 1, 255))
    assert (tmp_path / "out" / "classes.txt").read_text() == "sky\ngrass\n"
    assert label_files.read_meta(outcome.paths[0])["options"]["classes"] == ["sky", "grass"]
    again = converted("coco.json", coco())[1]
    assert again.code == 0
    (tmp_path / "annotations" / "classes.txt").write_text("water\ngrass\nsky\n")
    made, _ = converted("coco.json", coco())
    assert set(np.unique(made[1])) == {2, 255}


def test_two_files_that_list_different_classes_want_a_list(wss, tmp_path):
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "a.json").write_text(coco())
    (folder / "b.json").write_text(coco(categories=[{"id": 1, "name": "sky"}]))
    outcome = wss("scribbles", folder, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "list different classes (sky, grass; sky); write a classes.txt" in outcome.err
    (folder / "b.json").write_text(coco(categories=[{"id": 1, "name": "sky"}], annotations=[
        {"image_id": 9, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
    ]))  # fmt: skip
    (folder / "classes.txt").write_text("grass\nsky\n")
    outcome = wss("scribbles", folder, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == ["empty", "one", "two"]
    assert set(np.unique(labels_of(tmp_path / "out" / "empty.png"))) == {1, 255}


def test_the_archive_of_cvat_brings_its_labels(converted, tmp_path):
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("water", "sky", "grass"))
    text = CVAT.replace("<label><name>sky</name></label>", labels)
    (one, two), outcome = converted("task.zip", zipped([(b"annotations.xml", text.encode())]))
    assert [path.stem for path in outcome.paths] == ["one", "two"]
    assert set(np.unique(one)) == {0, 2, 255} and set(np.unique(two)) == {0, 1, 255}
    assert (tmp_path / "out" / "classes.txt").read_text() == "water\nsky\ngrass\n"


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "sub/../../evil.json", "/srv/evil.json", "..\\evil.json", "C:\\evil.json"],
)
def test_files_whose_names_lead_out_of_an_archive_are_named(converted, named, tmp_path, name):
    grass = labelme(shape("grass", "point", [[5.5, 5.5]])).encode()
    archive = zipped([(b"good.json", grass), (name.encode(), grass)])
    (found,), outcome = converted("all.zip", archive)
    np.testing.assert_array_equal(found, drawn((1, [(5, 5)])))
    assert [path.name for path in outcome.paths] == ["good.png"]
    path = tmp_path / "annotations" / "all.zip"
    left_out = f"warning: {path}: left out, names that lead out of the archive: {name!r}"
    assert left_out in outcome.err
    assert not [*tmp_path.rglob("evil*")]
    made, outcome = converted("all.zip", zipped([(name.encode(), grass)]), code=1)
    assert not made and "no annotations in this archive are read" in outcome.err


def test_an_archive_of_two_lists_wants_one_too(wss, named, tmp_path):
    first, second = CVAT, CVAT.replace("<name>sky<", "<name>sea<").replace("one.", "1.")
    second = second.replace("two.", "2.")
    path = tmp_path / "annotations" / "all.zip"
    path.write_bytes(zipped([(b"1.xml", first.encode()), (b"2.xml", second.encode())]))
    outcome = wss("scribbles", path, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert [each.stem for each in outcome.paths] == ["1", "2", "one", "two"]
    (tmp_path / "annotations" / "classes.txt").unlink()
    outcome = wss("scribbles", path, "-o", tmp_path / "other")
    assert outcome.code == 1
    assert "all.zip (1.xml) and " in outcome.err
    assert "all.zip (2.xml) list different classes (sky; sea)" in outcome.err


def test_a_name_that_occurs_twice_fails_alone(converted, named):
    image = CVAT[CVAT.index("  <image id") : CVAT.index('  <image id="1"')]
    text = CVAT.replace("</annotations>", image.replace("set/one", "other/one") + "</annotations>")
    _, outcome = converted("annotations.xml", text, code=1)
    assert [path.stem for path in outcome.paths] == ["two"]
    assert "one: failed: 2 images in annotations.xml have this name" in outcome.err


def test_one_damaged_file_of_an_archive_fails_alone(converted, named):
    members = [(b"a.json", labelme(shape("sky", "point", [[5, 5]])).encode()), (b"b.json", b"{")]
    (made,), outcome = converted("all.zip", zipped(members), code=1)
    assert made[4, 4] == 0
    assert "b: failed: " in outcome.err and "not well-formed JSON" in outcome.err


def test_outputs_of_an_earlier_reading_of_cvat_are_made_anew(converted, named, wss, tmp_path):
    converted("annotations.xml", CVAT)
    path = tmp_path / "out" / "two.png"
    meta = label_files.read_meta(path)
    assert meta["revision"] == 2
    del meta["revision"]
    path.write_bytes(label_files.encode_labels(labels_of(path), meta))
    outcome = wss("scribbles", tmp_path / "annotations" / "annotations.xml", "-o", tmp_path / "out")
    assert "1 written" in outcome.err and "skipped 1" in outcome.err


# --- SBD


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_labels_of_sbd_are_voc_classes(converted, dtype):
    values = np.zeros(SHAPE, dtype)
    values[3:20, 5:30], values[10:30, 40:] = 20, 1
    data = sbd(values, CategoriesPresent=np.array([[1], [20]]))
    for options in ((), ("--source-format", "sbd")):
        (found,), _ = converted("a.mat", data, *options)
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sbd(np.full(SHAPE, 21, np.uint8)), "labels are 21 to 21, expected classes 0 to 20"),
        (sbd(np.zeros(SHAPE, np.int16) - 1), "labels are -1 to -1"),
        (sbd(np.zeros((2, *SHAPE), np.uint8)), "no (H, W) map of integers"),
        (sbd(np.zeros(SHAPE)), "no (H, W) map of integers"),
        (sbd(np.zeros(SHAPE, np.uint8))[:200], "not a readable MATLAB file"),
    ],
)
def test_what_is_wrong_with_labels_of_sbd_is_one_line(converted, data, message):
    _, outcome = converted("a.mat", data, code=1)
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert message in line


@pytest.mark.parametrize("held", [{"GTinst": {"Segmentation": np.eye(3)}}, {"GTcls": np.eye(3)}])
def test_other_matlab_files_are_refused(converted, held):
    file = io.BytesIO()
    savemat(file, held)
    _, outcome = converted("a.mat", file.getvalue(), code=1)
    assert "no label map GTcls.Segmentation" in outcome.err


# --- names


def test_numbers_stand_for_ids_unless_they_are_names():
    assert resolve_names(["3", 2, "sky"], ["sky", "3", "x", "y"]) == {"3": 1, 2: 2, "sky": 0}
    assert resolve_names(["3"], None) == {"3": 3}
    with pytest.raises(ValueError, match=r"no such class: -9, sky \(classes: none\)"):
        resolve_names(["sky", "3", "-9"], None)


def test_names_without_classes_txt_are_reported_with_a_hint(converted):
    _, outcome = converted("a.json", labelme(shape("sky", "point", [[5, 5]])), code=1)
    assert "no such class: sky (classes: none); write a classes.txt" in outcome.err
    (found,), _ = converted("a.json", labelme(shape("2", "point", [[5, 5]])))
    assert found[4, 4] == 2


def test_exact_names_come_before_folded_ones():
    assert resolve_names(["Car", "car"], ["car", "Car"]) == {"Car": 1, "car": 0}


def test_areas_are_bounded_by_their_pixels():
    found = detection.decode_annotation(indexed(some_labels(255)), "a.png").value
    assert all(isinstance(mark, Area) for mark in found.marks)
    sizes = {mark.name: (mark.corner, mark.mask.shape) for mark in found.marks}
    assert sizes == {1: ((4, 3), (3, 16)), 2: ((10, 10), (1, 1)), 3: ((0, 30), (3, WIDTH))}


# --- simulated strokes


def test_simulated_strokes_lie_on_their_class(wss, dataset, tmp_path):
    outcome = wss("scribbles", "--simulate", dataset / "gt", "-o", tmp_path / "out", "--width", 2)
    assert outcome.code == 0, outcome.err
    for path in outcome.paths:
        found, gt = labels_of(path), labels_of(dataset / "gt" / path.name)
        marked = found != 255
        assert (found[marked] == gt[marked]).all()
        assert set(np.unique(found)) == {*np.unique(gt), 255}
        assert 0.01 < marked.mean() < 0.08
    meta = label_files.read_meta(outcome.paths[0])
    assert meta["options"]["simulate"] is True
    assert meta["options"]["share"] == 0.02
    assert meta["inputs"][0]["role"] == "gt"


def test_simulated_strokes_follow_from_seed_and_name(wss, dataset, tmp_path):
    for out, options in (
        ("one", ["--jobs", 1]), ("two", ["--jobs", 2]), ("other", ["--seed", 1]),
    ):  # fmt: skip
        wss("scribbles", "--simulate", dataset / "gt", "-o", tmp_path / out, *options)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    one, other = folder_bytes(tmp_path / "one"), folder_bytes(tmp_path / "other")
    assert all(one[name] != other[name] for name in one if name != "classes.txt")
    labels = [labels_of(tmp_path / "one" / f"{stem}.png").tobytes() for stem in STEMS]
    assert len(set(labels)) == len(STEMS)  # their ground truth is the same
    refused = wss("scribbles", "--simulate", dataset / "gt", "-o", tmp_path / "one", "--seed", 1)
    assert refused.code == 2
    assert "seed 0 (now 1)" in refused.err


def test_regions_below_the_given_area_stay_bare(wss, dataset, tmp_path):
    classes = {}
    for area in (1, 500, 10**6):
        out = tmp_path / str(area)
        outcome = wss(
            "scribbles", "--simulate", dataset / "gt", "-o", out, "--min-area", area, "--jobs", 1
        )
        classes[area] = set(np.unique(labels_of(outcome.paths[0])).tolist()) - {255}
    gt = labels_of(dataset / "gt" / "a.png")
    large = {c for c in (0, 1, 3) if (gt == c).sum() >= 500}
    assert classes == {1: {0, 1, 3}, 500: large, 10**6: set()}
    assert len(large) < 3


def test_simulation_takes_ground_truth_alone(wss, dataset, tmp_path):
    outcome = wss(
        "scribbles", "--simulate", dataset / "gt", "--source-format", "cvat", "-o", tmp_path / "out"
    )
    assert outcome.code == 2
    assert "ground truth alone" in outcome.err


STROKES_OF_PHOTOS = Path(wsstools.demo.__file__).parent / "strokes"


def test_strokes_on_the_photographs_become_scribbles(wss, tmp_path):
    assert wss("demo-data", "--photos", "-o", tmp_path / "photos").code == 0
    outcome = wss(
        "scribbles", STROKES_OF_PHOTOS, "--images", tmp_path / "photos", "-o", tmp_path / "drawn"
    )
    assert outcome.code == 0, outcome.err
    assert len(outcome.paths) == 6
    for path in outcome.paths:
        drawn = labels_of(path)
        assert len(np.unique(drawn)) > 2
        assert 0.01 < (drawn != 255).mean() < 0.1


def test_strokes_as_text_may_have_names(wss, dataset, tmp_path):
    strokes = tmp_path / "strokes"
    strokes.mkdir()
    (strokes / "a.txt").write_text("Grass,1,2,30,4\nbig lake, 20, 20\n0,9,9\n")
    command = ["scribbles", strokes, "--images", dataset / "images", "-o"]
    unknown = wss(*command, tmp_path / "unknown")
    assert unknown.code == 1
    assert "no such class: big lake (classes: sky, grass, unused, water)" in unknown.err
    (strokes / "classes.txt").write_text("sky\ngrass\nbig lake\n")
    named = wss(*command, tmp_path / "named")
    assert named.code == 0, named.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("1,1,2,30,4\n2,20,20\n0,9,9\n")
    command[1] = tmp_path / "other"
    assert wss(*command, tmp_path / "numbers").code == 0
    found, expected = (labels_of(tmp_path / out / "a.png") for out in ("named", "numbers"))
    assert (found == expected).all() and set(np.unique(found)) == {0, 1, 2, 255}
    assert (tmp_path / "named" / "classes.txt").read_text() == "sky\ngrass\nbig lake\n"


@pytest.mark.parametrize(
    ("names", "line", "expected"),
    [
        (["1", "0"], "0,9,9", 1),
        (["10", "20", "30"], "20,9,9", 1),
        (["sky", "1_0", "nan"], "nan,9,9", 2),
        (["sky", "grass"], "1,9,9", 1),
    ],
)
def test_numbers_that_are_names_are_no_ids(wss, dataset, tmp_path, names, line, expected):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "a.txt").write_text(f"{line}\n")
    (tmp_path / "strokes" / "classes.txt").write_text("\n".join(names))
    command = ["scribbles", tmp_path / "strokes", "--images", dataset / "images"]
    assert wss(*command, "-o", tmp_path / "out").code == 0
    assert labels_of(tmp_path / "out" / "a.png")[9, 9] == expected


@pytest.mark.parametrize("word", ["300", "-1", "1.5", "nan"])
def test_a_word_that_is_no_class_is_named(wss, dataset, tmp_path, word):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "a.txt").write_text(f"{word},9,9\n")
    command = ["scribbles", tmp_path / "strokes", "--images", dataset / "images"]
    done = wss(*command, "-o", tmp_path / "out")
    assert done.code == 1 and f"no such class: {word} (classes: " in done.err


def test_ids_stay_up_to_date_where_classes_get_names(wss, dataset, tmp_path):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "a.txt").write_text("1,9,9\n")
    out = tmp_path / "out"
    command = ["scribbles", tmp_path / "strokes", "--images", dataset / "images", "-o", out]
    assert wss(*command).code == 0
    (tmp_path / "strokes" / "classes.txt").write_text("a\nb\n")
    assert "skipped 1 (up to date)" in wss(*command).err
    (tmp_path / "strokes" / "a.txt").write_text("b,9,9\n")
    assert "--remap changes ids" in wss(*command, "--remap", "1=0", "--overwrite").err


def test_a_wrong_stroke_is_reported_with_its_line(wss, dataset, tmp_path):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "a.txt").write_text("# comment\n0,1,2,3,4\n1,5\n")
    outcome = wss(
        "scribbles", tmp_path / "strokes", "--images", dataset / "images", "-o", tmp_path / "out"
    )
    assert outcome.code == 1
    assert "line 3" in outcome.err
