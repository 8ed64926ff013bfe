"""`show` with its views, and `compare`: every pixel and number from independent arithmetic."""

import csv
import json
import xml.etree.ElementTree as ET

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import SHAPE, STEMS

from wsstools.commands.compare import _named
from wsstools.core.compare import compare_images
from wsstools.core.palette import voc_palette
from wsstools.io.imagefile import decode_image
from wsstools.io.labelfile import decode_labels, encode_labels
from wsstools.io.mapfile import decode_map
from wsstools.view.doubt import entropy_picture, probability_picture
from wsstools.view.mistakes import (
    FIRST_RIGHT,
    NONE_RIGHT,
    SECOND_RIGHT,
    agreement_picture,
    difference_picture,
    mistakes_picture,
)
from wsstools.view.overlay import overlay_labels, paled
from wsstools.view.scale import scale_colours

PALETTE = voc_palette()
DARK, LIGHT = [68, 1, 84], [253, 231, 37]


def read(path, decode):
    return decode(path.read_bytes(), str(path)).value


@pytest.fixture
def labels(wss, dataset, tmp_path):
    """Labels of the maps in `one`, of the other maps in `two`."""
    for folder, maps in (("one", "maps"), ("two", "other-maps")):
        assert wss("argmax", dataset / maps, "-o", tmp_path / folder).code == 0
    return tmp_path


def test_the_scale_goes_from_dark_to_light():
    assert scale_colours([0, 1, -3, 9]).tolist() == [DARK, LIGHT, DARK, LIGHT]
    brightness = scale_colours(np.linspace(0, 1, 50)).astype(int) @ [299, 587, 114]
    assert (np.diff(brightness) > 0).all()


def test_probability_and_entropy():
    probs = np.array([[[1, 0.5, 0.25]], [[0, 0.5, 0.75]]])
    shown = probability_picture(probs, [2, 5], 5)
    np.testing.assert_array_equal(shown, scale_colours([[0, 0.5, 0.75]]))
    assert probability_picture(probs, [2, 5], 3).tolist() == [[DARK] * 3]
    doubt = entropy_picture(probs, 4)
    certain, even = doubt[0, 0].tolist(), doubt[0, 1]
    assert certain == DARK
    np.testing.assert_array_equal(even, scale_colours(np.log(2) / np.log(4)))
    assert entropy_picture(np.full((4, 1, 1), 0.25), 4)[0, 0].tolist() == LIGHT


def test_mistakes_and_differences():
    image = np.full((1, 4, 3), (10, 200, 30), np.uint8)
    gt = np.array([[1, 1, 255, 2]], np.uint8)
    first = np.array([[1, 2, 2, 255]], np.uint8)
    second = np.array([[1, 1, 1, 1]], np.uint8)
    pale = paled(image)[0, 0].tolist()
    wrong = mistakes_picture(image, first, gt, PALETTE)[0]
    assert wrong[:3].tolist() == [pale, PALETTE[2].tolist(), pale]
    assert wrong[3].tolist() == [214, 39, 40]
    changed = difference_picture(image, first, second, PALETTE)[0]
    assert changed.tolist() == [pale, *[PALETTE[1].tolist()] * 3]
    agreement = agreement_picture(image, first, second, gt)[0].astype(float)
    assert agreement[[0, 2]].tolist() == [pale, pale]
    for k, colour in ((1, SECOND_RIGHT), (3, NONE_RIGHT)):
        np.testing.assert_allclose(
            agreement[k], 0.25 * np.array(pale) + 0.75 * np.array(colour), atol=0.51
        )
    other = agreement_picture(image, second, first, gt)[0, 1]
    np.testing.assert_allclose(
        other, 0.25 * np.array(pale) + 0.75 * np.array(FIRST_RIGHT), atol=0.51
    )


