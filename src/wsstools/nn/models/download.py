"""Files from the web, checked before they take their place."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wsstools.errors import DataError

_BLOCK = 1 << 20
_TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
_DEAD_AFTER = 3600.0
"""Seconds after which a temporary file that does not grow is of a run that was killed."""


def download(url: str, target: Path, sha256: str, advance: Callable[[], None]) -> None:
    """Download a file; it takes its place when its checksum is right, or not at all.

    Parameters
    ----------
    url : str
        Where it comes from.
    target : Path
        Where it goes; the folder is made if it does not exist.
    sha256 : str
        Expected of the file, in hexadecimal digits.
    advance : callable
        Called after each 2**20 bytes.

    Raises
    ------
    DataError
        There is no connection, or it ends early, or the checksum is another.
    OSError
        The file cannot be written.
    """
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            length = response.headers.get("Content-Length")
            copy_checked(response, target, sha256, advance, int(length) if length else None)
    except urllib.error.URLError as error:
        raise DataError(f"cannot download {url} ({error.reason})") from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise DataError(f"cannot download {url} ({error})") from error
    except DataError as error:
        raise DataError(f"cannot download {url}: {error}") from error


def copy_checked(
    source: BinaryIO,
    target: Path,
    sha256: str,
    advance: Callable[[], None],
    length: int | None = None,
) -> None:
    """Write a stream to a temporary name beside the target, check it, and rename it.

    Parameters
    ----------
    source : binary stream
        What is read.
    target, sha256, advance
        As of `download`.
    length : int or None
        Expected number of bytes, None if not known.

    Raises
    ------
    DataError
        There are fewer bytes, or the checksum is another; the target stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    temporary = target.parent / f".{target.name}-{os.getpid()}.part"
    digest = hashlib.sha256()
    size = 0
    try:
        with temporary.open("wb") as file:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                file.write(block)
                advance()
        if length is not None and size < length:
            raise DataError(f"the connection ended after {size} of {length} bytes")
        if digest.hexdigest() != sha256:
            raise DataError(
                f"SHA-256 of what came is {digest.hexdigest()[:12]}..., "
                f"expected {sha256[:12]}...; it was thrown away"
            )
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and not isinstance(error, ConnectionError) and error.errno:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


def _remove_leftovers(target: Path) -> None:
    """Delete the temporary files of a target that nobody writes to any more."""
    for entry in os.scandir(target.parent):
        is_ours = entry.name.startswith(f".{target.name}-") and entry.name.endswith(".part")
        with contextlib.suppress(OSError):
            if is_ours and time.time() - entry.stat().st_mtime > _DEAD_AFTER:
                os.unlink(entry.path)
