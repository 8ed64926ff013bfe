"""`stats`: labelled shares per class and image."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from builders import STEMS, labels_of

from wsstools.core.evaluation.label_statistics import ClassCount, label_stats, summed_stats
from wsstools.formats import label_files


def test_statistics_of_hand_sized_labels():
    labels = np.full((4, 5), 255, np.uint8)
    labels[0, 0] = labels[1, 1] = labels[3, 4] = 2  # the first two touch at a corner
    labels[0, 3:] = 0
    found = label_stats(labels)
    assert found.classes == {0: ClassCount(2, 1), 2: ClassCount(3, 2)}
    assert (found.labelled, found.strokes, found.size) == (5, 3, 20)
    assert found.share == 0.25
    other = label_stats(np.zeros((2, 2), np.uint8))
    total = summed_stats([found, other, label_stats(np.full((1, 6), 255, np.uint8))])
    assert total.classes == {0: ClassCount(6, 2, 2), 2: ClassCount(3, 2, 1)}
    assert total.share == 9 / 30


def test_stats_as_json_and_csv_agree_with_the_files(wss, dataset):
    folder = dataset / "scribbles"
    answer = json.loads(wss("stats", folder, "--json").out)
    found = np.stack([labels_of(folder / f"{stem}.png") for stem in STEMS])
    assert answer["images"] == 4
    assert answer["share"] == pytest.approx((found != 255).mean())
    assert list(answer["classes"]) == ["sky", "grass", "water"]
    assert answer["absent"] == ["unused"]
    water = answer["classes"]["water"]
    assert water["id"] == 3
    assert water["pixels"] == (found == 3).sum()
    assert water["share_of_labelled"] == pytest.approx((found == 3).sum() / (found != 255).sum())
    assert water["images"] == 4
    assert answer["per_image"]["b"]["classes"]["water"] == pytest.approx((found[1] == 3).mean())
    rows = list(csv.DictReader(io.StringIO(wss("stats", folder, "--format", "csv").out)))
    assert [row["name"] for row in rows] == ["sky", "grass", "water"]
    assert [int(row["pixels"]) for row in rows] == [int((found == c).sum()) for c in (0, 1, 3)]
    assert sum(float(row["share"]) for row in rows) == pytest.approx(answer["share"])
    text = wss("stats", folder, "--per-image", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["image"], row["class"]) for row in rows[:4]] == [
        ("a", "0"), ("a", "1"), ("a", "3"), ("b", "0"),
    ]  # fmt: skip


def test_stats_as_tables(wss, dataset, tmp_path):
    text = wss("stats", dataset / "gt").out
    assert "labelled           100.000% of the pixels of 4 images" in text
    assert "classes per image  3.00" in text
    assert "never labelled: unused" in text
    header, _, *rows = wss("stats", dataset / "gt", "--per-image").out.splitlines()
    assert header.split() == ["image", "labelled", "classes", "strokes"]
    assert [row.split() for row in rows] == [[stem, "100.000%", "3", "3"] for stem in STEMS]
    empty = label_files.encode_labels(np.full((3, 4), 255, np.uint8), {})
    (tmp_path / "empty.png").write_bytes(empty)
    assert "labelled           0.000%" in wss("stats", tmp_path / "empty.png").out
    assert wss("stats", dataset / "gt", "--format", "html").code == 2


def test_stats_tell_of_a_damaged_file_and_exit_1(wss, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    outcome = wss("stats", tmp_path / "bad.png")
    assert outcome.code == 1
    assert "not a readable label picture" in outcome.err
