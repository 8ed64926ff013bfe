"""`show`: views of maps and labels, notes, grids, pictures of each image."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
from builders import STEMS, draw_image, folder_bytes

from wsstools.core.maps import ProbabilityMap, normalized_entropy
from wsstools.core.palette import voc_palette
from wsstools.formats import label_files, map_files, picture_files
from wsstools.view.differences import (
    BOTH_WRONG,
    DIFFERENT,
    FIRST_RIGHT,
    LEFT_OUT,
    MARK_COLOURS,
    SAME,
    SECOND_RIGHT,
    WRONG,
    difference_marks,
    draw_marks,
    error_marks,
)
from wsstools.view.overlay import overlay_labels, overlay_scribbles, stroke_growth
from wsstools.view.scales import INFERNO, scale_colours
from wsstools.view.sheet import contact_sheet, fit, side_by_side

PALETTE = voc_palette()


def count(picture, colour):
    return int((picture == np.array(colour)).all(axis=2).sum())


def contains(sheet, picture):
    """Whether a picture is somewhere in a sheet, pixel by pixel."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(axis=2))
    return any(np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in corners)


def map_of(folder, stem):
    return map_files.decode_map((folder / f"{stem}.npz").read_bytes(), "").value


def labels_of(path):
    return label_files.decode_labels(path.read_bytes(), "").value


@pytest.fixture
def predicted(dataset, tmp_path):
    """Folders first/ and second/: the truth with some rows of class 0 given to class 1."""
    for name, rows in (("first", 20), ("second", 10)):
        (tmp_path / name).mkdir()
        for stem in STEMS:
            labels = labels_of(dataset / "gt" / f"{stem}.png").copy()
            labels[:rows][labels[:rows] == 0] = 1
            data = label_files.encode_labels(labels, {})
            (tmp_path / name / f"{stem}.png").write_bytes(data)
    return tmp_path


def test_doubt_is_nothing_where_one_class_is_certain_and_one_where_all_are_equal():
    probs = np.array([[[1.0, 0.5, 0.25]], [[0.0, 0.5, 0.25]]], np.float32)
    probs = np.concatenate([probs, np.zeros((2, 1, 3), np.float32)])
    probs[2:, 0, 2] = 0.25
    found = normalized_entropy(ProbabilityMap(probs, np.arange(4), 4))
    assert found[0].tolist() == pytest.approx([0, 0.5, 1])
    fewer = ProbabilityMap(probs[:2, :, :2], np.array([1, 7]), 16)
    assert normalized_entropy(fewer)[0].tolist() == pytest.approx([0, 0.25])


def test_the_probability_of_a_class_that_a_map_does_not_hold_is_zero():
    probs = np.array([[[0.25]], [[0.75]]], np.float32)
    found = ProbabilityMap(probs, np.array([2, 5]), 8)
    assert found.of_class(5).tolist() == [[0.75]]
    assert found.of_class(3).tolist() == [[0.0]]


def test_a_scale_goes_through_its_colours():
    coloured = scale_colours([-1, 0, 0.125, 0.5, 1, 2])
    assert coloured.dtype == np.uint8
    assert coloured[[0, 1, 3, 4, 5]].tolist() == [list(INFERNO[k]) for k in (0, 0, 2, 4, 4)]
    assert coloured[2].tolist() == [44, 8, 57]
    assert scale_colours(0.5, INFERNO[::2]).tolist() == list(INFERNO[2])
    assert scale_colours(np.zeros((2, 3))).shape == (2, 3, 3)


def test_marks_of_errors_and_differences():
    gt = np.array([[1, 1, 1, 1, 1, 255]], np.uint8)
    first = np.array([[1, 2, 1, 2, 2, 1]], np.uint8)
    second = np.array([[1, 1, 2, 2, 255, 2]], np.uint8)
    assert error_marks(second, gt)[0].tolist() == [SAME, SAME, WRONG, WRONG, WRONG, LEFT_OUT]
    assert difference_marks(first, second)[0].tolist() == [
        SAME,
        *[DIFFERENT] * 2,
        SAME,
        *[DIFFERENT] * 2,
    ]
    assert difference_marks(first, second, gt)[0].tolist() == [
        SAME, SECOND_RIGHT, FIRST_RIGHT, SAME, BOTH_WRONG, LEFT_OUT,
    ]  # fmt: skip
    assert difference_marks(second, first, gt)[0, 1] == FIRST_RIGHT
    for others in ((gt[:, :2],), (second, gt[:, :2])):
        with pytest.raises(ValueError, match="shape"):
            difference_marks(first, *others)
    with pytest.raises(ValueError, match="shape"):
        error_marks(first, gt[:, 1:])


