"""Two runs of the same command on the same folder at the same time."""

from __future__ import annotations

import time

import pytest

from torture.scenes import STEPS, some


@pytest.mark.parametrize("name", some(STEPS, 4))
def test_two_runs_at_once_leave_what_one_would(name, tries, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    for rng in tries("two runs at once", name):
        desk = new_desk()
        runs = [desk.start_step(step)]
        time.sleep(rng.random() * whole.seconds)
        runs.append(desk.start_step(step))
        for run in runs:
            outcome = run.outcome()
            assert outcome.code == 0, outcome.err
            assert outcome.out == whole.outcome.out
        assert desk.written() == whole.written
        desk.check_rerun(step, whole)
