"""Functions compiled by numba, and where what was compiled is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

from wsstools.core.compiled.kept import KeptCode
from wsstools.errors import UsageError

F = TypeVar("F", bound=Callable[..., object])

# Sums may be reordered and fused. The flags `nnan` and `ninf` stay out: they let the compiler drop
# checks for NaN and infinity.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def compiled(function: F) -> F:
    """The function compiled by numba, without the GIL; what is compiled is kept on disk.

    Each operation on floats is done and rounded as it is written, so that a processor with wider
    vectors or with fused multiply-add gives the same bits. The price is that a loop which adds to
    one number is not vectorized; loops over elements are. Functions whose last bit depends on the
    machine, such as exp, are taken from `elementary`.

    It compiles at its first call, or loads what an earlier process compiled from the same sources.
    Division by zero gives infinity or NaN and raises nothing.

    Files go to the folder named by NUMBA_CACHE_DIR where that is set, else to wsstools/numba in
    XDG_CACHE_HOME or ~/.cache. A file is used only if the sources of the function's module and of
    this folder, and the numbers that the module names, are those that it was compiled from: let
    compiled functions call compiled functions of their own module only. UsageError where numba is
    not to compile: some functions call instructions that Python does not have.
    """
    if vars(numba.config)["DISABLE_JIT"]:
        raise UsageError("NUMBA_DISABLE_JIT is set, but this needs compiled code; unset it")
    return _compile(function, fastmath=set())


def compiled_for_speed(function: F) -> F:
    """As `compiled`, but the last bits of sums and products depend on the processor.

    For the training of networks, whose other parts do so too.
    """
    return _compile(function, fastmath=_FAST)


def _compile(function: F, fastmath: set[str]) -> F:
    made = numba.njit(function, fastmath=fastmath, nogil=True, error_model="numpy")
    made._cache = KeptCode(function, *sorted(fastmath))
    return cast(F, made)
