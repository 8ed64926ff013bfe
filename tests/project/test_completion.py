"""Completion of commands, options and folders, by the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import PATIENCE

_LINE_START = b"\x15"  # Ctrl-U: forget what was typed
CASES = [
    ("wss reg", "wss regularize "),
    ("wss regularize --pott", "wss regularize --potts "),
    ("wss regularize im", "wss regularize images/"),
    ("wss regularize --images scr", "wss regularize --images scribbles/"),
    ("wss argmax - -o la", "wss argmax - -o labels/"),
    ("wss train --arch pspnet-resnet5", "wss train --arch pspnet-resnet50 "),
    ("wss score --format js", "wss score --format json "),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with folders, and the program in bin/."""
    for name in ("bin", "images", "scribbles", "labels"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "wss"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m wsstools \"$@\"\n")
    program.chmod(0o755)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    path = f"{place}/bin:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(place), "TERM": "dumb", "PS1": "$ "}


class Terminal:
    """A shell on a terminal, in which keys are pressed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = ""

    def press(self, keys: bytes, expected: str) -> None:
        """Press keys and wait until the text is shown after them."""
        begin = len(self._shown)
        os.write(self._descriptor, keys)
        end = time.monotonic() + PATIENCE
        while expected not in self._shown[begin:]:
            assert time.monotonic() < end, f"no {expected!r} in {self._shown[begin:]!r}"
            if select.select([self._descriptor], [], [], 0.2)[0]:
                read = os.read(self._descriptor, 65536).decode(errors="replace")
                self._shown += re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", read)


@contextmanager
def terminal(command: list[str], place: Path) -> Iterator[Terminal]:
    process, descriptor = pty.fork()
    if process == 0:  # the child
        os.chdir(place)
        os.execvpe(command[0], command, environment(place))
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)
        os.waitpid(process, 0)


def check(command: list[str], switch_on: str, place: Path) -> None:
    with terminal(command, place) as shell:
        shell.press(f"{switch_on}; echo rea''dy\n".encode(), "ready\r\n")
        for typed, completed in CASES:
            shell.press(_LINE_START + typed.encode() + b"\t", completed)


@pytest.mark.slow
def test_bash_completes(place):
    check(["bash", "--norc", "--noprofile", "-i"], 'eval "$(_WSS_COMPLETE=source_bash wss)"', place)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(place):
    check(
        ["zsh", "-f", "-i"],
        'autoload -U compinit; compinit -u -D; eval "$(_WSS_COMPLETE=source_zsh wss)"',
        place,
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(place):
    cases = CASES[1:3]  # each starts the program twice
    asked = "; ".join(f"complete --do-complete '{typed}'" for typed, _ in cases)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"_WSS_COMPLETE=source_fish wss | source; {asked}"],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    found = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert found == [completed.split()[-1] for _, completed in cases]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("wss ", {"rf-predict", "train", "info"}),
        ("wss regularize --", {"--potts", "--crf", "--images", "--overwrite"}),
        ("wss regularize ", set()),  # the shell completes files
        ("wss rf-predict --backend ", {"loky", "threading", "dask"}),
        ("wss rf-predict --engine ", {"compiled", "sklearn"}),
        ("wss rf-predict --filters ", {"gabor", "paper"}),
        ("wss regularize --engine ", {"compiled", "pydensecrf"}),
        ("wss local-predict --model ", {"boosting", "walker"}),
        ("wss train --arch ", {"deeplabv2-resnet101", "pspnet-resnet50"}),
        ("wss global-predict --device ", {"auto", "cpu", "cuda"}),
        ("wss eval-gap --format ", {"table", "csv", "json", "markdown", "latex"}),
        ("wss compare --metric ", {"accuracy", "miou"}),
    ],
)
def test_what_is_offered(arguments, expected):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wsstools"],
        env={
            **os.environ,
            "_WSS_COMPLETE": "complete_bash",
            "COMP_WORDS": arguments,
            "COMP_CWORD": str(arguments.count(" ")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    offered = set(done.stdout.split())
    assert expected <= offered if expected else not offered
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "wsstools.cli.main" in imported
    assert imported.isdisjoint({"numpy", "torch", "PIL", "joblib"})


def test_completion_is_installed_for_the_shell_of_the_user(place):
    with terminal(["bash", "--norc", "--noprofile", "-i"], place) as shell:
        shell.press(b"wss --install-completion; echo rea''dy\n", "ready\r\n")
    assert (place / ".bashrc").read_text().strip() == f"source '{place}/.bash_completions/wss.sh'"
    with terminal(["bash", "-i"], place) as shell:
        shell.press(b"wss reg\t", "wss regularize ")
