"""Nothing of the user's is overwritten: every file that a command writes, in every command."""

from __future__ import annotations

import shutil

import pytest
from builders import PER_IMAGE, per_image_command

from wsstools.cli.main import command_names

slow = pytest.mark.slow  # many commands, each run to its end

TRAIN = ["train", "--images", "images", "--labels", "gt", "--arch", "deeplabv2-mobilenetv2",
         "--init", "random", "--iterations", "1", "--batch", "2", "--crop", "33"]  # fmt: skip
STUDY = ["report", "gap.json", "--images", "images", "--gt", "gt"]
COMPARE = ["compare", "first", "second", "--gt", "gt"]
TUNE = ["tune", "--potts", "maps", "--images", "images", "--gt", "gt", "--lambda", "1"]

INPUTS = {
    "suggest, an image": ["suggest", "maps", "--images", "images", "--sheet", "images/a.png"],
    "show, an image": ["show", "images", "x=gt", "-o", "images/a.png"],
    "show, labels of a column": ["show", "images", "x=gt", "-o", "gt/b.png"],
    "show, one file": ["show", "images/a.png", "x=gt/a.png", "-o", "gt/a.png"],
    "show --each, a link to the labels": ["show", "images", "x=gt", "--each", "-o", "linked"],
    "report, the study": [*STUDY, "-o", "study.html"],
    "train, an image": [*TRAIN, "-o", "images/a.png"],
    "train --log, a list": [*TRAIN, "-o", "net.pt", "--ids", "train.txt", "--log", "train.txt"],
    "train, the names of the classes": [*TRAIN, "-o", "classes.txt"],
    "train, an image in a subfolder": [
        *TRAIN,
        "--images",
        "deep",
        "--labels",
        "deep-labels",
        "--recursive",
        "-o",
        "deep/x/a.png",
    ],
    "show, an image in a subfolder": [
        "show",
        "deep",
        "x=deep-labels",
        "--recursive",
        "-o",
        "deep/x/b.png",
    ],
    "scribbles, a subfolder that is read": [
        "scribbles",
        "deep-labels",
        "--recursive",
        "-o",
        "deep-labels/x",
    ],
    "export, the model": ["export", "first.onnx", "-o", "first.onnx"],
    "train, the initial weights": [*TRAIN, "--init", "first.pt", "-o", "first.pt"],
    "scribbles, a link to the strokes": [
        "scribbles",
        "strokes/a.txt",
        "--images",
        "images",
        "-o",
        "strokes-linked",
    ],
}
"""Commands whose output would be one of their inputs."""
FOREIGN = {
    "show": ([*INPUTS["show, an image"][:-1], "notes.png"], "notes.png"),
    "show --filters": (["show", "--filters", "gabor", "-o", "notes.png"], "notes.png"),
    "report": ([*STUDY, "-o", "notes.html"], "notes.html"),
    "train": ([*TRAIN, "-o", "notes.pt"], "notes.pt"),
    "export": (["export", "first.pt", "-o", "notes.pt2", "--size", "20x20"], "notes.pt2"),
    "train --log": ([*TRAIN, "-o", "net.pt", "--log", "keep.csv"], "keep.csv"),
    "train, checkpoint": ([*TRAIN, "-o", "net.pt", "--no-resume"], "net.pt.checkpoint"),
    "train --tensorboard": ([*TRAIN, "-o", "net.pt", "--tensorboard", "keep.csv"], "keep.csv"),
    "tune, table": ([*TUNE, "-o", "mine"], "mine/table.csv"),
    "tune, results": ([*TUNE, "-o", "mine"], "mine/results.jsonl"),
    "compare": ([*COMPARE, "-o", "mine"], "mine/scatter.svg"),
    "compare, record": ([*COMPARE, "-o", "mine"], "mine/compare.json"),
    "curate": (["curate", "scribbles", "gt", "-o", "mine"], "mine/complete.txt"),
    "demo": (["demo", "-o", "mine"], "mine/classes.txt"),
    "demo-data": (
        ["demo-data", "-o", "mine", "--n-train", "1", "--n-val", "1"],
        "mine/classes.txt",
    ),
    "demo-data --photos": (["demo-data", "--photos", "-o", "mine"], "mine/coffee.png"),
}
"""Commands, and the file of the user's that one of their outputs would replace."""
WRITES_NOTHING = ("info", "score", "stats", "eval-gap", "weights", "recipe")


