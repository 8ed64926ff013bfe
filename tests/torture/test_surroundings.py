"""Surroundings in which a run cannot work as usual: closed streams, bad caches, small limits."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from torture.desk import assert_clear
from torture.runs import WSS, finished
from torture.scenes import IS_SHORT, STEPS


def started(script, desk, *words, **environment):
    """A script of sh in which "$@" is the program with these words."""
    return subprocess.Popen(
        ["sh", "-c", script, "sh", *WSS, *words],
        cwd=desk.folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "closing"),
    [
        ("argmax", "<&- >&- 2>&-"),
        ("rf-predict", "2>&-"),
        *(() if IS_SHORT else itertools.product(["argmax", "rf-predict"], [">&-", "<&-"])),
    ],
)
def test_closed_streams_are_no_fault(name, closing, tries, undisturbed, new_desk):
    """No file may get their numbers, in a worker either: what is printed would be in it."""
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries(f"streams closed, {closing}", f"{name} --jobs 2", most=1):
        desk = new_desk()
        outcome = finished(started(f'"$@" {closing}', desk, *step.arguments(jobs=2)))
        assert outcome.code == 0, outcome
        assert_clear(outcome)
        assert "Traceback" not in outcome.out
        assert set(outcome.out.splitlines()) <= {f"out/{file}" for file in whole.written}
        assert desk.written() == whole.written


def garbage(cache: Path) -> None:
    for file in cache.rglob("*.code"):
        file.write_bytes(b"garbage")


def truncated(cache: Path) -> None:
    for file in cache.rglob("*.code"):
        file.write_bytes(file.read_bytes()[:-9])


def a_file(cache: Path) -> None:
    shutil.rmtree(cache)
    cache.touch()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("fuse --params", truncated),
        *(() if IS_SHORT else [("rf-predict", garbage), ("regularize --potts", a_file)]),
    ],
)
def test_a_damaged_cache_of_compiled_code_is_no_fault(
    name, damage, tries, undisturbed, new_desk, tmp_path_factory
):
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries(f"cache: {damage.__name__}", f"{name} --jobs 2", most=1):
        cache = tmp_path_factory.mktemp("cache")
        temporary = tmp_path_factory.mktemp("temporary")
        places = {"NUMBA_CACHE_DIR": str(cache), "TMPDIR": str(temporary)}
        desk = new_desk()
        words = step.arguments(jobs=2)
        assert finished(started('"$@"', desk, *words, **places)).code == 0
        n_kept = len(list(cache.rglob("*.code")))
        assert n_kept
        damage(cache)
        desk.clear()
        outcome = finished(started('"$@"', desk, *words, **places))
        assert outcome.code == 0, outcome.err
        assert_clear(outcome)
        assert desk.written() == whole.written
        assert outcome.err.count("warning") == (damage is a_file)
        assert os.listdir(temporary) == []
        if damage is a_file:
            assert f"{cache}: " in outcome.err and "delete it" in outcome.err
        else:
            assert len(list(cache.rglob("*.code"))) == n_kept
            assert b"garbage" not in {file.read_bytes() for file in cache.rglob("*.code")}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_deleted_working_folder_is_one_line(jobs, tries, new_desk):
    for _ in tries("working folder deleted", f"argmax --jobs {jobs}", most=1):
        desk = new_desk()
        words = ["argmax", str(desk.folder / "maps"), "-o", str(desk.out), "--jobs", str(jobs)]
        outcome = finished(started('mkdir gone; cd gone; rmdir ../gone; "$@"', desk, *words))
        assert outcome.code == 1
        assert outcome.err == (
            "wss argmax: error: the working folder was deleted; change to another one\n"
        )


@pytest.mark.slow
@pytest.mark.parametrize(("number", "words"), [(1, "OPENBLAS_NUM_THREADS"), (8, "--jobs 1")])
def test_too_few_processes_are_one_line(number, words, tries, new_desk):
    """Of a user who may read what root may, but is bound by limits, which root is not."""
    reads = "-all,+dac_override,+dac_read_search"
    as_user = f"setpriv --reuid 61234 --clear-groups --inh-caps {reads} --ambient-caps {reads}"
    desk = new_desk()
    if finished(started(f"{as_user} prlimit true", desk)).code:
        pytest.skip("no other user can be had")
    for _ in tries("ulimit -u", "argmax --jobs 2", most=1):
        script = f'exec {as_user} prlimit --nproc={number} "$@"'
        environment = {"OPENBLAS_NUM_THREADS": "2" if number == 1 else "1"}
        outcome = finished(
            started(script, desk, "argmax", "maps", "-o", "out", "--jobs", "2", **environment)
        )
        assert outcome.code == 1, outcome
        assert outcome.err.count("\n") == 1
        assert_clear(outcome, f"ulimit -u is {number}", words)


@pytest.mark.slow
def test_a_full_shared_memory_is_named(tries, new_desk):
    script = 'mount -t tmpfs -o size=4k,nr_inodes=3 tmpfs /dev/shm || exit 77; exec "$@"'
    for _ in tries("/dev/shm full", "argmax --jobs 2", most=1):
        desk = new_desk()
        words = ["sh", "-c", script, "sh", *WSS, "argmax", "maps", "-o", "out", "--jobs", "2"]
        try:
            process = subprocess.Popen(
                ["unshare", "-m", *words],
                cwd=desk.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            pytest.skip("there is no unshare")
        outcome = finished(process)
        if outcome.code == 77 or "unshare" in outcome.err:
            pytest.skip("no disk can be mounted")
        assert outcome.code == 1
        assert outcome.err == "wss argmax: error: /dev/shm: No space left on device\n"


@pytest.mark.slow
def test_a_small_address_space_is_named(tries, new_desk):
    for _ in tries("ulimit -v", "argmax", most=1):
        desk = new_desk()
        script = 'ulimit -v 120000; exec "$@"'
        outcome = finished(started(script, desk, "argmax", "maps", "-o", "out", "--jobs", "1"))
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        assert_clear(outcome, "ulimit -v is 120000")
