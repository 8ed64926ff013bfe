"""`curate`: corrected scribbles, the list of complete images, the counts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import STEMS, folder_bytes, labels_of

from wsstools.core.evaluation.trimap import border_distance
from wsstools.errors import UsageError
from wsstools.formats import label_files
from wsstools.steps.curate import curate


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


@pytest.mark.parametrize(
    ("options", "corrected"),
    [
        (("--classes", "water"), lambda given, gt, distance: (given == 3) | (gt == 3)),
        (
            ("--classes", "0,water"),
            lambda given, gt, distance: np.isin(given, (0, 3)) | np.isin(gt, (0, 3)),
        ),
        (("--within", "2"), lambda given, gt, distance: distance <= 2),
        (("--beyond", "2"), lambda given, gt, distance: distance > 2),
        (
            ("--within", "3", "--beyond", "1", "--classes", "grass"),
            lambda given, gt, distance: (
                (distance <= 3) & (distance > 1) & ((given == 1) | (gt == 1))
            ),
        ),
    ],
)
def test_labels_are_corrected_in_some_respects(wss, faulty, options, corrected):
    labels = faulty / "labels"
    labels.mkdir()
    rng = np.random.default_rng(0)
    for stem in STEMS:
        gt = labels_of(faulty / "gt" / f"{stem}.png")
        noisy = rng.choice(np.array([0, 1, 3], np.uint8), gt.shape)
        (labels / f"{stem}.png").write_bytes(label_files.encode_labels(noisy, {}))
    out = faulty / "out"
    assert wss("curate", labels, faulty / "gt", *options, "-o", out).code == 0
    for stem in STEMS:
        given, gt, found = (labels_of(at / f"{stem}.png") for at in (labels, faulty / "gt", out))
        where = corrected(given, gt, border_distance(gt, 9))
        assert 0 < where.mean() < 1
        np.testing.assert_array_equal(found, np.where(where, gt, given))
    record = label_files.read_meta(out / "a.png")
    assert record["options"].keys() == {option[2:] for option in options[::2]}


@pytest.mark.parametrize("classes", ["road", "4", ",", "sky;water"])
def test_what_is_no_class_is_an_error(wss, faulty, classes):
    command = ["curate", faulty / "scribbles", faulty / "gt", "-o", faulty / "out"]
    outcome = wss(*command, "--classes", classes)
    assert outcome.code == 2
    assert "--classes: " in outcome.err
    assert not (faulty / "out").exists()


@pytest.mark.parametrize("options", [{"within": 0}, {"beyond": -1}, {"within": 2, "beyond": 2}])
def test_distances_are_positive_and_leave_a_pixel(dataset, tmp_path, options):
    with pytest.raises(UsageError, match=r"expected at least 1|no pixel is"):
        curate(str(dataset / "scribbles"), str(dataset / "gt"), tmp_path / "out", **options)
