"""Disks that are full, and folders that nobody may write to."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from torture.desk import assert_clear
from torture.runs import finished, program
from torture.scenes import STEPS, WRITING, some

_PAGE = 4096
NO_SPACE = "No space left on device"


@contextmanager
def small_disk(folder: Path, pages: int) -> Iterator[None]:
    """A disk of that size at a folder; skips the test where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={pages * _PAGE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grow(folder: Path) -> None:
    """Make the disk at a folder large enough."""
    subprocess.run(["mount", "-o", "remount,size=256m", str(folder)], check=True)


def pages(data: bytes) -> int:
    return -(-len(data) // _PAGE)


@pytest.mark.parametrize("name", some(WRITING, 2))
def test_a_full_disk_is_reported_and_with_space_a_rerun_completes(
    name, tries, note, undisturbed, new_desk
):
    step, whole = STEPS[name], undisturbed(name)
    n_files = []
    for rng in tries("full disk", name):
        desk = new_desk()
        needed = sum(pages(data) for data in whole.written.values())
        with small_disk(desk.out, int(rng.integers(1, needed))):
            outcome = desk.outcome_of(step)
            assert outcome.code == 1
            assert_clear(outcome, NO_SPACE)
            assert desk.written().keys() == desk.results().keys(), "a temporary file is left"
            n_files.append(len(desk.results()))
            desk.check_whole_or_absent(step, whole, step.tells_all)
            grow(desk.out)
            desk.check_rerun(step, whole)
    note(f"with {min(n_files)} to {max(n_files)} files")


@pytest.mark.parametrize("name", some(WRITING, 3))
def test_a_file_that_may_not_grow_is_reported(name, tries, note, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    n_files = []
    for rng in tries("limit of file sizes", name):
        desk = new_desk()
        most = max(len(data) for data in whole.written.values())
        limit = int(rng.integers(1, most))
        # Standard error must be no file, to which the limit applies too.
        pipe = desk.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        places = {"err": pipe, "out": Path(os.devnull)}
        outcome = desk.outcome_of(step, limits={resource.RLIMIT_FSIZE: limit}, **places)
        outcome = replace(outcome, err=os.read(reader, 1 << 16).decode())
        os.close(reader)
        assert outcome.code == 1
        assert_clear(outcome, "File too large")
        assert desk.written().keys() == desk.results().keys(), "a temporary file is left"
        n_files.append(len(desk.results()))
        desk.check_whole_or_absent(step, whole, step.tells_all)
        desk.check_rerun(step, whole)
    note(f"with {min(n_files)} to {max(n_files)} files")


@pytest.mark.parametrize("name", some(WRITING, 4))
def test_a_folder_that_nobody_may_write_to_is_reported(name, tries, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries("read-only output", name, most=1):
        desk = new_desk()
        desk.out.mkdir(mode=0o555)
        outcome = desk.outcome_of(step, has_rights_of_root=False)
        assert outcome.code == 1
        assert_clear(outcome, "Permission denied", "out")
        assert ".part" not in outcome.err
        assert not desk.written()
        desk.out.chmod(0o755)
        desk.check_rerun(step, whole)


@pytest.mark.parametrize("name", some(STEPS, 5))
def test_standard_output_on_a_full_disk_is_reported(name, tries, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries("standard output on a full disk", name, most=1):
        desk = new_desk()
        outcome = desk.outcome_of(step, out=Path("/dev/full"))
        assert outcome.code == 1
        assert_clear(outcome, NO_SPACE)
        desk.check_whole_or_absent(step, whole, step.tells_all)
        desk.check_rerun(step, whole)


@pytest.mark.parametrize(
    "words", some(["argmax --help", "info maps/s0.npz", "--help", "--version"])
)
def test_the_program_tells_of_it_in_one_line(words, tries, new_desk):
    """The real program: Python itself would complain in its own way, at its end."""
    for _ in tries("standard output on a full disk", f"the program, {words}", most=1):
        with open("/dev/full", "wb") as full:
            done = finished(program(words.split(), new_desk().folder, stdout=full))
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert_clear(done, NO_SPACE)
