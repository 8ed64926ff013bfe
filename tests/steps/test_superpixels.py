"""`wss superpixels` on folders: alone, with maps in a pipe, and with what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from builders import STEMS, draw_image, folder_bytes

from wsstools.formats import label_files


@pytest.fixture
def label(wss, dataset, tmp_path):
    """Run it on the data set into a folder of tmp_path."""

    def run(out: str, *more: object):
        places = [dataset / "images", dataset / "scribbles"]
        return wss("superpixels", *places, "-o", tmp_path / out, "--min-size", 4, *more)

    return run


def test_labels_are_whole_and_mostly_right(label, tmp_path):
    one = label("one", "--jobs", 1)
    assert one.code == 0, one.err
    assert [path.stem for path in one.paths] == list(STEMS)
    assert label("two", "--jobs", 2).code == 0
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    assert "skipped 4 (up to date)" in label("one").err
    for path in one.paths:
        labels = label_files.decode_labels(path.read_bytes(), str(path)).value
        _, truth, scribbles = draw_image(STEMS.index(path.stem))
        assert set(np.unique(labels)) <= set(np.unique(scribbles)) - {255}
        assert (labels == truth).mean() > 0.8


def test_maps_are_taken_from_a_pipe(shell, dataset, tmp_path):
    places = f"{dataset}/images {dataset}/scribbles"
    line = (
        f"wss local-predict {places} --model walker -o {tmp_path}/maps | "
        f"wss superpixels {places} --maps - --min-size 4 -o {tmp_path}/labels"
    )
    outcome = shell(line)
    assert outcome.code == 0, outcome.err
    assert sorted(path.stem for path in (tmp_path / "labels").glob("*.png")) == sorted(STEMS)


def test_the_weight_of_neighbours_needs_maps(label):
    outcome = label("none", "--pairwise", 3)
    assert outcome.code == 2
    assert "--pairwise needs --maps" in outcome.err


def test_maps_of_other_classes_are_refused(wss, label, dataset, tmp_path):
    places = [dataset / "images", dataset / "scribbles"]
    made = wss(
        "local-predict", *places, "--model", "walker", "--n-classes", 9, "-o", tmp_path / "maps"
    )
    assert made.code == 0, made.err
    outcome = label("none", "--maps", tmp_path / "maps")
    assert outcome.code == 1
    assert "the map is of 9 classes" in outcome.err
