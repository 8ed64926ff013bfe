"""Errors of readers, as one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wsstools.errors import DataError


@contextmanager
def reading(name: object, what: str = "", *, errors: type[Exception] = Exception) -> Iterator[None]:
    """Make a DataError of what a reader raises, which is whatever it likes at damaged files."""
    try:
        yield
    except MemoryError:
        raise  # no fault of the file's
    except errors as error:
        raise DataError(f"{name}: {what}{error}") from error
