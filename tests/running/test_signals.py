"""Signals that a library drops."""

from __future__ import annotations

import pytest

from wsstools.running import signals
from wsstools.running.tasks import guarded_stem


@pytest.fixture
def ending():
    """What the process was asked, undone at the end."""
    yield
    signals._ending.clear()


def test_a_signal_that_a_callback_drops_ends_the_run_all_the_same(ending):
    """As numba's compiler drops exceptions; it then fails by one of its own."""

    def compiles():
        try:
            signals.end_by(15)
        except SystemExit:
            raise RuntimeError("no compiled object yet") from None

    with pytest.raises(SystemExit) as end:
        guarded_stem("a", compiles)
    assert end.value.code == 143


def test_without_a_signal_an_error_is_that_of_one_image():
    def fails():
        raise RuntimeError("no compiled object yet")

    outcome = guarded_stem("a", fails)
    assert (outcome.status, outcome.text) == ("failed", "RuntimeError: no compiled object yet")
