"""The kind of processor, on which compiled code and the last bits of networks depend."""

from __future__ import annotations

import llvmlite.binding


def processor() -> str:
    """LLVM's name of this machine's kind of processor, such as znver4 or apple-m1.

    Examples
    --------
    >>> processor() != ""
    True
    """
    name: str = llvmlite.binding.get_host_cpu_name()
    return name
