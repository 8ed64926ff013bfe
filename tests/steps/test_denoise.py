"""`denoise`: predicted labels corrected by boxes."""

from __future__ import annotations

import numpy as np
import pytest
from builders import SHAPE, STEMS, folder_bytes, labels_of, voc

from wsstools.formats import label_files

CAT, DOG = ("cat", (11, 5, 30, 24)), ("dog", (41, 31, 50, 40))


@pytest.fixture
def predicted(tmp_path):
    """Predictions of two images with a cat and a dog: the cat leaks, b lacks the dog."""
    for folder in ("labels", "boxes"):
        (tmp_path / folder).mkdir()
    for stem in ("a", "b"):
        labels = np.zeros(SHAPE, np.uint8)
        labels[6:24, 10:35] = 8
        labels[0, :7] = 15
        if stem == "a":
            labels[30:36, 40:50] = 12
        data = label_files.encode_labels(labels, {})
        (tmp_path / "labels" / f"{stem}.png").write_bytes(data)
        (tmp_path / "boxes" / f"{stem}.xml").write_text(voc(CAT, DOG))
    return tmp_path


def test_predictions_leave_their_boxes_and_missed_boxes_are_reset(wss, predicted):
    out = predicted / "out"
    outcome = wss("denoise", predicted / "labels", predicted / "boxes", "-o", out)
    assert outcome.code == 0, outcome.err
    expected = np.zeros(SHAPE, np.uint8)
    expected[6:24, 10:30] = 8
    expected[30:36, 40:50] = 12
    np.testing.assert_array_equal(labels_of(out / "a.png"), expected)
    expected[30:40, 40:50] = 12
    np.testing.assert_array_equal(labels_of(out / "b.png"), expected)
    meta = label_files.read_meta(out / "b.png")
    assert meta["result"] == {"boxes": 2, "outside": 18 * 5 + 7, "reset": 1}
    assert meta["options"] | {"least_iou": 0.5, "from_boxes": "box"} == meta["options"]
    assert (out / "classes.txt").read_text().startswith("background\naeroplane\n")


def test_the_rule_and_the_least_iou(wss, predicted):
    command = ["denoise", predicted / "labels", predicted / "boxes", "-o", predicted / "out"]
    outcome = wss(*command, "--least-iou", 0.7, "--from-boxes", "inner", "--inner-share", 0.25)
    assert outcome.code == 0, outcome.err
    dog = labels_of(predicted / "out" / "a.png")[30:40, 40:50]
    assert (dog[2:7, 2:7] == 12).all() and (dog == 255).sum() == 75
    refused = wss(*command)
    assert refused.code == 2 and "other options" in refused.err


def test_jobs_and_reruns_give_the_same(wss, predicted):
    command = ["denoise", predicted / "labels", predicted / "boxes", "-o"]
    wss(*command, predicted / "one", "--jobs", 1)
    wss(*command, predicted / "two", "--jobs", 2)
    assert folder_bytes(predicted / "one") == folder_bytes(predicted / "two")
    assert "skipped 2 (up to date)" in wss(*command, predicted / "one").err


def test_boxes_of_ground_truth(wss, dataset, tmp_path):
    outcome = wss("denoise", dataset / "scribbles", dataset / "gt", "--simulate", "-o",
                  tmp_path / "out", "--jobs", 1)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == list(STEMS)
    # scribbles cover little of their boxes, which are reset
    np.testing.assert_array_equal(labels_of(outcome.paths[0]), labels_of(dataset / "gt" / "a.png"))


def test_a_chain_of_pipes(shell, dataset, tmp_path):
    done = shell(
        f"wss argmax {dataset}/maps -o predicted | "
        f"wss denoise - {dataset}/gt --simulate -o out | wss stats - --json"
    )
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        f"{stem}.png" for stem in STEMS
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (voc(CAT, size=(9, 9)), "the boxes are in an image of shape (9, 9), not (40, 56)"),
        (voc(("unicorn", (1, 1, 9, 9))), "no such class: unicorn"),
        ("<annotation>", "not well-formed XML"),
    ],
)
def test_bad_boxes_fail_alone(wss, predicted, text, message):
    (predicted / "boxes" / "a.xml").write_text(text)
    outcome = wss("denoise", predicted / "labels", predicted / "boxes", "-o", predicted / "out")
    assert outcome.code == 1
    assert [path.stem for path in outcome.paths] == ["b"]
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert message in line
