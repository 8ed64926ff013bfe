"""Signals that ask a long run to stop, handled at a moment that suits it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

from wsstools.core.system import INTERRUPTIONS

Handler: TypeAlias = "Callable[[int, FrameType | None], object] | int | None"
BY_SIGNAL = 128
"""A shell's exit code of what a signal ended is this plus the number of the signal."""
_ending: list[int] = []


def end_by(number: int) -> None:
    """End the run because of a signal, by SystemExit.

    Where that is raised inside a callback of a library, numba's compiler for one, Python drops it;
    `end_if_asked` raises it again.
    """
    _ending.append(BY_SIGNAL + number)
    end_if_asked()


def end_if_asked() -> None:
    """Raise SystemExit if a signal was to end the run."""
    if _ending:
        raise SystemExit(_ending[0])


class Interruption:
    """While it lasts, the first SIGINT, SIGTERM or SIGHUP is only noted; the second acts at once.

    Signals that are ignored, as SIGHUP is under nohup, stay ignored.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> Interruption:
        handled = [one for one in INTERRUPTIONS if signal.getsignal(one) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in handled}
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    @property
    def is_asked_for(self) -> bool:
        """Whether a signal has come."""
        return self._received is not None

    def act(self) -> None:
        """Do what the noted signal does by itself; nothing if none has come."""
        if self._received is not None:
            self._restore()
            signal.raise_signal(self._received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        self._received = number

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
