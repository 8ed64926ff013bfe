"""`wss recipe`: the Makefile that leads from images and strokes to labels and a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from builders import PATIENCE

from wsstools.steps.recipe import recipe

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = ["make", "-f", str(recipe()), "WSS=wss", "JOBS=1", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture
def desk(tmp_path, dataset):
    for name in ("images", "scribbles", "gt"):
        shutil.copytree(dataset / name, tmp_path / name)
    shutil.copy(dataset / "classes.txt", tmp_path / "scribbles")
    shutil.copy(dataset / "classes.txt", tmp_path)
    return tmp_path


GIVEN = ("IMAGES=images", "SCRIBBLES=scribbles")


def test_the_path_is_printed(wss):
    run = wss("recipe")
    assert run.code == 0
    assert run.paths == [recipe()]
    assert recipe().is_file()


@needs_make
def test_help_lists_every_target(desk):
    run = make(desk, "help")
    assert run.returncode == 0, run.stderr
    phony = re.search(r"^\.PHONY: all (.*)$", recipe().read_text(), re.MULTILINE)[1].split()
    for target in phony:
        assert re.search(rf"^  {target}\s+\S", run.stdout, re.MULTILINE), target
    assert "SHELL" not in run.stdout


@needs_make
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give IMAGES=, the folder of the images"),
        (("IMAGES=images",), "give SCRIBBLES=, the folder of the strokes"),
        (("IMAGES=images", "SCRIBBLES=nothing", "first"), "must be folders"),
        ((*GIVEN, "scores"), "give GT=, the folder of the ground truth"),
        ((*GIVEN, "GT=gt", "out/full.txt"), "give VAL_IDS="),
    ],
)
def test_what_is_missing_is_named(desk, arguments, message):
    run = make(desk, *arguments)
    assert run.returncode == 2
    assert message in run.stdout + run.stderr
    assert not (desk / "out" / "labels").exists()


@needs_make
def test_images_to_test_on_are_not_among_those_of_an_earlier_run(desk):
    assert make(desk, *GIVEN, "out/train.txt").returncode == 0
    (desk / "val.txt").write_text("c\nd\n")
    run = make(desk, *GIVEN, "GT=gt", "VAL_IDS=val.txt", "out/full.txt")
    assert run.returncode == 2
    assert "out/train.txt has names of VAL_IDS: give another OUT" in run.stdout
    (desk / "out" / "train.txt").unlink()
    assert make(desk, *GIVEN, "GT=gt", "VAL_IDS=val.txt", "out/full.txt").returncode == 0
    assert (desk / "out" / "full.txt").read_text() == "a\nb\n"


@needs_make
def test_what_is_planned(desk):
    """A network on the strokes, three annotators, their mean, the CRF, labels, and the network."""
    run = make(desk, *GIVEN, "-n")
    assert run.returncode == 0, run.stderr
    commands = re.findall(r"\bwss ([a-z-]+)", run.stdout)
    assert commands.count("train") == 2
    assert set(commands) == {
        "train", "rf-predict", "global-predict", "local-predict", "fuse", "regularize", "argmax",
        "show",
    }  # fmt: skip
    assert "fuse out/local out/global out/linear" in run.stdout


@pytest.mark.slow
@pytest.mark.trains
@needs_make
def test_from_strokes_to_a_report(desk, program):
    """With names of two words, four images, two of them to test on; then everything is up to date."""
    for folder in ("images", "scribbles", "gt"):
        (desk / folder / "a.png").rename(desk / folder / "a b.png")
    (desk / "val.txt").write_text("c\nd\n")
    short = (
        *GIVEN, "GT=gt", "VAL_IDS=val.txt", "ITERATIONS=2", "INIT=random", "FIRST=2",
        "TRAIN_OPTIONS=--crop 33 --batch 2 --precision float32", "FOREST=--trees 5",
        "ANNOTATORS=local linear", f"WSS={program}",
    )  # fmt: skip
    first = make(desk, *short, "first")
    assert first.returncode == 0, first.stderr
    assert (desk / "out" / "first.png").is_file()
    assert len(list((desk / "out" / "first" / "labels").glob("*.png"))) == 2
    whole = make(desk, *short, "network", "scores", "report", "predicted", "NEW=images")
    assert whole.returncode == 0, whole.stdout[-2000:] + whole.stderr[-2000:]
    labels = desk / "out" / "labels"
    assert sorted(path.stem for path in labels.glob("*.png")) == ["a b", "b"]
    rows = re.findall(r"^(local|linear|labels) +\S", whole.stdout, re.MULTILINE)
    assert rows == ["local", "linear", "labels"]
    assert re.search(r"^recipe\b", whole.stdout, re.MULTILINE)
    assert (desk / "out" / "report.html").is_file()
    assert len(list((desk / "out" / "predicted").glob("*.png"))) == 4
    again = make(desk, *short, "-n", "network", "report")
    assert again.returncode == 0, again.stderr
    assert str(program) not in again.stdout
