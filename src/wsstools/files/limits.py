"""How much one file may hold, so that a small one cannot fill the memory, and none has no end.

Compressed files of a few kilobytes can claim, and hold, terabytes. What a file claims is compared
with these limits before its content is read. Pipes, sockets and devices, which may never be read
to an end, are not opened.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from wsstools.core.system import memory

LARGEST_PICTURE = 178_956_970
"""Pixels: where Pillow takes a picture for an attack, and nearly twice 12,000 x 8,000."""
LARGEST_MAP = 1 << 31
"""Probabilities: 22 classes of 12,000 x 8,000 pixels."""
LARGEST_RECORD = 1 << 26
"""Bytes of the text that says how a file was made."""
_MAP_COPIES, _MAP_BYTES = 2, 2
"""A map is held as read, in float16, and as written."""
_VOLUME_COPIES, _VOLUME_BYTES = 2, 4
"""A volume is held as read and as checked, in float32."""
_CLASSES_OF_LARGEST = 12
_GIVEN = "/proc/"
"""Where what the shell has opened for a command is: standard input, and `<(another command)`."""
_ENDLESS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_most_pixels = LARGEST_PICTURE


def allow_pixels(number: int) -> None:
    """Take pictures of up to so many pixels in this process from now on, and maps as large."""
    global _most_pixels
    _most_pixels = number


def most_pixels() -> int:
    """How many pixels a picture may have."""
    return _most_pixels


def read_file(path: str | Path) -> bytes:
    """The content of a file; OSError, which names it, also if it is none (see `check_ends`)."""
    with open_file(path) as file:
        return file.read()


def open_file(path: str | Path) -> BinaryIO:
    """A file to read from; OSError, which names it, also if it is none (see `check_ends`)."""
    check_ends(path)
    return open(path, "rb")


def check_ends(path: str | Path) -> None:
    """Raise OSError, which names it, at a pipe, a socket or a device, which may have no end.

    What the shell has opened for a command, as in `wss info <(...)`, has one.
    """
    what = endless_kind(path)
    if what is not None:
        raise OSError(errno.EINVAL, f"is {what}, expected a file", os.fspath(path))


def endless_kind(path: str | Path) -> str | None:
    """What a name is that may never be read to its end, such as `a pipe`; None: something else."""
    try:
        kind = _ENDLESS.get(stat.S_IFMT(os.stat(path).st_mode))
    except (OSError, ValueError):  # whoever opens it says why
        return None
    return None if kind is None or os.path.realpath(path).startswith(_GIVEN) else kind


def check_pixels(height: int, width: int) -> None:
    """Raise ValueError at a picture of more than `most_pixels`."""
    if height * width > most_pixels():
        raise ValueError(
            f"{height} x {width} (H x W) pixels, expected at most {most_pixels():,} in all "
            "(--max-pixels)"
        )


def check_masks(n_pixels: int) -> None:
    """Raise ValueError where the masks of an annotation have more than LARGEST_MAP pixels."""
    if n_pixels > LARGEST_MAP:
        raise ValueError(f"its masks have more than {LARGEST_MAP:,} pixels")


def check_map(n_values: int) -> None:
    """Raise ValueError at more probabilities than are expected, or than there is memory for.

    That is LARGEST_MAP, or more where `allow_pixels` takes larger pictures.
    """
    most = max(LARGEST_MAP, _CLASSES_OF_LARGEST * most_pixels())
    if n_values > most:
        raise ValueError(f"{n_values:,} probabilities, expected at most {most:,}")
    needed = _MAP_BYTES * _MAP_COPIES * n_values
    if needed > memory():
        raise ValueError(
            f"{n_values:,} probabilities take {needed / 1e9:.1f} GB, "
            f"this machine has {memory() / 1e9:.1f} GB"
        )


def check_volume(n_voxels: int) -> None:
    """Raise ValueError at more than LARGEST_MAP voxels, or than there is memory for as float32."""
    if n_voxels > LARGEST_MAP or _VOLUME_BYTES * _VOLUME_COPIES * n_voxels > memory():
        raise ValueError(
            f"{n_voxels:,} voxels, expected at most {LARGEST_MAP:,}, or what "
            f"{memory() / 1e9:.1f} GB of memory hold"
        )
