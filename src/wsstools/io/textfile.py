"""Text files."""

from __future__ import annotations

from wsstools.errors import DataError
from wsstools.io.provenance import Decoded


def decode_text(data: bytes, name: str) -> Decoded:
    """The text in a file, UTF-8 with or without a mark.

    Raises
    ------
    DataError
        If it is no such text.
    """
    try:
        return Decoded(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not a text file (UTF-8): {error.reason}") from error
