"""What the system offers: locks, signals, memory and limits. Windows lacks some of it."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import IO


def _module(name: str) -> ModuleType | None:
    """A module of the standard library, where the system has it."""
    try:
        return import_module(name)
    except ImportError:
        return None


_FCNTL, _RESOURCE = _module("fcntl"), _module("resource")
HAS_LOCKS = _FCNTL is not None
"""Whether files can be locked, unless their file system cannot."""
INTERRUPTIONS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that ask a run to stop."""
HOST = platform.node()
"""The name of this machine."""


def has_locked(file: IO[bytes] | IO[str], *, is_exclusive: bool) -> bool | None:
    """Whether a file is locked now, until it is closed; None where there are no such locks."""
    if _FCNTL is None:
        return None
    kind = _FCNTL.LOCK_EX if is_exclusive else _FCNTL.LOCK_SH
    try:
        _FCNTL.flock(file, kind | _FCNTL.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs on this machine; True where that cannot be asked."""
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_mine(status: os.stat_result) -> bool:
    """Whether a file belongs to this user and to no other; True where users have no numbers."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


@contextlib.contextmanager
def blocked_interruptions() -> Iterator[Callable[[], object]]:
    """Keep INTERRUPTIONS from this thread and the processes it starts; gives what does so again."""
    if not hasattr(signal, "pthread_sigmask"):
        yield lambda: None
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def memory() -> float:
    """Bytes of memory that the machine has; infinite where that cannot be asked."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def soft_limit(name: str) -> int | None:
    """A limit of this process, by its name in the module `resource`; None where there is none."""
    kind = getattr(_RESOURCE, name, None)
    if _RESOURCE is None or kind is None:
        return None
    soft, _ = _RESOURCE.getrlimit(kind)
    return None if soft == _RESOURCE.RLIM_INFINITY else soft
