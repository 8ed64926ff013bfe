"""What `train` says of labels without images, images without labels, and classes without labels."""

from __future__ import annotations

import shutil

import pytest
from builders import STEMS, labels_of

from wsstools.formats.label_files import encode_labels

pytestmark = pytest.mark.trains


@pytest.fixture
def train(wss, dataset, tmp_path):
    """Train for one iteration on a copy of the data set, which is changed before."""
    data = tmp_path / "data"
    shutil.copytree(dataset, data)

    def run(*more):
        return data, wss(
            "train", "--images", data / "images", "--labels", data / "scribbles",
            "--arch", "deeplabv2-mobilenetv2", "--init", "random", "--iterations", 1,
            "--batch", 2, "--crop", 33, "--precision", "float32", "-o", tmp_path / "net.pt", *more,
        )  # fmt: skip

    run.data = data
    return run


def test_files_without_a_partner_are_counted_and_three_named(train, tmp_path):
    scribbles = train.data / "scribbles"
    for stem in STEMS[:2]:
        for k in range(2):
            shutil.copy(scribbles / f"{stem}.png", scribbles / f"{stem}{k}_mask.png")
    (scribbles / "b.png").unlink()
    _, outcome = train()
    assert outcome.code == 0, outcome.err
    assert (
        f"4 of 7 files of {scribbles} have no image: 'a0_mask', 'a1_mask', 'b0_mask' and 1 more"
        in outcome.err
    )
    assert f"1 of 4 files of {train.data / 'images'} have no labels: 'b'" in outcome.err


def test_names_in_the_list_that_are_missing_are_named(train, tmp_path):
    (tmp_path / "ids.txt").write_text("a\nx\ny\n")
    _, outcome = train("--ids", tmp_path / "ids.txt")
    assert outcome.code == 1
    assert "no image with that name in" in outcome.err and "'x', 'y'" in outcome.err
    assert not (tmp_path / "net.pt").exists()


def test_a_class_that_no_label_has_is_warned_about(train):
    for path in (train.data / "scribbles").iterdir():
        labels = labels_of(path).copy()
        labels[labels == 3] = 255
        path.write_bytes(encode_labels(labels, {}))
    _, outcome = train()
    assert outcome.code == 0, outcome.err
    assert "no pixel of the labels is of 2 of the 4 classes: 'unused', 'water'" in outcome.err