def test_marks_are_opaque_and_the_rest_is_pale_and_grey():
    image = np.full((1, 3, 3), (200, 100, 0), np.uint8)
    drawn = draw_marks(image, np.array([[SAME, WRONG, LEFT_OUT]], np.uint8))
    assert drawn[0].tolist() == [[200] * 3, list(MARK_COLOURS[WRONG]), list(MARK_COLOURS[LEFT_OUT])]
    with pytest.raises(ValueError, match="shape"):
        draw_marks(image, np.zeros((3, 1), np.uint8))


def test_strokes_grow_more_for_smaller_pictures():
    assert stroke_growth((300, 400)) == 2
    assert stroke_growth((300, 400), 104) == 4
    assert stroke_growth((300, 400), 416) == 1


def test_a_sheet_has_headings_notes_and_scales():
    grey = np.full((30, 40, 3), 128, np.uint8)
    rows = [[grey, grey], [grey, grey]]
    bare = contact_sheet(rows, cell_width=120)
    headed = contact_sheet(rows, headings=["", "second"], cell_width=120)
    noted = contact_sheet(rows, notes=[["", "note"]], cell_width=120)
    scaled = contact_sheet(rows, scales=[("probability", INFERNO)], cell_width=120)
    for sheet in (headed, noted, scaled):
        assert sheet.shape[0] > bare.shape[0] and sheet.shape[1] == bare.shape[1]
        assert count(sheet, (128, 128, 128)) >= 4 * 120 * 90
    (top_row,) = np.nonzero((noted[: noted.shape[0] // 2] < 120).all(axis=2).any(axis=0))
    assert top_row.min() > noted.shape[1] / 2  # the note is above the second cell only
    ends = [np.argwhere((scaled == INFERNO[k]).all(axis=2)) for k in (0, -1)]
    assert ends[0][:, 1].max() < ends[1][:, 1].min() < scaled.shape[1] / 2
    assert ends[1][:, 0].min() > bare.shape[0] - 20


def test_captions_of_cells_stop_before_the_notes():
    grey = np.full((30, 100, 3), 200, np.uint8)
    long = "a caption that is much too long for it"
    rows, options = [[grey, grey]], {"cell_width": 100}
    one = contact_sheet(rows, captions=[[long, ""]], **options)
    right = contact_sheet(rows, captions=[["", long]], **options)
    middle = one.shape[1] // 2
    assert (one[:, middle:] >= 200).all() and (one[:, :middle] < 120).any()
    assert (right[:, :middle] >= 200).all() and (right[:, middle:] < 120).any()
    both = contact_sheet(rows, captions=[[long, ""]], notes=[["99.9 %"]], **options)
    only_note = contact_sheet(rows, notes=[["99.9 %"]], **options)
    ink = np.nonzero((only_note < 120).all(axis=2).any(axis=0))[0].min()
    assert ink < middle
    assert np.array_equal(both[:, ink - 3 :], only_note[:, ink - 3 :])  # nothing overlaps
    assert (both[:, : ink - 3] < 120).any()
    with pytest.raises(ValueError, match="3 notes for 2 cells"):
        contact_sheet(rows, notes=[["a", "b", "c"]])
    with pytest.raises(ValueError, match="2 headings for 1 rows"):
        contact_sheet(rows, headings=["a", "b"])


def test_pictures_side_by_side_are_aligned_at_the_top():
    low, high = np.zeros((2, 3, 3), np.uint8), np.full((5, 4, 3), 9, np.uint8)
    joined = side_by_side([low, high])
    assert joined.shape == (5, 3 + 8 + 4, 3)
    assert (joined[:2, :3] == 0).all() and (joined[2:, :3] == 255).all()
    assert (joined[:, 3:11] == 255).all() and (joined[:, 11:] == 9).all()


def test_views_of_maps_show_probability_and_normalized_entropy(wss, dataset, tmp_path):
    maps, out = dataset / "maps", tmp_path / "sheet.png"
    outcome = wss(
        "show", dataset / "images", f"water=heat:water:{maps}", f"three=heat:3:{maps}",
        f"none=heat:unused:{maps}", f"doubt=entropy:{maps}", "--cell-width", 56, "--rows", 1,
        "-o", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    sheet, found = iio.imread(out), map_of(maps, "a")
    water = scale_colours(found.of_class(3))
    assert contains(sheet, water)
    assert contains(sheet, scale_colours(normalized_entropy(found)))
    black = np.full((40, 56, 3), INFERNO[0], np.uint8)
    assert contains(sheet, black)  # no map holds the class
    assert not contains(sheet, scale_colours(found.of_class(1)))


def test_views_of_labels_mark_errors_and_differences(wss, dataset, predicted):
    out, gt = predicted / "sheet.png", dataset / "gt"
    folders = predicted / "first", predicted / "second"
    pair = ",".join(map(str, folders))
    arguments = [
        "show", dataset / "images", f"wrong=errors:{folders[0]}", f"change=diff:{pair}",
        "--cell-width", 56, "--rows", 1, "-o", out,
    ]  # fmt: skip
    assert "--gt" in wss(*arguments).err
    outcome = wss(*arguments, "--gt", gt)
    assert outcome.code == 0, outcome.err
    image, truth, _ = draw_image(0)
    first, second = (labels_of(folder / "a.png") for folder in folders)
    sheet = iio.imread(out)
    assert contains(sheet, draw_marks(image, error_marks(first, truth)))
    assert contains(sheet, draw_marks(image, difference_marks(first, second, truth)))
    assert wss(*arguments[:2], *arguments[3:]).code == 0
    assert contains(iio.imread(out), draw_marks(image, difference_marks(first, second)))


def test_a_sheet_tells_what_it_shows(wss, dataset, tmp_path):
    labels, out = tmp_path / "labels", tmp_path / "sheet.png"
    assert wss("argmax", dataset / "maps", "-o", labels, "-j", 1).code == 0
    arguments = [
        "show", dataset / "images", f"labels={labels}", f"doubt=entropy:{dataset / 'maps'}",
        "--rows", 2, "-o", out,
    ]  # fmt: skip
    assert wss(*arguments).code == 0
    meta = picture_files.read_meta(out)
    assert (meta["kind"], meta["step"], meta["stem"]) == ("picture", "show", "sheet")
    assert meta["options"]["columns"] == [["labels", "", None], ["doubt", "entropy", None]]
    assert [(entry["role"], entry["name"]) for entry in meta["inputs"]] == [
        ("image", "a.png and 1 more"), ("labels", "a.png and 1 more"), ("doubt", "a.npz and 1 more"),
    ]  # fmt: skip
    assert meta["inputs"][1]["made_by"]["step"] == "argmax"
    assert "wss show" in wss("info", out).out
    first = out.read_bytes()
    (labels / "b.png").write_bytes((dataset / "gt" / "b.png").read_bytes())
    assert wss(*arguments).code == 0
    changed = picture_files.read_meta(out)["inputs"]
    assert out.read_bytes() != first
    assert [one == other for one, other in zip(changed, meta["inputs"], strict=True)] == [
        True,
        False,
        True,
    ]


def test_the_legend_names_only_what_occurs(wss, dataset, predicted):
    out = predicted / "sheet.png"
    wss("show", dataset / "images", f"x={dataset}/maps", f"e=errors:{predicted}/first",
        "--gt", dataset / "gt", "-o", out)  # fmt: skip
    legend = iio.imread(out)[-60:]
    swatch = 100
    assert all(count(legend, PALETTE[c]) > swatch for c in (0, 1, 3))
    assert count(legend, PALETTE[2]) == 0
    assert count(legend, MARK_COLOURS[WRONG]) > swatch
    assert count(legend, MARK_COLOURS[LEFT_OUT]) == 0


def test_ground_truth_adds_what_is_right(wss, dataset, predicted):
    def drawn(*more, column=f"first={predicted}/first"):
        out = predicted / "sheet.png"
        assert wss("show", dataset / "images", column, "--rows", 2, "-o", out, *more).code == 0
        return iio.imread(out)

    plain, noted = drawn(), drawn("--gt", dataset / "gt")
    assert plain.shape == noted.shape
    changed = np.argwhere((plain != noted).any(axis=2))
    assert changed[:, 1].min() > 0.75 * plain.shape[1]  # above the right end of the second column
    assert len({y // 60 for y in changed[:, 0]}) >= 2  # in both rows
    truth = f"truth={dataset}/gt"
    assert np.array_equal(drawn(column=truth), drawn("--gt", dataset / "gt", column=truth))


def test_opacity_is_that_of_the_labels(wss, dataset, tmp_path):
    image, truth, _ = draw_image(0)
    out = tmp_path / "sheet.png"
    for opacity in (0.25, 1):
        wss("show", dataset / "images", f"truth={dataset}/gt", "--opacity", opacity,
            "--cell-width", 56, "-o", out)  # fmt: skip
        assert contains(iio.imread(out), overlay_labels(image, truth, PALETTE, opacity))
    assert wss("show", dataset / "images", f"t={dataset}/gt", "--opacity", 2, "-o", out).code == 2


def test_a_grid_shows_many_images(wss, dataset, tmp_path):
    def grid(*arguments):
        out = tmp_path / "grid.png"
        outcome = wss("show", dataset / "images", *arguments, "--cell-width", 56, "-o", out)
        assert outcome.code == 0, outcome.err
        return iio.imread(out), outcome.err

    images = {stem: draw_image(seed)[0] for seed, stem in enumerate(STEMS)}
    sheet, told = grid("--columns", 3)
    assert "4 images" in told
    assert all(contains(sheet, image) for image in images.values())
    sheet, _ = grid("--columns", 2, "--rows", 1)
    assert [contains(sheet, images[stem]) for stem in STEMS] == [True, True, False, False]
    sheet, _ = grid(f"truth={dataset}/gt", "--columns", 2, "--rows", 2)
    overlays = [overlay_labels(*draw_image(seed)[:2], PALETTE, 0.6) for seed in range(4)]
    assert all(contains(sheet, overlay) for overlay in overlays)
    assert not contains(sheet, images["a"])


def test_each_image_gets_a_picture_of_its_own(wss, dataset, tmp_path):
    arguments = ["show", dataset / "images", f"truth={dataset}/gt", "--each"]
    one = wss(*arguments, "-o", tmp_path / "one", "--jobs", 1)
    assert one.code == 0, one.err
    assert one.paths == [tmp_path / "one" / f"{stem}.png" for stem in STEMS]
    image, truth, scribbles = draw_image(1)
    found = iio.imread(tmp_path / "one" / "b.png")
    assert np.array_equal(found, overlay_labels(image, truth, PALETTE, 0.6))
    wss(*arguments, "-o", tmp_path / "two", "--jobs", 2)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    meta = picture_files.read_meta(tmp_path / "one" / "b.png")
    assert meta["step"] == "show"
    assert [entry["role"] for entry in meta["inputs"]] == ["image", "truth"]
    assert "skipped 4 (up to date)" in wss(*arguments, "-o", tmp_path / "one").err
    refused = wss(*arguments, "-o", tmp_path / "one", "--opacity", 0.3)
    assert refused.code == 2
    assert "opacity 0.6 (now 0.3)" in refused.err
    (tmp_path / "ids").write_text("b\n")
    several = wss(
        *arguments, f"strokes={dataset}/scribbles", "--ids", tmp_path / "ids", "-o", tmp_path / "b"
    )
    assert several.paths == [tmp_path / "b" / "b.png"]
    strokes = overlay_scribbles(image, scribbles, PALETTE, grow=1)
    expected = side_by_side([image, overlay_labels(image, truth, PALETTE, 0.6), strokes])
    assert np.array_equal(iio.imread(tmp_path / "b" / "b.png"), expected)
    assert "a picture\n  size: 40 x 184" in wss("info", tmp_path / "b" / "b.png").out


def test_each_goes_on_where_an_image_fails(wss, dataset, tmp_path):
    (tmp_path / "labels").mkdir()
    for stem in STEMS[:3]:
        data = (dataset / "gt" / f"{stem}.png").read_bytes()
        (tmp_path / "labels" / f"{stem}.png").write_bytes(data[: 60 if stem == "b" else None])
    outcome = wss(
        "show", dataset / "images", f"x={tmp_path}/labels", "--each", "--cell-width", 112,
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert outcome.code == 1
    assert "b: failed: " in outcome.err and "1 left out" in outcome.err
    assert [path.stem for path in outcome.paths] == ["a", "c"]
    image, truth, _ = draw_image(0)
    expected = fit(overlay_labels(image, truth, PALETTE, 0.6), 112)
    assert np.array_equal(iio.imread(outcome.paths[0]), expected)


def test_paths_come_through_a_pipe(shell, dataset, tmp_path):
    outcome = shell(
        f"ls {dataset}/gt/*.png | head -n 3 | wss show {dataset}/images x=- --jobs 1 -o sheet.png"
    )
    assert outcome.code == 0, outcome.err
    assert "3 images" in outcome.err
    assert (tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x=heat:gt"], "expected a name and a folder"),
        (["x=heat:sea:MAPS"], "expected one of sky, grass, unused, water"),
        (["x=diff:GT"], "expected a name and a folder"),
        (["x=errors:GT"], "--gt DIR"),
        (["x=entropy:GT"], "no map in"),
        (["x=GT", "x=MAPS"], "names of their own"),
        (["x=GT", "y=MAPS", "--columns", "2"], "not of more"),
        (["--each"], "at least one NAME=DIR"),
        (["x=GT", "--each", "--gt", "GT"], "no text"),
        (["x=GT", "--each", "--columns", "2"], "either --columns or --each"),
        (["--gt", "GT"], "goes with NAME=DIR"),
        (["x=-", "y=-"], "only one input"),
        (["x=GT", "--filter-input", "bgr"], "goes with --filters"),
    ],
)
def test_show_refuses_what_has_no_meaning(wss, dataset, tmp_path, arguments, message):
    given = [
        text.replace("GT", str(dataset / "gt")).replace("MAPS", str(dataset / "maps"))
        for text in arguments
    ]
    outcome = wss("show", dataset / "images", *given, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()