def test_each_image_becomes_a_picture_of_its_own_size(wss, dataset, labels, tmp_path):
    done = wss(
        "show", dataset / "images", f"a={labels}/one", f"2:b={dataset}/maps",
        f"wrong:c={labels}/one", f"differ:d={labels}/one,{labels}/two", f"labels:e={labels}/two",
        f"entropy:f={dataset}/maps", "--gt", dataset / "gt", "--opacity", "0.3", "--each",
        "-o", tmp_path / "each",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [path.stem for path in done.paths] == list(STEMS)
    for path in done.paths:
        image = read(dataset / "images" / path.name, decode_image).astype(np.uint8)
        one, two, gt = (
            read(folder / path.name, decode_labels)
            for folder in (labels / "one", labels / "two", dataset / "gt")
        )
        found = read(dataset / "maps" / f"{path.stem}.npz", decode_map)
        expected = [
            overlay_labels(image, one, PALETTE, 0.3),
            probability_picture(found.probs, found.classes, 2),
            mistakes_picture(image, one, gt, PALETTE),
            difference_picture(image, one, two, PALETTE),
            PALETTE[two],
            entropy_picture(found.probs, 4),
        ]
        np.testing.assert_array_equal(iio.imread(path), np.concatenate(expected, axis=1))


def test_a_grid_holds_every_image(wss, dataset, tmp_path):
    sheet = tmp_path / "grid.png"
    width = SHAPE[1]
    done = wss(
        "show", dataset / "images", "--across", 3, "--rows", 2, "--cell-width", width, "-o", sheet
    )
    assert done.code == 0, done.err
    picture = iio.imread(sheet)
    places = []
    for stem in STEMS:
        image = read(dataset / "images" / f"{stem}.png", decode_image).astype(np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(picture, image.shape)[:, :, 0]
        (place,) = np.argwhere((windows == image).all(axis=(2, 3, 4)))
        places.append(place)
    (top, left), *_ = places
    step = places[1][1] - left
    assert [place.tolist() for place in places] == [
        [top, left], [top, left + step], [top, left + 2 * step], [places[3][0], left],
    ]  # fmt: skip
    assert places[3][0] > top + SHAPE[0]


def test_a_class_is_found_by_its_name(wss, dataset, tmp_path):
    for name, view in (("id", "3"), ("name", "water")):
        column = f"{view}:x={dataset}/maps"
        done = wss("show", dataset / "images", column, "--each", "-o", tmp_path / name)
        assert done.code == 0, done.err
    assert (
        iio.imread(tmp_path / "id/a.png").tolist() == iio.imread(tmp_path / "name/a.png").tolist()
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("fog:x=maps", "no view 'fog'; expected entropy, wrong, differ, labels or a class (sky"),
        ("wrong:x=gt", "wrong: needs the ground truth, --gt DIR"),
        ("differ:x=gt", "expected two folders, differ:NAME=DIR,DIR"),
        ("differ:x=gt,", "expected two folders"),
        ("entropy:x=gt", "no map in"),
        ("entropy:=gt", "expected NAME=DIR or VIEW:NAME=DIR"),
    ],
)
def test_bad_columns_are_told(wss, dataset, tmp_path, monkeypatch, column, message):
    monkeypatch.chdir(dataset)
    refused = wss("show", "images", column, "-o", tmp_path / "s.png")
    assert refused.code != 0
    assert message in refused.err
    assert not (tmp_path / "s.png").exists()


def test_compare_tells_what_the_images_say(wss, dataset, labels, tmp_path):
    out = tmp_path / "compared"
    done = wss(
        "compare", f"first={labels}/one", labels / "two", "--gt", dataset / "gt",
        "--images", dataset / "images", "-o", out, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    accuracy = {
        folder: [
            (read(labels / folder / f"{stem}.png", decode_labels) == gt).mean()
            for stem in STEMS
            for gt in [read(dataset / "gt" / f"{stem}.png", decode_labels)]
        ]
        for folder in ("one", "two")
    }
    differences = np.subtract(accuracy["two"], accuracy["one"])
    assert told["names"] == ["first", "two"]
    assert told["wins"] == (differences > 0).sum()
    assert told["losses"] == (differences < 0).sum()
    assert told["difference"] == pytest.approx(differences.mean())
    assert told["interval"][0] <= differences.mean() <= told["interval"][1]
    assert told["labels"]["two"][0]["first"]["meta"]["step"] == "argmax"
    with (out / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.argsort(-differences)
    assert [row["image"] for row in rows] == [STEMS[k] for k in order]
    for row, k in zip(rows, order, strict=True):
        assert float(row["first accuracy"]) == pytest.approx(accuracy["one"][k])
        assert float(row["difference"]) == pytest.approx(differences[k])
    assert len(ET.parse(out / "scatter.svg").findall(".//{*}title")) >= len(STEMS)
    assert iio.imread(out / "sheet.png").shape[1] > 5 * 208


def test_compare_counts_by_miou_too(wss, dataset, labels, tmp_path):
    arguments = ("compare", labels / "one", labels / "two", "--gt", dataset / "gt")
    done = wss(*arguments, "-o", tmp_path / "c", "--measure", "miou", "--json")
    scores = {
        folder: json.loads(wss("score", labels / folder, dataset / "gt", "--json").out)["images"]
        for folder in ("one", "two")
    }
    mean = np.mean([scores["two"][stem]["miou"] - scores["one"][stem]["miou"] for stem in STEMS])
    assert json.loads(done.out)["difference"] == pytest.approx(mean)
    assert not (tmp_path / "c" / "sheet.png").exists()
    assert wss(*arguments, "-o", tmp_path / "c", "--measure", "dice").code == 2


def test_compare_does_not_replace_what_compares_others(wss, dataset, labels, tmp_path):
    options = ("--gt", dataset / "gt", "-o", tmp_path / "c")
    assert wss("compare", labels / "one", labels / "two", *options).code == 0
    before = (tmp_path / "c/compare.csv").read_bytes()
    assert wss("compare", labels / "one", labels / "two", *options).code == 0
    assert (tmp_path / "c/compare.csv").read_bytes() == before
    refused = wss("compare", labels / "one", f"b={labels}/two", *options)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert wss("compare", labels / "one", f"b={labels}/two", *options, "--overwrite").code == 0
    same = wss("compare", labels / "one", labels / "one", *options)
    assert same.code == 2
    assert "both are called" in same.err


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (("a/base/val", "a/best/val"), ("base", "best")),
        (("x=a/base/val", "a/best/val"), ("x", "best")),
        (("val", "a/val"), ("val", "a")),
        (("one/", "two"), ("one", "two")),
    ],
)
def test_folders_are_called_by_what_differs(places, names):
    assert _named(*places)[0] == names


def test_images_without_ground_truth_do_not_count(wss, dataset, labels, tmp_path):
    truth = tmp_path / "truth"
    truth.mkdir()
    for stem in STEMS:
        gt = read(dataset / "gt" / f"{stem}.png", decode_labels)
        empty = np.full_like(gt, 255)
        (truth / f"{stem}.png").write_bytes(encode_labels(empty if stem == "b" else gt, {}))
    arguments = ("compare", labels / "one", labels / "two", "--gt", truth, "-o", tmp_path / "c")
    assert json.loads(wss(*arguments, "--json").out)["images"] == 3
    (truth / "b.png").rename(tmp_path / "b.png")
    for stem in "acd":
        (truth / f"{stem}.png").write_bytes((tmp_path / "b.png").read_bytes())
    (truth / "b.png").write_bytes((tmp_path / "b.png").read_bytes())
    none = wss(*arguments)
    assert none.code == 1
    assert "no image has a labelled pixel" in none.err


def test_a_single_image_has_no_interval(wss, dataset, labels, tmp_path):
    arguments = ("compare", labels / "one/a.png", labels / "two/a.png", "--gt", dataset / "gt")
    done = wss(*arguments, "-o", tmp_path / "c")
    assert done.code == 0, done.err
    assert "of 1, equal" in done.out
    assert "95 %" not in done.out


def test_the_largest_differences_come_from_both_ends():
    scores = np.array([[0.5, 0.5, 0.5, 0.5, 0.5], [0.9, 0.1, 0.5, 0.6, 0.3]])
    found = compare_images(
        ("a", "b"), list("vwxyz"), {"accuracy": scores}, "accuracy", np.random.default_rng(0), 200
    )
    assert found.order == [0, 3, 2, 4, 1]
    assert found.extremes(1) == [0, 1]
    assert found.extremes(9) == [0, 3, 1, 4]
    assert (found.wins, found.ties) == (2, 1)


def test_the_interval_of_the_mean_difference_is_that_of_theory():
    """Many images: 1.96 standard errors on either side."""
    rng = np.random.default_rng(3)
    scores = np.stack([np.full(400, 0.5), 0.5 + rng.normal(0.02, 0.1, 400)])
    found = compare_images(("a", "b"), range(400), {"accuracy": scores}, "accuracy", rng, 4000)
    half = 1.96 * scores[1].std() / np.sqrt(400)
    assert found.interval is not None
    np.testing.assert_allclose(
        found.interval, [found.difference - half, found.difference + half], atol=0.12 * half
    )
