"""Runs that are killed by force at a random moment."""

from __future__ import annotations

import signal

import pytest

from torture.scenes import STEPS, some


@pytest.mark.parametrize("name", some(STEPS))
def test_a_killed_run_leaves_whole_files_and_a_rerun_completes(
    name, tries, note, undisturbed, new_desk
):
    step, whole = STEPS[name], undisturbed(name)
    n_hit, n_files = 0, []
    for rng in tries("kill -9", name):
        desk = new_desk()
        run = desk.run_until(step, whole, signal.SIGKILL, rng)
        n_hit += run.outcome().code == -signal.SIGKILL
        n_files.append(len(desk.results()))
        desk.check_whole_or_absent(step, whole)
        desk.check_rerun(step, whole)
    note(f"{n_hit} before its end, with {min(n_files)} to {max(n_files)} files")
