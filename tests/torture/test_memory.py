"""Runs that are given too little memory."""

from __future__ import annotations

import resource
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from torture.desk import assert_clear
from torture.scenes import STEPS, WRITING, some

_LARGE = (4000, 6000)
_LIBRARY = (-signal.SIGABRT, -signal.SIGSEGV)
"""How the interpreter, C++ or SuperLU end a process that has no memory; no program can help it."""
needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


def allow(more: int) -> None:
    """Let this process have so many bytes more than it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))


@needs_proc
def test_an_image_that_is_too_large_fails_alone(tries, undisturbed, new_desk):
    from wsstools.core.maps import ProbabilityMap
    from wsstools.formats.map_files import encode_map

    probs = np.full((2, *_LARGE), 0.5, np.float16)
    large = encode_map(ProbabilityMap(probs, np.array([0, 1]), 4), {})
    step, whole = STEPS["argmax"], undisturbed("argmax")
    for _ in tries("too little memory for one image", "argmax", most=1):
        desk = new_desk()
        (desk.folder / "maps/large.npz").write_bytes(large)
        outcome = desk.outcome_of(step, prepare=partial(allow, 80 << 20))
        assert outcome.code == 1
        assert_clear(outcome, "large: failed: not enough memory")
        assert desk.written() == whole.written
        (desk.folder / "maps/large.npz").unlink()
        desk.check_rerun(step, whole)


@needs_proc
@pytest.mark.parametrize("name", some(WRITING, 5))
def test_too_little_memory_leaves_whole_files(name, tries, note, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    codes = []
    for rng in tries("too little memory", name):
        desk = new_desk()
        outcome = desk.outcome_of(
            step, prepare=partial(prepared, step.prepare, int(rng.integers(0, 60 << 20)))
        )
        codes.append(outcome.code)
        assert "Traceback" not in outcome.err
        assert outcome.code in (0, 1, *_LIBRARY)
        assert outcome.code != 1 or outcome.err
        desk.check_whole_or_absent(step, whole, step.tells_all)
        desk.check_rerun(step, whole)
    ended = sum(code in _LIBRARY for code in codes)
    note(f"{codes.count(0)} had enough, {ended} were ended by a library")


def prepared(prepare, more: int) -> None:
    if prepare is not None:
        prepare()
    allow(more)
