"""`show`: views of maps and labels, notes, grids, pictures of each image."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
from builders import STEMS, contains, draw_image, folder_bytes, labels_of, map_of

from wsstools.core.local.filter_bank import FilterLayer
from wsstools.core.maps import normalized_entropy
from wsstools.core.palette import distinct_palette, voc_palette
from wsstools.formats import label_files, picture_files
from wsstools.view.differences import (
    LEFT_OUT,
    MARK_COLOURS,
    WRONG,
    difference_marks,
    draw_marks,
    error_marks,
)
from wsstools.view.filters import filter_pictures
from wsstools.view.overlay import overlay_labels, overlay_scribbles
from wsstools.view.scales import INFERNO, scale_colours
from wsstools.view.sheet import fit, side_by_side

PALETTE = voc_palette()


def count(picture, colour):
    return int((picture == np.array(colour)).all(axis=2).sum())


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


def test_views_of_maps_show_probability_and_normalized_entropy(wss, dataset, tmp_path):
    maps, out = dataset / "maps", tmp_path / "sheet.png"
    outcome = wss(
        "show", dataset / "images", f"water=heat:water:{maps}", f"three=heat:3:{maps}",
        f"none=heat:unused:{maps}", f"entropy=entropy:{maps}", "--cell-width", 56, "--rows", 1,
        "-o", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    sheet, found = iio.imread(out), map_of(maps / "a.npz")
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
    others = (*arguments[:2], *arguments[3:])
    assert "made with other options: columns" in wss(*others).err
    assert wss(*others, "--overwrite").code == 0
    assert contains(iio.imread(out), draw_marks(image, difference_marks(first, second)))


def test_a_sheet_tells_what_it_shows(wss, dataset, tmp_path):
    labels, out = tmp_path / "labels", tmp_path / "sheet.png"
    assert wss("argmax", dataset / "maps", "-o", labels, "-j", 1).code == 0
    arguments = [
        "show", dataset / "images", f"labels={labels}", f"entropy=entropy:{dataset / 'maps'}",
        "--rows", 2, "-o", out,
    ]  # fmt: skip
    assert wss(*arguments).code == 0
    meta = picture_files.read_meta(out)
    assert (meta["kind"], meta["step"], meta["stem"]) == ("picture", "show", "sheet")
    assert meta["options"]["columns"] == [["labels", "", None], ["entropy", "entropy", None]]
    assert [(entry["role"], entry["name"]) for entry in meta["inputs"]] == [
        ("image", "a.png and 1 more"), ("labels", "a.png and 1 more"), ("entropy", "a.npz and 1 more"),
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
        assert wss("show", dataset / "images", column, "--rows", 2, "-o", out, "--overwrite",
                   *more).code == 0  # fmt: skip
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
            "--cell-width", 56, "-o", out, "--overwrite")  # fmt: skip
        assert contains(iio.imread(out), overlay_labels(image, truth, PALETTE, opacity))
    assert wss("show", dataset / "images", f"t={dataset}/gt", "--opacity", 2, "-o", out).code == 2


def test_a_grid_shows_many_images(wss, dataset, tmp_path):
    def grid(*arguments):
        out = tmp_path / "grid.png"
        outcome = wss("show", dataset / "images", *arguments, "--cell-width", 56, "-o", out,
                      "--overwrite")  # fmt: skip
        assert outcome.code == 0, outcome.err
        return iio.imread(out), outcome.err

    images = {stem: draw_image(seed)[0] for seed, stem in enumerate(STEMS)}
    sheet, printed = grid("--columns", 3)
    assert "4 images" in printed
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
    outcome = wss("show", dataset / "images", *given, "-o", tmp_path / "o.png")
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_the_contact_sheet_shows_every_folder(wss, dataset, tmp_path):
    sheet = tmp_path / "sheet.png"
    outcome = wss(
        "show", dataset / "images", f"scribbles={dataset}/scribbles", f"map={dataset}/maps",
        f"truth={dataset}/gt", "-o", sheet, "--rows", 2, "--cell-width", 100,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.paths == [sheet]
    picture = iio.imread(sheet)
    assert picture.shape[1] > 400
    assert picture.dtype == np.uint8
    narrow = tmp_path / "narrow.png"
    wss("show", dataset / "images", f"truth={dataset}/gt", "-o", narrow, "--cell-width", 100)
    assert iio.imread(narrow).shape[1] < picture.shape[1]


@pytest.mark.parametrize("column", ["gt", "=x", "name="])
def test_columns_need_a_name(wss, dataset, tmp_path, column):
    assert wss("show", dataset / "images", column, "-o", tmp_path / "s.png").code == 2


def test_show_draws_filters_instead_of_images(wss, dataset, tmp_path):
    weights = np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)
    np.savez(tmp_path / "net.npz", conv1_W=weights)
    out = tmp_path / "sheet.png"
    outcome = wss(
        "show", "--filters", "gabor", "--filters", tmp_path / "net.npz", "--filter-input", "bgr",
        "-o", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.paths == [out]
    assert "164 filters" in outcome.err
    expected = filter_pictures(FilterLayer(weights[:, ::-1], np.zeros(4, np.float32)))
    assert contains(iio.imread(out), expected[0].repeat(13, 0).repeat(13, 1))
    images = dataset / "images"
    for arguments, message in [
        ((), "IMAGES and at least one NAME=DIR, or --filters"),
        ((images, "--filters", "gabor"), "not both"),
        ((images, f"a={images}", "--filter-input", "bgr"), "goes with --filters"),
        (("--filters", "lenet"), "no such file, and no bank"),
    ]:
        refused = wss("show", *arguments, "-o", tmp_path / "none.png")
        assert refused.code == 2
        assert message in refused.err
        assert not (tmp_path / "none.png").exists()


def test_colours_that_are_easy_to_tell_apart(wss, dataset, tmp_path):
    """In pictures and in the legend; sheets in VOC's colours stay up to date."""
    command = ("show", dataset / "images", f"labels={dataset / 'gt'}", "--opacity", 1)
    assert wss(*command, "--each", "--palette", "distinct", "-o", tmp_path / "each").code == 0
    labels = labels_of(dataset / "gt" / "a.png")
    expected = distinct_palette()[labels]
    assert np.array_equal(iio.imread(tmp_path / "each" / "a.png"), expected)
    sheet = ("--palette", "distinct", "-o", tmp_path / "sheet.png")
    assert wss(*command, *sheet).code == 0
    assert (
        count(iio.imread(tmp_path / "sheet.png"), distinct_palette()[3])
        > count(expected, distinct_palette()[3])
        > 0
    )
    refused = wss(*command, "-o", tmp_path / "sheet.png")
    assert refused.code == 2
    assert "other options" in refused.err
    wrong = wss(*command, "--palette", "rainbow", "-o", tmp_path / "x.png")
    assert (wrong.code, wrong.err) == (
        2, "wss show: error: --palette rainbow: expected voc or distinct\n",
    )  # fmt: skip
