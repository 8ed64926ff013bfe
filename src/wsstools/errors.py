"""The project's errors. Each carries a single string, so that it survives a process boundary."""

from collections.abc import Iterator
from contextlib import contextmanager


class WssError(Exception):
    """An error that is reported in one line. Exit code 1."""

    exit_code = 1


class OutputsToMake(WssError):
    """A dry run has found outputs that a run would make; that is said already. Exit code 1."""


_LONGEST_LINE = 1000
_BYTE = 0xDC00
"""What Python adds to bytes of names that it cannot decode."""


def printable(text: str) -> str:
    """A text whose control characters, line ends among them, are escaped, such as `\\x1b`.

    What comes from a file or its name can then neither command a terminal nor forge a line.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    number = ord(letter)
    if _BYTE <= number < _BYTE + 256:  # a byte of a name that is not UTF-8
        number -= _BYTE
    if number < 256:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"


def one_line(text: str) -> str:
    """A message as one line that any terminal shows: it may quote files, which hold anything."""
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST_LINE else shown[: _LONGEST_LINE - 3] + "..."


def os_error_line(error: OSError) -> str:
    """What the operating system refused, with the file if it names one."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def memory_error_line(error: MemoryError) -> str:
    """That memory does not suffice, and for what if that is known."""
    text = " ".join(str(error).split())
    return f"not enough memory: {text}" if text else "not enough memory"


class UsageError(WssError):
    """A command was called wrongly; the message ends with a hint. Exit code 2."""

    exit_code = 2


class DataError(WssError):
    """A file does not hold what it should."""


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Put the name of the file that is read before what a DataError says of its content."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{file}: {error}") from error


class SkippedImage(WssError):
    """There is nothing to do for an image, which is no failure (it has no scribble, say)."""


class NotKeptWarning(UserWarning):
    """Compiled code cannot be kept for the next run."""
