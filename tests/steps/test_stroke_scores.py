"""`wss score --scribbles`: what strokes say of labels and maps."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from builders import STEMS, draw_image

from wsstools.formats import label_files


@pytest.fixture
def held(wss, dataset, tmp_path):
    """Maps that are held out from the strokes."""
    outcome = wss(
        "rf-predict", dataset / "images", dataset / "scribbles", "--folds", 3, "--trees", 10,
        "-o", tmp_path / "held",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return tmp_path / "held"


def test_maps_and_their_labels_have_one_score(wss, dataset, held, tmp_path):
    of_maps = wss("score", held, dataset / "scribbles", "--scribbles", "--json")
    assert of_maps.code == 0, of_maps.err
    assert "warning" not in of_maps.err
    wss("argmax", held, "-o", tmp_path / "labels")
    of_labels = wss("score", tmp_path / "labels", dataset / "scribbles", "--scribbles", "--json")
    assert of_labels.out == of_maps.out and "warning" not in of_labels.err
    found = json.loads(of_maps.out)
    low, high = found["interval"]
    assert low <= found["miou"] <= high
    low, high = found["rank_interval"]
    assert low <= found["rank_score"] <= high
    assert found["images"] == len(STEMS)


def test_it_is_near_the_truth_on_the_drawn_images(wss, dataset, held, tmp_path):
    maps = [dataset / "images", dataset / "scribbles", "--trees", 10, "-o", tmp_path / "full"]
    assert wss("rf-predict", *maps).code == 0
    wss("argmax", tmp_path / "full", "-o", tmp_path / "labels")
    true = json.loads(wss("score", tmp_path / "labels", dataset / "gt", "--json").out)["miou"]
    guess = json.loads(wss("score", held, dataset / "scribbles", "--scribbles", "--json").out)
    assert abs(guess["miou"] - true) < 0.2


def test_right_labels_have_all_of_it_as_table_and_csv(wss, dataset, tmp_path):
    (tmp_path / "right").mkdir()
    for number, stem in enumerate(STEMS):
        _, truth, scribbles = draw_image(number)
        assert (truth[scribbles != 255] == scribbles[scribbles != 255]).all()
        path = tmp_path / "right" / f"{stem}.png"
        path.write_bytes(label_files.encode_labels(truth.astype(np.uint8), None))
    given = ["score", tmp_path / "right", dataset / "scribbles", "--scribbles"]
    table = wss(*given).out.splitlines()
    assert table[0].split() == ["rank", "score", "100.00%", "[100.00%,", "100.00%]"]
    assert table[1].split() == ["mean", "IoU,", "estimated", "100.00%", "[100.00%,", "100.00%]"]
    lines = wss(*given, "--format", "csv").out.splitlines()
    assert lines[:2] == ["measure,class,name,value", "rank_score,,,1.0"]
    assert {"miou,,,1.0", "miou_low,,,1.0"} <= set(lines)
    assert "accuracy_on_strokes,,,1.0" in lines
    assert "[" not in wss(*given, "--bootstrap", 0).out
    clustered = wss(*given, "--clusters", f"{STEMS[0]}|.")
    assert clustered.code == 0, clustered.err


def test_labels_that_saw_the_strokes_are_warned_about(wss, dataset, tmp_path):
    wss("rf-predict", dataset / "images", dataset / "scribbles", "--trees", 5, "-o", tmp_path / "m")
    wss("argmax", tmp_path / "m", "-o", tmp_path / "l")
    for place in ("m", "l"):
        outcome = wss("score", tmp_path / place, dataset / "scribbles", "--scribbles")
        assert outcome.code == 0
        assert "made by wss rf-predict without --folds" in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scribbles", "--per-image"], "--per-image does not go with --scribbles"),
        (["--scribbles", "--format", "counts"], "--format counts does not go with --scribbles"),
        (["--scribbles", "--volumes", "x"], "either --volumes or --scribbles"),
        (["--scribbles", "--spacing", "1,1,1"], "--spacing goes with --volumes"),
        (["--clusters", "x"], "--clusters goes with --scribbles"),
        (["--bootstrap", "7"], "--bootstrap goes with --scribbles"),
        (["--scribbles", "--clusters", "("], "--clusters ("),
    ],
)
def test_options_that_do_not_go_together(wss, dataset, options, message):
    outcome = wss("score", dataset / "gt", dataset / "scribbles", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_images_that_models_skip_are_left_out(wss, dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "d")
    path = tmp_path / "d" / "scribbles" / f"{STEMS[0]}.png"
    blank = np.full(draw_image(0)[2].shape, 255, np.uint8)
    path.write_bytes(label_files.encode_labels(blank, None))
    blank[3, 4] = 0
    (tmp_path / "d" / "scribbles" / f"{STEMS[1]}.png").write_bytes(
        label_files.encode_labels(blank, None)
    )
    given = [tmp_path / "d" / "images", tmp_path / "d" / "scribbles", "--folds", 2]
    made = wss("rf-predict", *given, "--trees", 5, "-o", tmp_path / "held")
    assert made.code == 0, made.err
    assert f"{STEMS[1]}: skipped: a single scribbled pixel" in made.err
    outcome = wss("score", tmp_path / "held", tmp_path / "d" / "scribbles", "--scribbles", "--json")
    assert outcome.code == 0, outcome.err
    assert "2 of 4 scribbles" in outcome.err
    assert json.loads(outcome.out)["images"] == 2
