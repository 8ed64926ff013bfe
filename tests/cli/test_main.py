"""The program as a whole: exit codes, messages, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE
from PIL import Image

from wsstools import __version__
from wsstools.cli import main
from wsstools.cli.main import command_names
from wsstools.errors import WssError


def test_the_commands_are_discovered(wss):
    required = {"rf-predict", "global-predict", "fuse", "regularize", "argmax", "train"}
    assert required | {"eval-gap", "score", "info"} <= set(command_names())


def test_version(wss):
    first, packages = wss("--version").out.splitlines()
    assert first == f"wss {__version__}"
    assert "numpy" in packages


def test_unknown_command_is_wrong_usage_with_a_hint(wss):
    outcome = wss("fuze")
    assert outcome.code == 2
    assert outcome.err == "wss: error: no command 'fuze'; did you mean 'fuse'?\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--nope", "wss: error: no option --nope"),
        ("fuse", "wss fuse: error: MAPS is missing"),
        ("argmax maps --no-such-option", "wss argmax: error: no option --no-such-option"),
        ("argmax maps -o", "wss argmax: error: -o needs a value"),
        ("argmax maps", "wss argmax: error: --out is missing"),
        ("argmax maps -o x -j few", "wss argmax: error: --jobs: expected a whole number"),
        ("argmax maps -o x -j -1", "wss argmax: error: --jobs: expected at least 0"),
        ("argmax maps -o x --min-prob 2", "wss argmax: error: --min-prob: expected at most 1"),
        ("score labels gt more", "wss score: error: more: not expected"),
    ],
)
def test_wrong_options_are_wrong_usage_in_one_line(wss, arguments, message):
    outcome = wss(*arguments.split())
    assert outcome.code == 2
    assert outcome.err == f"{message} (--help lists the options)\n"
    assert outcome.out == ""


@pytest.mark.parametrize("command", ["rf-predict", "local-predict", "train", "global-predict"])
@pytest.mark.parametrize("missing", ["images", "scribbles", "none"])
def test_what_is_missing_is_named(wss, tmp_path, command, missing):
    """Folders come first: the number of classes is asked for when there are scribbles at all."""
    for name in {"images", "scribbles"} - {missing}:
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    images, scribbles = tmp_path / "images", tmp_path / "scribbles"
    arguments = {
        "train": ["--images", images, "--labels", scribbles],
        "global-predict": [images, "--scribbles", scribbles, "--model", tmp_path / "m.pt"],
    }.get(command, [images, scribbles])
    more = ["--model", "walker"] if command == "local-predict" else []
    outcome = wss(command, *arguments, *more, "-o", tmp_path / "out")
    assert outcome.code == 2
    expected = {
        "images": f"{images}: no such file or folder",
        "scribbles": f"{scribbles}: no such file or folder",
        "none": "m.pt: no such file" if command == "global-predict" else "how many classes?",
    }
    assert expected[missing] in outcome.err.splitlines()[-1]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that nobody can write to")
@pytest.mark.parametrize("out", ["/proc/out", "/proc/self/deeper/out"])
def test_a_folder_that_cannot_be_written_is_one_error_before_the_work(wss, dataset, out):
    for arguments in (
        ["rf-predict", dataset / "images", dataset / "scribbles", "-o", out],
        ["compare", f"a={dataset / 'gt'}", f"b={dataset / 'gt'}/", "--gt", dataset / "gt", "-o", out],
        ["train", "--images", dataset / "images", "--labels", dataset / "gt",
         "--arch", "deeplabv2-mobilenetv2", "--init", "random", "-o", f"{out}/net.pt"],
    ):  # fmt: skip
        outcome = wss(*arguments)
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1].startswith(
            f"wss {arguments[0]}: error: {out}: cannot be written to ("
        )
        assert outcome.err.count("error") == 1


def test_missing_folder_is_wrong_usage_in_one_line(wss, tmp_path):
    outcome = wss("argmax", tmp_path / "none", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "no such file or folder" in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_unexpected_error_is_one_line_and_a_traceback_only_with_debug(
    wss, monkeypatch, tmp_path
):
    def broken(*_):
        raise RuntimeError("the\nroof fell in")

    monkeypatch.setattr(main, "app", lambda *_, **__: broken())
    outcome = wss("fuse")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "unexpected RuntimeError: the roof fell in" in outcome.err
    monkeypatch.delenv("WSS_DEBUG", raising=False)
    try:
        assert "Traceback" in wss("fuse", "--debug").err
    finally:
        os.environ.pop("WSS_DEBUG", None)


def test_interruption_exits_with_130(wss, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    assert wss("fuse").code == 130


def test_errors_survive_a_process_boundary():
    import pickle

    error = pickle.loads(pickle.dumps(WssError("what was wrong")))
    assert str(error) == "what was wrong"


@pytest.fixture
def waiting(dataset, tmp_path):
    """Start a run that has made one file and waits for more."""
    runs = []

    def start(*before: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "wsstools", "argmax", "-", "-o", tmp_path, "--jobs", "1"]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        runs.append(subprocess.Popen([*before, *map(str, command)], **pipes))
        runs[-1].stdin.write(f"{dataset}/maps/a.npz\n".encode())
        runs[-1].stdin.flush()
        assert runs[-1].stdout.readline() == f"{tmp_path}/a.png\n".encode()
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_end_a_waiting_run(waiting, number, code):
    process = waiting()
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert errors == b"wss argmax: interrupted; the same command goes on from here\n"


def test_a_run_under_nohup_outlives_its_terminal(waiting):
    process = waiting("nohup")
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=PATIENCE)  # its input ends here
    assert process.returncode == 0, errors


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(fresh_shell, dataset, tmp_path, closed):
    """As cron jobs and daemons have them. No file may take their place."""
    outcome = fresh_shell(f"wss argmax {dataset}/maps -o out --jobs 1 {closed}")
    assert outcome.code == 0, outcome.err
    assert len(list((tmp_path / "out").iterdir())) == 4
