"""`curate` and `stats`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from builders import STEMS, folder_bytes

from wsstools.core.evaluation.label_statistics import ClassCount, label_stats, summed_stats
from wsstools.core.scribbles.curation import curate_scribbles
from wsstools.formats import label_files


def labels_of(path: Path) -> np.ndarray:
    return label_files.decode_labels(path.read_bytes(), str(path)).value


def test_scribbles_take_the_ground_truth_of_their_pixels():
    scribbles = np.array([[0, 0, 255, 2], [1, 255, 1, 7]], np.uint8)
    gt = np.array([[0, 3, 3, 255], [1, 1, 1, 4]], np.uint8)
    found = curate_scribbles(scribbles, gt)
    assert found.scribbles.tolist() == [[0, 3, 255, 255], [1, 255, 1, 4]]
    assert found.scribbles.dtype == np.uint8
    assert (found.moved, found.dropped, found.missing) == (2, 1, ())


def test_missing_are_the_classes_without_a_scribble_left():
    gt = np.array([[0, 1, 5, 255]], np.uint8)
    assert curate_scribbles(np.array([[0, 255, 255, 5]], np.uint8), gt).missing == (1, 5)
    assert curate_scribbles(np.full((1, 4), 255, np.uint8), gt).missing == (0, 1, 5)
    nothing = np.full((1, 4), 255, np.uint8)
    assert curate_scribbles(np.zeros((1, 4), np.uint8), nothing).missing == ()


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\), ground truth \(3, 2\)"):
        curate_scribbles(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


@pytest.fixture
def faulty(dataset, tmp_path):
    """Scribbles: a as they should be, b with a wrong class, c without class 3, d on 255."""
    for folder in ("scribbles", "gt"):
        (tmp_path / folder).mkdir()
    for stem in STEMS:
        scribbles = labels_of(dataset / "scribbles" / f"{stem}.png")
        gt = labels_of(dataset / "gt" / f"{stem}.png")
        if stem == "b":
            scribbles[8, 4:10][scribbles[8, 4:10] != 255] = 3
        if stem == "c":
            scribbles[scribbles == 3] = 255
        if stem == "d":
            gt[30, 4:14] = 255
        for folder, labels in (("scribbles", scribbles), ("gt", gt)):
            data = label_files.encode_labels(labels, {})
            (tmp_path / folder / f"{stem}.png").write_bytes(data)
    (tmp_path / "classes.txt").write_text("sky\ngrass\nunused\nwater\n")
    return tmp_path


def test_curated_files_list_and_counts(wss, faulty):
    out = faulty / "out"
    outcome = wss("curate", faulty / "scribbles", faulty / "gt", "-o", out)
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == list(STEMS)
    for path in outcome.paths:
        curated, gt = labels_of(path), labels_of(faulty / "gt" / path.name)
        given = labels_of(faulty / "scribbles" / path.name)
        np.testing.assert_array_equal(curated, np.where(given == 255, 255, gt))
    assert (out / "complete.txt").read_text() == "a\nb\nd\n"
    results = {path.stem: label_files.read_meta(path)["result"] for path in outcome.paths}
    moved = {stem: found["moved"] for stem, found in results.items()}
    assert moved == {"a": 0, "b": 3, "c": 0, "d": 0}
    dropped = {stem: found["dropped"] for stem, found in results.items()}
    assert dropped == {"a": 0, "b": 0, "c": 0, "d": 5}
    assert results["c"]["missing"] == [3]
    assert "3 of 4 images have every class annotated" in outcome.err
    assert "images that lack a class: water 1" in outcome.err
    assert ", 3 had another class and 5 no ground truth" in outcome.err


def test_the_list_serves_as_ids(wss, faulty):
    out = faulty / "out"
    wss("curate", faulty / "scribbles", faulty / "gt", "-o", out)
    outcome = wss("stats", out, "--ids", out / "complete.txt", "--json")
    assert list(json.loads(outcome.out)["per_image"]) == ["a", "b", "d"]


def test_jobs_shards_and_reruns_give_the_same(wss, faulty):
    command = ["curate", faulty / "scribbles", faulty / "gt", "-o"]
    wss(*command, faulty / "one", "--jobs", 1)
    wss(*command, faulty / "two", "--jobs", 2)
    for k in (2, 1):
        wss(*command, faulty / "shards", "--shard", f"{k}/2")
    one = folder_bytes(faulty / "one")
    assert one == folder_bytes(faulty / "two") == folder_bytes(faulty / "shards")
    before = {path: path.stat().st_mtime_ns for path in (faulty / "one").iterdir()}
    assert "skipped 4 (up to date)" in wss(*command, faulty / "one").err
    assert before == {path: path.stat().st_mtime_ns for path in (faulty / "one").iterdir()}


def test_a_damaged_image_fails_alone_and_is_not_listed(wss, faulty):
    path = faulty / "gt" / "a.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    command = ["curate", faulty / "scribbles", faulty / "gt", "-o", faulty / "out"]
    outcome = wss(*command)
    assert outcome.code == 1
    assert str(path) in outcome.err
    assert (faulty / "out" / "complete.txt").read_text() == "b\nd\n"
    path.write_bytes(whole)
    assert wss(*command).code == 0
    assert (faulty / "out" / "complete.txt").read_text() == "a\nb\nd\n"


def test_the_folders_of_others_are_left_alone(wss, faulty):
    before = folder_bytes(faulty / "gt")
    for out in ("gt", "scribbles"):
        command = ["curate", faulty / "scribbles", faulty / "gt", "-o", faulty / out]
        assert wss(*command, "--overwrite").code == 2
    assert folder_bytes(faulty / "gt") == before


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
