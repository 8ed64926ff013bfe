"""What libraries may print in a process of ours: of readers nothing, warnings of ours in a line."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import TextIO

from wsstools.errors import NotKeptWarning, one_line
from wsstools.running.bars import is_quiet, print_line


def quiet_libraries() -> None:
    """Let libraries print in our way, for the whole process; for programs and workers of ours."""
    _quiet_readers()
    _quiet_destructors()
    _print_warnings()


def _quiet_readers() -> None:
    """Drop what readers say of a file beside their error, for the whole process.

    It is of no use, or of no harm: our limit of the size of a picture is where Pillow's is an
    error. A program of ours calls this; a process that imports wsstools keeps its own settings.
    """
    warnings.filterwarnings("ignore", module=r"(PIL|nibabel)\.")
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)


def _quiet_destructors() -> None:
    """Print what fails where Python can raise nothing, in a destructor for one, in a line.

    It has no traceback then, unless WSS_DEBUG asks for one. Lack of memory is reported by others.
    """
    others = sys.unraisablehook
    if others.__module__ == __name__:
        return

    def show(failed: sys.UnraisableHookArgs) -> None:
        if os.environ.get("WSS_DEBUG"):
            others(failed)
        elif not isinstance(failed.exc_value, MemoryError):
            print_line(one_line(f"wss: ignored {failed.exc_type.__name__}: {failed.exc_value}"))

    sys.unraisablehook = show


def _print_warnings() -> None:
    """Print warnings of ours as a line on standard error, for the whole process."""
    others = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, NotKeptWarning):
            others(message, category, filename, lineno, file, line)
        elif not is_quiet():
            print_line(f"wss: warning: {message}")

    warnings.showwarning = show
