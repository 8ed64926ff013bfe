"""Files from the web, checked before they take their place."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wsstools.errors import DataError
from wsstools.files.atomic import remove_leftovers, writing

_BLOCK = 1 << 20
_TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""


def download(url: str, target: Path, sha256: str, advance: Callable[[], None]) -> None:
    """Download a file; it takes its place when its checksum is right, or not at all.

    The folder is made if it does not exist; `advance` is called after each 2**20 bytes. DataError
    if there is no connection, it ends early or the checksum is another.
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
    """Write a stream to a file, which takes its place when its checksum is right, or not at all.

    DataError if there are fewer bytes than `length` or the checksum is another; the target stays as
    it was then.
    """
    remove_leftovers(target.parent)
    digest = hashlib.sha256()
    size = 0
    with writing(target) as file:
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
