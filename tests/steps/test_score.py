"""`score` and `eval-gap` on folders whose answers are known."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
from builders import STEMS

from wsstools.formats import label_files


@pytest.fixture
def predictions(dataset, tmp_path):
    """Folders full/ (the truth), baseline/ (half of the first class lost), strategy/."""
    for name, rows in (("full", 0), ("baseline", 20), ("strategy", 5)):
        (tmp_path / name).mkdir()
        for stem in STEMS:
            labels = label_files.decode_labels(
                (dataset / "gt" / f"{stem}.png").read_bytes(), ""
            ).value
            labels[:rows][labels[:rows] == 0] = 1
            data = label_files.encode_labels(labels, {})
            (tmp_path / name / f"{stem}.png").write_bytes(data)
    return tmp_path


def test_score_of_the_truth_is_one(wss, dataset, predictions):
    answer = json.loads(wss("score", predictions / "full", dataset / "gt", "--json").out)
    assert answer["miou"] == answer["pixel_accuracy"] == 1.0
    assert answer["iou"] == {"sky": 1.0, "grass": 1.0, "water": 1.0}
    assert answer["absent"] == ["unused"]
    assert list(answer["images"]) == list(STEMS)


def test_score_as_a_table(wss, dataset, predictions):
    text = wss("score", predictions / "baseline", dataset / "gt", "--per-image").out
    assert "pixel accuracy   83.93%" in text
    assert "sky     50.00%" in text
    assert "left out, in neither ground truth nor labels: unused" in text
    assert len([line for line in text.splitlines() if line[:2].strip() in STEMS]) == 4


def test_score_needs_the_ground_truth_of_every_image(wss, dataset, predictions, tmp_path):
    shutil.copytree(dataset / "gt", tmp_path / "gt")
    (tmp_path / "gt" / "b.png").unlink()
    outcome = wss("score", predictions / "full", tmp_path / "gt")
    assert outcome.code == 1
    assert "b: failed: no ground truth with that name" in outcome.err


def gap(wss, dataset, predictions, *more):
    return wss(
        "eval-gap",
        "--gt",
        dataset / "gt",
        "--full",
        predictions / "full",
        "--baseline",
        predictions / "baseline",
        f"ours={predictions / 'strategy'}",
        *more,
    )


def test_the_gap_table_of_folders(wss, dataset, predictions):
    outcome = gap(wss, dataset, predictions, "--json")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    _, baseline, ours = answer["rows"]
    assert [row["name"] for row in answer["rows"]] == ["full", "baseline", "ours"]
    scored = json.loads(wss("score", predictions / "baseline", dataset / "gt", "--json").out)
    assert baseline["miou"] == pytest.approx(scored["miou"])
    assert answer["full_gap"] == pytest.approx(1 - baseline["miou"])
    assert ours["reduction"] == pytest.approx(
        (ours["miou"] - baseline["miou"]) / answer["full_gap"]
    )
    assert "left out of the mean, in neither ground truth nor labels: unused" in outcome.err


def test_the_gap_table_in_all_forms(wss, dataset, predictions):
    table = gap(wss, dataset, predictions).out
    assert table.splitlines()[0].split() == ["strategy", "mIoU", "gap", "gap", "reduction"]
    rows = list(csv.DictReader(io.StringIO(gap(wss, dataset, predictions, "--format", "csv").out)))
    assert [row["name"] for row in rows] == ["full", "baseline", "ours"]
    assert 0 < float(rows[2]["reduction"]) < 1
    markdown = gap(wss, dataset, predictions, "--format", "markdown").out
    assert markdown.startswith("| strategy | mIoU | gap | gap reduction |\n| --- | ---: |")
    latex = gap(wss, dataset, predictions, "--format", "latex").out
    assert latex.startswith("\\begin{tabular}")
    assert r"\%" in latex
    assert gap(wss, dataset, predictions, "--format", "pdf").code == 2


def test_the_gap_table_of_given_numbers(wss, tmp_path):
    scores = tmp_path / "table1.csv"
    scores.write_text("name,miou\nfull,76.8\nbaseline,72.4\nlocal + Potts,68.6\nA & B_1,76.8\n")
    text = wss("eval-gap", "--scores", scores).out
    assert "local + Potts  68.6  8.2        -86.4 %" in text
    assert r"A \& B\_1" in wss("eval-gap", "--scores", scores, "--format", "latex").out


def test_folders_of_different_images_are_refused(wss, dataset, predictions):
    (predictions / "strategy" / "d.png").unlink()
    outcome = gap(wss, dataset, predictions)
    assert outcome.code == 1
    assert "different images" in outcome.err
    assert "'d'" in outcome.err


@pytest.mark.parametrize("argument", ["ours", "=x", "ours=", "full=x"])
def test_strategies_need_a_name(wss, dataset, predictions, argument):
    outcome = wss(
        "eval-gap",
        "--gt",
        dataset / "gt",
        "--full",
        predictions / "full",
        "--baseline",
        predictions / "baseline",
        argument,
    )
    assert outcome.code == 2


def test_sizes_that_differ_fail_by_name(wss, dataset, predictions):
    small = label_files.encode_labels(np.zeros((4, 4), np.uint8), {})
    (predictions / "full" / "c.png").write_bytes(small)
    outcome = wss("score", predictions / "full", dataset / "gt")
    assert outcome.code == 1
    assert "c: failed: labels have shape (4, 4), ground truth (40, 56)" in outcome.err
