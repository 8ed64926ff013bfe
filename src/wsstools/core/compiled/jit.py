"""Functions compiled by numba, and where what was compiled is kept."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from wsstools.core.compiled.processor import processor

F = TypeVar("F", bound=Callable[..., object])
_config = vars(numba.config)

# Sums may be reordered and fused. The flags `nnan` and `ninf` stay out: they let the compiler drop
# checks for NaN and infinity.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def compiled(function: F) -> F:
    """The function compiled by numba, without the GIL; what is compiled is kept on disk.

    Each operation on floats is done and rounded as it is written, so that a processor with wider
    vectors or with fused multiply-add gives the same bits. The price is that a loop which adds to
    one number is not vectorised; loops over elements are. Functions whose last bit depends on the
    machine, such as exp, are taken from `elementary`.

    Call it with one combination of types only: of two processes that compile two combinations at
    the same moment, one can spoil the other's file. It compiles at its first call, or loads what an
    earlier process compiled. Division by zero gives infinity or NaN and raises nothing.

    Files go to the folder named by NUMBA_CACHE_DIR where that is set, else to wsstools/numba in
    XDG_CACHE_HOME or ~/.cache. Where nothing can be written, each process compiles anew. Numba
    renews a file when the source file of its function changes, whatever that function calls: let
    compiled functions call compiled functions of their own module only.
    """
    return _compile(function, fastmath=False)


def compiled_for_speed(function: F) -> F:
    """As `compiled`, but the last bits of sums and products depend on the processor.

    For the training of networks, whose other parts do so too.
    """
    return _compile(function, fastmath=_FAST)


def _compile(function: F, fastmath: bool | set[str]) -> F:
    folder = _cache_folder()
    if folder is not None:
        # numba looks at this setting once, while it decorates; other users of numba keep theirs.
        others, _config["CACHE_DIR"] = _config["CACHE_DIR"], folder
        try:
            kept = numba.njit(
                function, cache=True, fastmath=fastmath, nogil=True, error_model="numpy"
            )
        finally:
            _config["CACHE_DIR"] = others
        if str(kept.stats.cache_path).startswith(folder):  # else it chose the source tree
            return cast(F, kept)
    return cast(F, numba.njit(function, fastmath=fastmath, nogil=True, error_model="numpy"))


@functools.cache
def _cache_folder() -> str | None:
    """The folder for compiled functions, made where it is missing; None if it takes no file."""
    chosen = _config["CACHE_DIR"]
    try:
        if not chosen:
            caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
            # By processor: machines of several kinds can share a home and write at once.
            chosen = Path(caches, "wsstools", "numba", processor())
        os.makedirs(chosen, exist_ok=True)
        with tempfile.TemporaryFile(dir=chosen) as probe:
            probe.write(b"0")  # a full disk shows here
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return str(chosen)
