"""Inputs that vanish, change or are cut while a run is under way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from torture.desk import assert_clear
from torture.runs import pausing, wait_until
from torture.scenes import READING, STEPS, some

KINDS = ("vanishes", "changes", "is cut")


@pytest.mark.parametrize("name", some(READING, 2))
def test_an_input_that_changes_spoils_nothing(name, tries, note, undisturbed, new_desk):
    """The others are done; when the file is as it was, a rerun leaves what it would have left."""
    step, whole = STEPS[name], undisturbed(name)
    n_failed = 0
    for rng in tries("input vanishes, changes or is cut", name):
        desk = new_desk()
        files = sorted(path.name for path in (desk.folder / step.reads).iterdir())
        victim, other = (f"{step.reads}/{file}" for file in rng.choice(files, 2, replace=False))
        kind = KINDS[rng.integers(len(KINDS))]
        begun, until = (desk.folder.parent / f"{desk.folder.name}-{k}" for k in ("begun", "until"))
        at = int(rng.integers(1, whole.touches + 1))
        run = desk.start_step(step, sabotage=partial(pausing, begun, until, at))
        wait_until(begun.exists, run)
        content = {
            "vanishes": None,
            "changes": (desk.data / other).read_bytes(),
            "is cut": (desk.data / victim).read_bytes()[:40],
        }[kind]
        desk.replace(victim, content)
        until.touch()
        outcome = run.outcome()
        assert outcome.code in (0, 1)
        assert_clear(outcome)
        if outcome.code:
            n_failed += 1
            assert Path(victim).stem in outcome.err
        touched = {file for file in whole.written if Path(file).stem == Path(victim).stem}
        desk.check_whole_or_absent(step, whole, {*touched, *step.tells_all})
        if step.writes:
            assert desk.results().keys() >= whole.written.keys() - touched
        desk.restore(victim)
        desk.check_rerun(step, whole)
    note(f"failed by name {n_failed} times, else it had been read, or was another whole file")
