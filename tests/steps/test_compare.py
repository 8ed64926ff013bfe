"""`compare`: two sets of labels, image by image."""

from __future__ import annotations

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ElementTree

import imageio.v3 as iio
import numpy as np
import pytest
from builders import STEMS, draw_image, folder_bytes, labels_of

from wsstools.core.evaluation.comparison import compared, pair_counts
from wsstools.core.evaluation.metrics import confusion_matrix, scores
from wsstools.core.evaluation.settings import ComparisonSettings
from wsstools.formats import label_files, parameter_files
from wsstools.running.settings import RunSettings
from wsstools.steps.compare import compare as compare_folders
from wsstools.view.comparison import comparison_scatter
from wsstools.view.differences import MARK_COLOURS, SECOND_RIGHT

FILES = ["compare.csv", "compare.json", "scatter.svg", "sheet.png"]
SVG = "{http://www.w3.org/2000/svg}"
LOST = {"first": (20, 15, 10, 0), "second": (0, 5, 10, 20)}
"""Rows of class 0 that are given to class 1, by image: b is better on a and b, a on d."""


@pytest.fixture
def two(dataset, tmp_path):
    """Folders first/ and second/, and `compare`, which writes to another folder."""
    for name, lost in LOST.items():
        (tmp_path / name).mkdir()
        for stem, rows in zip(STEMS, lost, strict=True):
            labels = labels_of(dataset / "gt" / f"{stem}.png").copy()
            labels[:rows][labels[:rows] == 0] = 1
            data = label_files.encode_labels(labels, {})
            (tmp_path / name / f"{stem}.png").write_bytes(data)
    return tmp_path


@pytest.fixture
def compare(wss, dataset, two):
    def run(out, *more, first=None, second=None):
        return wss(
            "compare", first or two / "first", second or two / "second", "--gt", dataset / "gt",
            "-o", two / out, "--jobs", 1, *more,
        )  # fmt: skip

    return run


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "compare.csv").read_text())))


def of_image(two, dataset, name, stem):
    gt = labels_of(dataset / "gt" / f"{stem}.png")
    return scores(confusion_matrix(labels_of(two / name / f"{stem}.png"), gt))


def test_the_table_holds_what_score_gives_each_image(compare, two, dataset):
    outcome = compare("out")
    assert outcome.code == 0, outcome.err
    assert sorted(folder_bytes(two / "out")) == FILES
    assert outcome.paths == [two / "out" / "compare.json"]
    rows = rows_of(two / "out")
    assert [row["image"] for row in rows] == ["a", "b", "c", "d"]  # the largest gain first
    for row in rows:
        both = [of_image(two, dataset, name, row["image"]) for name in LOST]
        for name, one in zip(LOST, both, strict=True):
            assert float(row[f"{name} accuracy"]) == pytest.approx(one.pixel_accuracy)
            assert float(row[f"{name} miou"]) == pytest.approx(one.mean_iou)
        difference = both[1].pixel_accuracy - both[0].pixel_accuracy
        assert float(row["accuracy difference"]) == pytest.approx(difference)
        assert float(row["miou difference"]) == pytest.approx(both[1].mean_iou - both[0].mean_iou)


def test_the_summary_counts_wins_and_agrees_with_score(compare, wss, two, dataset):
    answer = json.loads(compare("out", "--json").out)
    accuracy = answer["scores"]["accuracy"]
    assert [accuracy[key] for key in ("better", "worse", "equal")] == [2, 1, 1]
    assert answer["largest_gains"] == ["a", "b"] and answer["largest_losses"] == ["d"]
    lost = np.subtract(LOST["first"], LOST["second"])
    columns = 56 // 3
    assert accuracy["mean_difference"] == pytest.approx(lost.mean() * columns / (40 * 56))
    low, high = accuracy["interval"]
    assert low < accuracy["mean_difference"] < high
    for side, name in (("first", "first"), ("second", "second")):
        scored = json.loads(wss("score", two / name, dataset / "gt", "--json").out)
        assert accuracy["all_images"][side] == pytest.approx(scored["pixel_accuracy"])
        assert answer["scores"]["miou"]["all_images"][side] == pytest.approx(scored["miou"])
    printed = compare("out").err
    assert "up to date" in printed
    assert "second against first on 4 images" in printed
    assert "second worse, pixel accuracy" in printed


