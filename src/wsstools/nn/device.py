"""The device to compute on."""

from __future__ import annotations

import torch

from wsstools.errors import UsageError


def chosen_device(name: str) -> str:
    """The device of that name; `auto` is the first GPU, or the CPU where there is none.

    Raises
    ------
    UsageError
        If there is no such device on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: {reason}; --device auto takes what there is") from error
    return name
