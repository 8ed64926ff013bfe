"""The CSV log of a training run, which an interrupted run goes on with."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from wsstools.files.atomic import write_atomic
from wsstools.files.limits import open_file

_HEADER = "iteration,loss,learning_rate,val_miou\n"
_LINE = re.compile(r"(?P<iteration>[0-9]{1,18}),[^,]*,[^,]*,[^,]*\n")
"""A whole line; where the disk was full, a part of one remains."""


class TrainingLog:
    """A line per iteration; the file holds exactly the iterations that are done.

    A run that goes on from `iteration` drops what an interrupted run wrote of later ones.
    """

    def __init__(self, path: Path, iteration: int) -> None:
        self._path = path
        kept = [_HEADER]
        if iteration:
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            lines = text.splitlines(keepends=True)[1:]
            kept += [line for line in lines if _is_of_iteration(line, iteration)]
        write_atomic(path, "".join(kept).encode())
        self._file = path.open("a")

    def add(
        self, iteration: int, loss: float, learning_rate: float, val_miou: float | None = None
    ) -> None:
        """One iteration is done; the mean IoU is a fraction, empty where there is none."""
        shown = "" if val_miou is None else f"{val_miou:.6f}"
        try:
            self._file.write(f"{iteration},{loss:.6g},{learning_rate:.6g},{shown}\n")
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def close(self) -> None:
        """No more iterations."""
        with contextlib.suppress(OSError):  # `add` has raised what could not be written
            self._file.close()


def is_log(path: Path) -> bool:
    """Whether a file is a log of ours, or empty."""
    with open_file(path) as file:
        return file.read(len(_HEADER)) in (_HEADER.encode(), b"")


def _is_of_iteration(line: str, last: int) -> bool:
    """Whether a line is whole and reports an iteration up to the last one."""
    match = _LINE.fullmatch(line)
    return match is not None and int(match["iteration"]) <= last
