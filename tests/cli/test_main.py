"""The program as a whole: exit codes, messages, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from builders import PATIENCE

from wsstools import __version__
from wsstools.cli import main
from wsstools.cli.main import command_names
from wsstools.errors import WssError


def test_the_commands_are_discovered(wss):
    required = {"rf-predict", "global-predict", "fuse", "regularize", "argmax", "train"}
    assert required | {"eval-gap", "score", "info"} <= set(command_names())


def test_version(wss):
    assert wss("--version").out == f"wss {__version__}\n"


def test_unknown_command_is_wrong_usage_with_a_hint(wss):
    outcome = wss("fuze")
    assert outcome.code == 2
    assert outcome.err == "wss: error: no command 'fuze'; did you mean 'fuse'?\n"


@pytest.mark.parametrize("arguments", [("fuse",), ("argmax", "maps", "--no-such-option")])
def test_wrong_options_are_wrong_usage(wss, arguments):
    outcome = wss(*arguments)
    assert outcome.code == 2
    assert "Error" in outcome.err
    assert "Traceback" not in outcome.err


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
def test_closed_streams_are_no_error(shell, dataset, tmp_path, closed):
    """As cron jobs and daemons have them. No file may come to stand in their place."""
    outcome = shell(f"wss argmax {dataset}/maps -o out --jobs 1 {closed}")
    assert outcome.code == 0, outcome.err
    assert len(list((tmp_path / "out").iterdir())) == 4
