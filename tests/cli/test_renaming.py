"""One name for one thing: old names of options still work, and arguments have names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import labels_of

from wsstools.cli.main import command_names, load_command
from wsstools.cli.renaming import RENAMED, with_arguments_in_order, with_new_names
from wsstools.errors import UsageError


def parsed(command: str, *words: str) -> dict[str, object]:
    return load_command(command).make_context(command, list(words)).params


@pytest.mark.parametrize("command", RENAMED)
def test_new_names_exist_and_old_ones_are_hidden(command):
    assert command in command_names()
    options = {option for p in load_command(command).params for option in p.opts}
    assert set(RENAMED[command].values()) <= options
    assert options.isdisjoint(RENAMED[command])


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        ("demo-data", "--train 3 --val=2 -o d", "--n-train 3 --n-val 2 -o d"),
        ("eval-gap", "--train a=x b=y", "--train-labels a=x b=y"),
        ("global-predict", "i --model m --restrict-to s --floor 0.1 -o o",
         "i --model m --scribbles s --drop-below 0.1 -o o"),
        ("scribbles", "s --format cvat -o o", "s --source-format cvat -o o"),
        ("scribbles", "s --colors voc -o o", "s --colours voc -o o"),
        ("regularize", "--crf --iterations 3 --images i m -o o",
         "--crf --crf-iterations 3 --images i m -o o"),
        ("tune", "m --crf --iterations 3,10 --images i --gt g -o o",
         "m --crf --crf-iterations 3,10 --images i --gt g -o o"),
    ],
)  # fmt: skip
def test_an_old_name_means_the_new_one_and_says_so(command, old, new, capsys):
    expected = parsed(command, *new.split())
    assert "is now" not in capsys.readouterr().err
    assert parsed(command, *old.split()) == expected
    assert "is now --" in capsys.readouterr().err


def test_values_of_options_are_no_options(capsys):
    takes = {"--title", "-o"}.__contains__
    words = ["--title", "--old", "-o", "--old", "--", "--old"]
    assert with_new_names("c", words, {"--old": "--new"}, takes) == words
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a b -o x", "a b -o x"),
        ("--images a --scribbles b -o x", "-o x -- a b"),
        ("--scribbles=b a -o x", "-o x -- a b"),
        ("b --images a", "-- a b"),
        ("--images a - -q", "-q -- a -"),
        ("-o --images --images a b", "-o --images -- a b"),
    ],
)
def test_arguments_given_by_name_take_their_places(words, expected):
    takes = {"-o"}.__contains__
    found = with_arguments_in_order(words.split(), ["images", "scribbles"], takes)
    assert found == expected.split()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--scribbles b", "IMAGES is missing"),
        ("--images a --images b c", "--images is given twice"),
        ("a --scribbles", "--scribbles needs a value"),
    ],
)
def test_arguments_given_wrongly_by_name(words, message):
    with pytest.raises(UsageError, match=message):
        with_arguments_in_order(words.split(), ["images", "scribbles"], lambda _: False)


def test_score_takes_its_ground_truth_by_name_and_prints_each_format(wss, dataset):
    gt = dataset / "gt"
    by_place = wss("score", gt, gt, "--json", "-j", 1)
    by_name = wss("score", gt, "--gt", gt, "--format", "json", "-j", 1)
    assert by_name.code == 0
    assert by_name.out == by_place.out
    assert json.loads(by_name.out)["miou"] == 1.0
    lines = wss("score", "--gt", gt, "--labels", gt, "--format", "csv", "-j", 1).out.splitlines()
    assert lines[:3] == ["measure,class,name,value", "miou,,,1.0", "pixel_accuracy,,,1.0"]
    present = {c for path in gt.glob("*.png") for c in np.unique(labels_of(path)) if c != 255}
    assert [line.split(",")[:2] for line in lines[3:]] == [["iou", str(c)] for c in sorted(present)]
    images = wss("score", gt, gt, "--format", "csv", "--per-image", "-j", 1).out.splitlines()
    assert images[0] == "image,miou,pixel_accuracy"
    assert images[1:] == [f"{path.stem},1.0,1.0" for path in sorted(gt.glob("*.png"))]
    refused = wss("score", gt, gt, "--format", "xml", "-j", 1)
    assert (refused.code, refused.err.strip()) == (
        2, "wss score: error: --format xml: expected table, csv or json",
    )  # fmt: skip


def test_sizes_of_filters_are_sizes_as_those_of_networks(wss, dataset, tmp_path):
    """1,0.5 and the reductions 1,2 of the version before give one output, and one record."""
    command = ("rf-predict", dataset / "images", dataset / "scribbles", "--trees", 2, "-j", 1)
    made = wss(*command, "--scales", "1,0.5", "-o", tmp_path / "local")
    assert made.code == 0, made.err
    again = wss(*command, "--scales", "1,2", "-o", tmp_path / "local")
    assert again.code == 0
    assert "0 written" in again.err
    assert "--scales are sizes now: 1,2 is written 1,0.5" in again.err
    refused = wss(*command, "--scales", "1,0.75", "-o", tmp_path / "other")
    assert refused.code == 2
    assert "scale 0.75: expected 1, or 1 divided by a whole number" in refused.err
