"""Worker processes that are killed, and signals that reach them too."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from builders import wait_until

from torture.desk import assert_clear
from torture.runs import finished, program
from torture.scenes import NAMES, STEPS, some
from wsstools.core.system import INTERRUPTIONS
from wsstools.running.settings import JobSettings
from wsstools.running.workers import map_in_workers

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
INTERRUPTED = "interrupted; the same command goes on from here"


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            is_worker = b"popen_loky_posix" in (entry / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and is_worker:
            found.append(int(entry.name))
    return found


@needs_proc
def test_a_killed_worker_is_replaced_and_nothing_is_lost(tries, note, undisturbed, new_desk):
    """As the kernel kills one when memory runs out."""
    whole = undisturbed("argmax")
    n_killed = 0
    for rng in tries("kill -9 of a worker", "argmax --jobs 2"):
        desk = new_desk()
        process = program(["argmax", "-", "-o", "out", "--jobs", "2"], desk.folder, stdin=-1)
        before = int(rng.integers(1, len(NAMES)))
        feed(process, NAMES[:before])
        process.stdout.readline()
        time.sleep(rng.random() * 0.05)
        workers = workers_of(process.pid)
        for worker in workers[: int(rng.integers(1, 3))]:
            os.kill(worker, signal.SIGKILL)
            n_killed += 1
        feed(process, NAMES[before:])
        outcome = finished(process)
        assert outcome.code == 0, outcome.err
        assert_clear(outcome)
        assert desk.written() == whole.written
    note(f"{n_killed} workers killed")
    assert n_killed


def feed(process, names) -> None:
    process.stdin.write("".join(f"maps/{name}.npz\n" for name in names).encode())
    process.stdin.flush()


def ending(task: int) -> int:
    """Ends the worker that is given 3, as one that takes too much memory is ended."""
    if task == 3:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * task


def test_an_image_that_no_worker_survives_is_reported_and_the_others_are_done(tries):
    for _ in tries("kill -9 of every worker of an image", "the pool", most=1):
        found = map_in_workers(
            ending,
            [range(6), range(6, 8)],
            JobSettings(jobs=2),
            on_worker_death=lambda task: -task,
        )
        assert list(found) == [0, 10, 20, -3, 40, 50, 60, 70]


@needs_proc
@pytest.mark.parametrize("name", some(["regularize --potts", "argmax"]))
def test_a_signal_to_run_and_workers_ends_all_tidily(name, tries, note, undisturbed, new_desk):
    """A terminal sends Ctrl-C to all processes of a command, a scheduler SIGTERM."""
    step, whole = STEPS[name], undisturbed(name)
    n_hit = 0
    for rng in tries("signal to run and workers", f"{name} --jobs 2"):
        number = INTERRUPTIONS[rng.integers(len(INTERRUPTIONS))]
        desk = new_desk()
        began = time.monotonic()
        process = program(step.arguments(jobs=2), desk.folder)
        wait_until(lambda: bool(workers_of(process.pid)) or process.poll() is not None)  # noqa: B023
        time.sleep(rng.random() * 0.5 * (time.monotonic() - began))
        workers = workers_of(process.pid)
        os.killpg(process.pid, number)
        outcome = finished(process)
        assert outcome.code in (0, 128 + number), outcome.err
        if outcome.code:
            n_hit += 1
            assert outcome.err.splitlines()[-1].endswith(INTERRUPTED)
        assert_clear(outcome)
        wait_until(
            lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers),  # noqa: B023
            message="workers live on",
        )
        desk.check_whole_or_absent(step, whole)
        desk.check_rerun(step, whole)
    note(f"{n_hit} before its end")
