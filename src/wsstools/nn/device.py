"""The device to compute on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from wsstools.errors import UsageError

_FILL = "fill_uninitialized_memory"  # torch makes this attribute of a module at run time


def chosen_device(name: str) -> str:
    """The device of that name; `auto` is the first GPU, or the CPU where there is none.

    UsageError if there is no such device on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: {reason}; --device auto takes what there is") from error
    return name


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Let a GPU give the same bits in each run while this lasts; a CPU does anyway."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its sums vary in order
    backends, settings = torch.backends.cudnn, torch.utils.deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        backends.benchmark,
        getattr(settings, _FILL),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    backends.benchmark = False
    setattr(settings, _FILL, False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        backends.benchmark = before[2]
        setattr(settings, _FILL, before[3])