@pytest.fixture
def place(dataset, model, tmp_path, monkeypatch):
    """A copy of the data set, in which the tests run."""
    shutil.copytree(dataset, tmp_path, dirs_exist_ok=True)
    for name in ("first", "second"):
        shutil.copytree(dataset / "gt", tmp_path / name)
    (tmp_path / "second" / "a.png").write_bytes((dataset / "gt" / "b.png").read_bytes())
    for name in ("first.pt", "first.onnx"):
        shutil.copy(model, tmp_path / name)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_below(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@slow
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_an_input_is_never_replaced(wss, place, predictions, name, overwrite):
    gap = wss("eval-gap", "--gt", "gt", "--full", predictions / "full",
              "--baseline", predictions / "baseline", "--json").out  # fmt: skip
    (place / "gap.json").write_text(gap)
    (place / "study.html").symlink_to("gap.json")
    for folder, inputs in (("linked", "gt"), ("strokes-linked", "strokes")):
        (place / folder).mkdir()
        for path in (place / inputs).iterdir():
            (place / folder / f"{path.stem}.png").symlink_to(path)
    for folder, inputs in (("deep", "images"), ("deep-labels", "gt")):
        shutil.copytree(place / inputs, place / folder)
        shutil.copytree(place / inputs, place / folder / "x")
    before = files_below(place)
    outcome = wss(*INPUTS[name], *(["--overwrite"] if overwrite else []))
    assert outcome.code in (1, 2)
    assert "input" in outcome.err or "not made by wss" in outcome.err or "is read" in outcome.err
    assert files_below(place) == before


@slow
@pytest.mark.parametrize("log", ["net.pt", "net.pt.checkpoint"])
def test_a_log_needs_a_file_of_its_own(wss, place, log):
    outcome = wss(*TRAIN, "-o", "net.pt", "--log", log)
    assert outcome.code == 2
    assert f"--log {log}: is the" in outcome.err
    assert not (place / log).exists()


@slow
def test_models_and_pages_beside_the_images_are_up_to_date(wss, place, predictions):
    study = wss("eval-gap", "--gt", "gt", "--full", predictions / "full",
                "--baseline", predictions / "baseline", "--json").out  # fmt: skip
    (place / "gap.json").write_text(study)
    for path in (place / "images").iterdir():
        path.rename(place / path.name)
    model = [*TRAIN, "--images", ".", "-o", "net.pt"]
    page = ["report", "gap.json", "--images", ".", "--gt", "gt", "-o", "study.html"]
    for _ in range(2):
        trained, reported = wss(*model), wss(*page)
        assert (trained.code, reported.code) == (0, 0), trained.err + reported.err
    assert "skipped net.pt (up to date)" in trained.err


@slow
@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_the_users_stays(wss, place, predictions, name):
    command, kept = FOREIGN[name]
    (place / "gap.json").write_text(
        wss("eval-gap", "--gt", "gt", "--full", predictions / "full",
            "--baseline", predictions / "baseline", "--json").out
    )  # fmt: skip
    (place / kept).write_bytes(b"mine\n")
    outcome = wss(*command)
    assert outcome.code in (1, 2), outcome.err
    assert kept in outcome.err or "mine holds other data" in outcome.err
    assert (place / kept).read_bytes() == b"mine\n"


@slow
@pytest.mark.parametrize("name", PER_IMAGE)
def test_a_folder_of_the_users_stays(wss, place, name):
    (place / "mine" / f"c{PER_IMAGE[name].ending}").write_bytes(b"mine")
    outcome = wss(*per_image_command(name, place, place / "mine"))
    assert outcome.code == 2
    assert "was not made by wss" in outcome.err
    assert [path.read_bytes() for path in (place / "mine").iterdir()] == [b"mine"]


@slow
@pytest.mark.parametrize("command", [STUDY, ["show", "images", "x=gt"], TRAIN])
@pytest.mark.parametrize("out", ["mine", "mine/", "new/"])
def test_a_folder_is_no_file_to_write(wss, place, command, out):
    (place / "gap.json").write_text("{}")
    outcome = wss(*command, "-o", out)
    assert outcome.code == 2
    assert "is a folder, expected a file" in outcome.err


@slow
@pytest.mark.parametrize("command", [STUDY, ["show", "images", "x=gt"]])
def test_ending_and_format_agree(wss, place, command):
    (place / "gap.json").write_text("{}")
    outcome = wss(*command, "-o", "x.jpg")
    assert outcome.code == 2
    assert "x.jpg: expected a name that ends in" in outcome.err
    assert not (place / "x.jpg").exists()


def test_every_command_is_here():
    tried = {command[0] for command in INPUTS.values()} | {c[0] for c, _ in FOREIGN.values()}
    tried |= {one.command for one in PER_IMAGE.values()}
    same_way = {
        "local-predict",
        "global-predict",
        "slices",
        "superpixels",
        "suspects",
        "volumes",
        "denoise",
    }  # as rf-predict: a Step
    known, names = tried | same_way | set(WRITES_NOTHING), set(command_names())
    assert known >= names, (
        f"no test tries {', '.join(sorted(names - known))}: add a line to PER_IMAGE of "
        "tests/builders.py where each image is a task of its own; else to INPUTS or FOREIGN here, "
        "or to WRITES_NOTHING; same_way is for steps whose inputs the drawn data does not have"
    )
    assert known <= names, f"no commands: {', '.join(sorted(known - names))}"