def test_clusters_of_images_are_resampled_together(compare, two):
    """Of two clusters a quarter of the resamples are one of them: their means are the ends."""
    (two / "clusters.txt").write_text("a one\nb one\nc one\nd two\n")
    found = compare("of_file", "--clusters", two / "clusters.txt", "--json")
    assert found.code == 0, found.err
    text = compare("of_file", "--clusters", two / "clusters.txt").err
    assert "up to date" in text and "second against first on 4 images in 2 clusters" in text
    answer = json.loads((two / "of_file" / "compare.json").read_text())
    assert answer["clusters"] == json.loads(found.out)["clusters"] == 2
    change = {
        stem: one["accuracy"]["second"] - one["accuracy"]["first"]
        for stem, one in answer["images"].items()
    }
    ends = sorted((np.mean([change[stem] for stem in "abc"]), change["d"]))
    assert answer["scores"]["accuracy"]["interval"] == pytest.approx(ends)
    assert answer["made_by"]["options"]["clusters"] == "clusters.txt"
    assert [one["name"] for one in answer["made_by"]["inputs"][3:]] == ["clusters.txt"]
    compare("plain")
    plain = json.loads((two / "plain" / "compare.json").read_text())
    assert "clusters" not in plain and "clusters" not in plain["made_by"]["options"]
    (two / "clusters.txt").write_text("a one\nb two\nc two\n")
    missing = compare("missing", "--clusters", two / "clusters.txt")
    assert missing.code == 1 and "d: no cluster by --clusters" in missing.err
    assert not (two / "missing").exists()
    assert compare("missing", "--clusters", "d", "--bootstrap", 0).code == 2


def test_the_plot_has_a_dot_for_each_image_on_its_side_of_the_diagonal(compare, two):
    compare("out", "--top", 1)
    root = ElementTree.fromstring((two / "out" / "scatter.svg").read_text())
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert sorted(title.split(":")[0] for title in titles) == list(STEMS)
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"second better (2)", "first better (1)", "equal (1)"} <= set(texts)
    assert "a" in texts and "d" in texts and "b" not in texts  # names of the largest only
    assert "pixel accuracy of first (%)" in texts


def test_dots_above_the_diagonal_are_gains():
    gt = np.zeros((1, 10), np.uint8)
    images = {}
    for stem, wrongs in (("p", (5, 2)), ("q", (1, 4))):
        pair = [(np.arange(10)[None] < wrong).astype(np.uint8) for wrong in wrongs]
        images[stem] = pair_counts(*pair, gt)
    found = compared(("x", "y"), images, rng=np.random.default_rng(0), n_resamples=0)
    assert found.ranking.values.tolist() == [[0.5, 0.9], [0.8, 0.6]]
    assert found.ranking.interval is None
    drawing = comparison_scatter(found, 1)
    assert drawing.titles == {
        "dots-0": ["p: 50.0 % to 80.0 % (+30.0)"],
        "dots-1": ["q: 90.0 % to 60.0 % (-30.0)"],
    }
    dots = [line for line in drawing.figure.axes[0].lines if line.get_gid()]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots] == [(50, 80), (90, 60)]


