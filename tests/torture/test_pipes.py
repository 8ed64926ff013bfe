"""Pipes whose reader goes away, and whole pipes of which a part is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import Outcome

from torture.desk import Desk, Undisturbed, assert_clear
from torture.runs import Run, finished
from torture.scenes import STEPS, Step, some
from wsstools.core.system import INTERRUPTIONS

PIPE = (
    "fuse maps other-maps -o out/fused --jobs 1",
    "regularize - --potts --images images -o out/smooth --jobs 1",
    "argmax - -o out/labels --jobs 1",
)


@pytest.mark.parametrize("name", some(STEPS, 3))
def test_a_closed_pipe_is_no_error(name, tries, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    for rng in tries("closed pipe", name):
        desk = new_desk()
        pipe = desk.folder / "pipe"
        os.mkfifo(pipe)
        run = desk.start_step(step, out=pipe)
        with pipe.open("rb") as reader:
            for _ in range(rng.integers(0, 3)):
                reader.readline()
        outcome = run.outcome()
        assert outcome.code == 0, outcome.err
        assert_clear(outcome)
        assert "error" not in outcome.err
        assert desk.written().keys() == desk.results().keys(), "a temporary file is left"
        desk.check_whole_or_absent(step, whole)
        desk.check_rerun(step, whole)


@pytest.mark.parametrize(
    "line",
    some(
        [
            "wss eval-gap --published | head -1",
            "wss show --help | head -1",
            "wss weights 2>&1 | head -1",
        ]
    ),
)
def test_the_program_is_silent_when_its_reader_goes(line, tries, note, new_desk):
    """The real program: Python itself would complain at its end. `head` may be too slow to show it."""
    for _ in tries("closed pipe", f"the program, {line}", most=3):
        script = f'set -o pipefail; wss() {{ "$PYTHON" -m wsstools "$@"; }}; {line}'
        done = bash(script, new_desk().folder)
        assert done.code == 0, done.err
        assert done.err == ""


def bash(script: str, folder: Path) -> Outcome:
    """Run a line of bash in a folder."""
    return finished(
        subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    )


def start_pipe(desk: Desk) -> list[Run]:
    """The steps of a pipe, side by side."""
    pipes = [desk.folder / f"pipe{k}" for k in range(len(PIPE) - 1)]
    for pipe in pipes:
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
    stdins = [{}, *({"stdin": pipe} for pipe in pipes)]
    outs = [*({"out": pipe} for pipe in pipes), {}]
    return [
        desk.start(words.split(), **stdin, **out)
        for words, stdin, out in zip(PIPE, stdins, outs, strict=True)
    ]


@pytest.fixture(scope="module")
def undisturbed_pipe(data, tmp_path_factory):
    """What the pipe leaves, and how long it takes."""
    desk = Desk(data, tmp_path_factory.mktemp("pipe"))
    began = time.monotonic()
    outcomes = [run.outcome() for run in start_pipe(desk)]
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    return Undisturbed(outcomes[-1], desk.written(), time.monotonic() - began)


@pytest.mark.parametrize("number", [signal.SIGKILL, *INTERRUPTIONS])
def test_a_pipe_ends_with_whole_files_and_again_completes(
    number, tries, note, undisturbed_pipe, new_desk
):
    """One of its steps gets the signal, or all do, as they do from a terminal."""
    whole, anything = undisturbed_pipe, Step("")
    n_hit = 0
    for rng in tries(f"{signal.Signals(number).name} to a pipe", "fuse | regularize | argmax"):
        desk = new_desk()
        steps = start_pipe(desk)
        desk.wait_for_moment(steps[-1], whole, rng)
        chosen = [steps[rng.integers(3)]] if rng.random() < 0.5 else steps
        for run in chosen:
            run.send(number)
        for run in steps:
            outcome = run.outcome()
            by_signal = outcome.code in (-number, 128 + number)
            got_nothing = outcome.code == 1 and "on standard input" in outcome.err
            assert outcome.code == 0 or (by_signal and run in chosen) or got_nothing, outcome
            n_hit += by_signal
            assert_clear(outcome)
        desk.check_whole_or_absent(anything, whole)
        if number != signal.SIGKILL:
            assert desk.written().keys() == desk.results().keys(), "a temporary file is left"
        again = [run.outcome() for run in start_pipe(desk)]
        assert [outcome.code for outcome in again] == [0, 0, 0], again
        assert desk.written() == whole.written
        assert again[-1].out == whole.outcome.out
    note(f"{n_hit} steps ended by it")
