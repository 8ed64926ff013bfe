"""Threads and memory, and whether the system lets this process have some more."""

from __future__ import annotations

import mmap
import os
import threading

from wsstools.core.system import soft_limit
from wsstools.errors import WssError

_MOST, _COPIES = 64, 2
"""Threads that an OpenBLAS starts at most; numpy brings one, scipy another."""

_OF_NUMPY = 256 << 20  # bytes


def check_threads(number: int, what: str, hint: str) -> None:
    """WssError that names the limit if so many threads or processes more cannot be started."""
    n_started = _count_startable(number)
    if n_started < number:
        raise WssError(
            f"only {n_started} threads and processes can be started, {what} {number} "
            f"({process_limits()}; {hint})"
        )


def n_threads_of_libraries() -> int:
    """How many threads numpy and scipy start when they are imported."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return _COPIES * max(0, int(os.environ[name]) - 1)
    return _COPIES * (min(os.cpu_count() or 1, _MOST) - 1)


def _count_startable(number: int) -> int:
    """How many threads can be under way at once, up to a number."""
    end, started = threading.Event(), []
    try:
        for _ in range(number):
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):  # RuntimeError: can't start new thread
        pass
    finally:
        end.set()
        for thread in started:
            thread.join()
    return len(started)


def process_limits() -> str:
    """The limits that can be the reason why no thread or process can be started."""
    found = [
        f"{name} is {soft // unit}"
        for name, kind, unit in (
            ("ulimit -u", "RLIMIT_NPROC", 1),
            ("ulimit -v", "RLIMIT_AS", 1024),
        )
        if (soft := soft_limit(kind)) is not None
    ]
    return ", ".join(found) or "a limit of the container"


def check_address_space() -> None:
    """WssError where it is limited to less than numpy takes, whose OpenBLAS ends the process."""
    limit = memory_limit()
    try:
        if limit:
            mmap.mmap(-1, _OF_NUMPY).close()
    except OSError:
        raise WssError(f"not enough memory for numpy ({limit})") from None


def memory_limit() -> str | None:
    """The limit of this process's memory in words; None where there is none."""
    soft = soft_limit("RLIMIT_AS")
    return None if soft is None else f"ulimit -v is {soft // 1024}"
