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


@pytest.mark.parametrize("moment", ["quiet_libraries", "_flushed"])
def test_a_signal_before_or_after_the_command_is_reported_too(monkeypatch, wss, moment, ending):
    from wsstools.cli import main

    monkeypatch.setattr(main, moment, lambda *_: signals.end_by(15))
    outcome = wss("fuse", "--help")
    assert outcome.code == 143
    assert outcome.err.endswith("interrupted; the same command goes on from here\n")


def test_what_fails_in_a_destructor_has_no_traceback(capfd, monkeypatch):
    monkeypatch.setattr("sys.unraisablehook", lambda _: print("others"))
    from wsstools.running.quiet import _quiet_destructors

    class Odd:
        def __init__(self, error):
            self.error = error

        def __del__(self):
            raise self.error

    _quiet_destructors()
    Odd(MemoryError())
    Odd(ValueError("two\nlines"))
    monkeypatch.setenv("WSS_DEBUG", "1")
    Odd(ValueError("all"))
    printed = capfd.readouterr()
    assert printed.err == "wss: ignored ValueError: two lines\n"
    assert printed.out == "others\n"
