"""How long tests wait for other processes: one limit, which no loaded machine should reach."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 900.0
"""Seconds after which a process counts as hanging.

Only a test that would fail anyway waits so long. It is no claim about speed: loading torch takes
seconds alone, and minutes beside a dozen others that do the same.
"""
_POLL = 0.005


def wait_until(
    holds: Callable[[], bool], *, message: str = "what is waited for never came"
) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, message
        time.sleep(_POLL)