def test_the_sheet_shows_gains_and_then_losses(compare, two, dataset):
    compare("with", "--top", 1, "--images", dataset / "images")
    compare("without", "--top", 1)
    compare("more", "--top", 4)
    with_images, without, more = (
        iio.imread(two / name / "sheet.png") for name in ("with", "without", "more")
    )
    assert with_images.shape[1] > without.shape[1] + 240
    assert more.shape[0] > without.shape[0] + 150
    blue = (without == np.array(MARK_COLOURS[SECOND_RIGHT])).all(axis=2)
    wrong = labels_of(two / "first" / "a.png") != draw_image(0)[1]
    assert blue[:, : blue.shape[1] // 2].sum() < 400  # the swatch
    in_cell = blue[: blue.shape[0] // 2].sum() / (240 / 56) ** 2
    assert in_cell == pytest.approx(wrong.sum(), rel=0.05)  # in the row of the gain only


def test_python_compares_and_every_label_file_is_decoded_once(two, dataset, monkeypatch):
    decoded = []
    decode = label_files.decode_labels
    monkeypatch.setattr(
        label_files, "decode_labels", lambda data, name: decoded.append(name) or decode(data, name)
    )
    folders = [str(two / "first"), str(two / "second"), str(dataset / "gt")]
    settings = ComparisonSettings(top=1, bootstrap=0)
    arguments = {"images": str(dataset / "images"), "settings": settings}
    found = compare_folders(*folders, two / "out", **arguments, run=RunSettings(jobs=1))
    assert sorted(decoded) == sorted(f"{f}/{stem}.png" for f in folders for stem in STEMS)
    assert found.is_new and sorted(folder_bytes(two / "out")) == FILES
    assert found.comparison.ranking.counts == (2, 1, 1)
    assert json.loads(found.as_json())["largest_gains"] == ["a"]
    assert "first" in found.as_text()
    again = compare_folders(*folders, two / "out", **arguments, run=RunSettings(jobs=1))
    assert not again.is_new


def test_equal_labels_have_a_sheet_and_no_winner(compare, two):
    outcome = compare("out", second=f"again={two / 'first'}")
    assert outcome.code == 0, outcome.err
    answer = json.loads((two / "out" / "compare.json").read_text())
    assert answer["scores"]["accuracy"]["equal"] == 4
    assert answer["scores"]["accuracy"]["interval"] == [0, 0]
    assert answer["largest_gains"] == answer["largest_losses"] == []
    assert iio.imread(two / "out" / "sheet.png").shape[0] > 4 * 150


def test_one_and_two_jobs_give_the_same_bytes_and_a_rerun_writes_nothing(compare, two):
    compare("one")
    times = {path: path.stat().st_mtime_ns for path in (two / "one").iterdir()}
    compare("two", "--jobs", 2)
    assert folder_bytes(two / "one") == folder_bytes(two / "two")
    compare("one")
    assert times == {path: path.stat().st_mtime_ns for path in (two / "one").iterdir()}


def test_a_folder_belongs_to_one_comparison(compare, two, wss):
    compare("out")
    refused = compare("out", "--metric", "miou")
    assert refused.code == 2
    assert "metric 'accuracy' (now 'miou')" in refused.err
    before = folder_bytes(two / "out")
    assert compare("out", "--metric", "miou", "--overwrite").code == 0
    assert folder_bytes(two / "out") != before
    meta = parameter_files.read_meta(two / "out" / "compare.json")
    assert [entry["role"] for entry in meta["inputs"]] == ["first", "second", "gt"]
    assert "second against first" in wss("info", two / "out" / "compare.json").out
    (two / "mine").mkdir()
    (two / "mine" / "sheet.png").write_bytes(b"mine")
    assert compare("mine").code == 2
    assert (two / "mine" / "sheet.png").read_bytes() == b"mine"


def test_a_changed_input_is_seen(compare, two):
    compare("out")
    shutil.copy(two / "second" / "d.png", two / "first" / "d.png")
    assert compare("out").code == 0
    answer = json.loads((two / "out" / "compare.json").read_text())
    assert answer["scores"]["accuracy"]["worse"] == 0


def test_images_without_ground_truth_do_not_count(wss, two, dataset):
    shutil.copytree(dataset / "gt", two / "gt")
    empty = label_files.encode_labels(np.full((40, 56), 255, np.uint8), {})
    (two / "gt" / "a.png").write_bytes(empty)
    arguments = ["compare", two / "first", two / "second", "--gt", two / "gt"]
    assert wss(*arguments, "-o", two / "out").code == 0
    assert [row["image"] for row in rows_of(two / "out")] == ["b", "c", "d"]
    for stem in STEMS:
        (two / "gt" / f"{stem}.png").write_bytes(empty)
    none = wss(*arguments, "-o", two / "none")
    assert none.code == 1
    assert "no pixel of the ground truth" in none.err
    assert not (two / "none").exists()


def test_different_images_and_damaged_files_are_reported(compare, two):
    (two / "second" / "d.png").write_bytes(b"no picture")
    damaged = compare("out")
    assert damaged.code == 1 and "d: failed: " in damaged.err
    (two / "second" / "d.png").unlink()
    different = compare("out")
    assert different.code == 1 and "different images: 1 are in one only" in different.err
    assert not (two / "out").exists()
    (two / "ids").write_text("c\na\n")
    assert compare("out", "--ids", two / "ids").code == 0
    assert [row["image"] for row in rows_of(two / "out")] == ["a", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["first -", "- second"])
def test_paths_on_standard_input_choose_the_images(shell, two, dataset, arguments):
    piped = arguments.replace("-", "").strip()
    other = {"first": "second", "second": "first"}[piped]
    outcome = shell(
        f"ls {other}/[bd].png | wss compare {arguments.replace('-', 'x=-')} "
        f"--gt {dataset}/gt -o out --jobs 1"
    )
    assert outcome.code == 0, outcome.err
    assert {row["image"] for row in rows_of(two / "out")} == {"b", "d"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--metric", "dice"], "expected one of accuracy, miou"),
        (["--top", "0"], "--top"),
    ],
)
def test_compare_refuses_wrong_options(compare, two, more, message):
    outcome = compare("out", *more)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_folder_is_neither_compared_with_itself_nor_written_among_inputs(compare, two, dataset):
    same = compare("out", second=two / "first")
    assert same.code == 2 and "two sets of labels" in same.err
    assert compare("first").code == 2
    shutil.copytree(dataset / "images", two / "images")
    assert compare("images", "--images", two / "images").code == 2
    assert sorted(folder_bytes(two / "images")) == [f"{stem}.png" for stem in STEMS]
    (two / "deep" / "first").parent.mkdir()
    shutil.copytree(two / "second", two / "deep" / "first")
    named = compare("out", second=two / "deep" / "first")
    assert named.code == 0, named.err
    assert f"{two / 'deep' / 'first'} accuracy" in rows_of(two / "out")[0]


def test_each_format_is_printed(compare, two):
    """The csv is the table that is written; json is what --json prints."""
    csv_printed = compare("out", "--format", "csv")
    assert csv_printed.code == 0, csv_printed.err
    assert csv_printed.out == (two / "out" / "compare.csv").read_text()
    assert len(csv_printed.out.splitlines()) == 1 + len(STEMS)
    assert compare("out", "--format", "json").out == compare("out", "--json").out
    refused = compare("out", "--format", "latex")
    assert refused.code == 2
    assert "--format latex: expected table, csv or json" in refused.err
