"""Runs that are asked to stop: by Ctrl-C, a scheduler, a terminal that goes away."""

from __future__ import annotations

import pytest

from torture.desk import assert_clear
from torture.scenes import STEPS, some
from wsstools.core.system import INTERRUPTIONS

INTERRUPTED = "interrupted; the same command goes on from here"


@pytest.mark.parametrize("name", some(STEPS, 1))
def test_a_signal_ends_a_run_tidily_and_a_rerun_completes(name, tries, note, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    n_hit, n_files = 0, []
    for rng in tries("SIGINT, SIGTERM or SIGHUP", name):
        number = INTERRUPTIONS[rng.integers(len(INTERRUPTIONS))]
        desk = new_desk()
        outcome = desk.run_until(step, whole, number, rng).outcome()
        if outcome.code == 128 + number:
            n_hit += 1
            assert outcome.err.splitlines()[-1].endswith(INTERRUPTED)
        else:  # it came before the run could handle it, or when all was done
            assert outcome.code in (0, -number)
        assert_clear(outcome)
        assert desk.written().keys() == desk.results().keys(), "a temporary file is left"
        n_files.append(len(desk.results()))
        desk.check_whole_or_absent(step, whole)
        desk.check_rerun(step, whole)
    note(f"{n_hit} before its end, with {min(n_files)} to {max(n_files)} files")
