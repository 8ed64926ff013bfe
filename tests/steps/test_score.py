"""`score` on folders whose answers are known."""

from __future__ import annotations

import json
import shutil

import numpy as np
from builders import STEMS, frames


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


def test_score_notes_ground_truth_of_several_pictures(wss, tmp_path):
    labels = np.arange(24 * 30).reshape(24, 30) % 3 == 0
    for name, later in (("gt", 2), ("labels", 0)):
        (tmp_path / name).mkdir()
        for k in range(7):
            (tmp_path / name / f"{k}.gif").write_bytes(frames(labels, later, "GIF"))
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt", "--json")
    assert json.loads(outcome.out)["miou"] == 1.0
    note = "took the first of 3 pictures in the file"
    assert outcome.err.count(f".gif: {note}") == 5
    assert f"wss score: 2 more: {note}" in outcome.err


def test_score_needs_the_ground_truth_of_every_image(wss, dataset, predictions, tmp_path):
    shutil.copytree(dataset / "gt", tmp_path / "gt")
    (tmp_path / "gt" / "b.png").unlink()
    outcome = wss("score", predictions / "full", tmp_path / "gt")
    assert outcome.code == 1
    assert "b: failed: no ground truth with that name" in outcome.err


def test_volumes_are_cut_before_they_are_scored(wss, dataset, tmp_path):
    volume = tmp_path / "final" / "heart.nii.gz"
    volume.parent.mkdir()
    volume.write_bytes(b"")
    (tmp_path / "final" / "classes.txt").write_text("rest\n")
    for given, said in (
        (
            volume,
            f"{volume} is a volume (looked for ground truth), which wss slices --kind labels cuts",
        ),
        (volume.parent, "; it holds volumes, which wss slices --kind labels cuts into pictures"),
    ):
        outcome = wss("score", dataset / "gt", given)
        assert outcome.code == 2 and said in outcome.err
    outcome = wss("score", volume.parent, volume)
    assert outcome.code == 2 and "which wss slices --kind labels cuts" in outcome.err
    outcome = wss("rf-predict", volume, dataset / "scribbles", "-o", tmp_path / "o")
    assert "is a volume (looked for image), which wss slices cuts into pictures" in outcome.err
