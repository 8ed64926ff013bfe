"""What a run says: finished paths on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from wsstools.errors import WssError, one_line
from wsstools.running.bars import Bar
from wsstools.running.settings import Selection


def say(text: str, command: str = "") -> None:
    """Print a line for the user on standard error."""
    with contextlib.suppress(OSError):  # a log on a full disk does not stop the work
        print(f"wss {command}: {text}" if command else f"wss: {text}", file=sys.stderr, flush=True)


def print_path(path: str | Path, selection: Selection) -> None:
    """Print a finished path on standard output, unless a terminal; ClosedPipe if nobody reads."""
    if not selection.prints_paths or sys.stdout.isatty():
        return
    end = b"\0" if selection.null else b"\n"
    try:
        sys.stdout.buffer.write(os.fsencode(path) + end)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - python flushes it at exit
        raise ClosedPipe("standard output was closed") from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def print_result(text: str, path: Path, selection: Selection) -> None:
    """Print what was found: on a terminal alone, in a pipe the path of its file instead.

    The text then goes to standard error.
    """
    if sys.stdout.isatty() or not selection.prints_paths:
        print(text)
        return
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
    print_path(path, selection)


class ClosedPipe(WssError):
    """The reader of standard output went away, which is no error."""

    exit_code = 0


class SomeFailed(WssError):
    """Some images failed; each was told of already."""


class Messages(Bar):
    """Progress on a terminal, warnings, finished paths in a pipe and the closing summary."""

    def __init__(self, command: str, total: int | None, selection: Selection) -> None:
        super().__init__(f"wss {command}", total)
        self.command = command
        self._selection = selection
        self._failures: list[str] = []
        self._counts = {"done": 0, "current": 0, "skipped": 0}
        self._missing: dict[str, int] = {}

    def say(self, text: str) -> None:
        """A line on standard error."""
        self.print(f"wss {self.command}: {text}")

    def finished(self, path: Path, *, is_up_to_date: bool) -> None:
        """An output is finished; `is_up_to_date`: it was made by an earlier run."""
        self._counts["current" if is_up_to_date else "done"] += 1
        print_path(path, self._selection)

    def missing(self, what: str) -> None:
        """An image is left out because it has no file of that kind."""
        self._missing[what] = self._missing.get(what, 0) + 1

    def skipped(self, stem: str, why: str) -> None:
        """An image is left out, which is no failure."""
        self._counts["skipped"] += 1
        self.say(f"{one_line(stem)}: skipped: {why}")

    def failed(self, stem: str, why: str) -> None:
        """An image failed; the others go on."""
        self._failures.append(f"{stem}: {why}")
        self.say(f"{one_line(stem)}: failed: {why}")

    def summarise(self, where: str) -> None:
        """The closing line; raises SomeFailed if an image failed."""
        counts = self._counts
        parts = [f"{counts['done']} written to {where}"]
        if counts["current"]:
            parts.append(f"skipped {counts['current']} (up to date)")
        if counts["skipped"]:
            parts.append(f"{counts['skipped']} skipped")
        parts += [f"{number} left out ({what})" for what, number in self._missing.items()]
        self.say(", ".join(parts))
        self.raise_failures()

    def raise_failures(self) -> None:
        """Raise SomeFailed if an image failed."""
        if self._failures:
            number = len(self._failures)
            raise SomeFailed(f"{number} image{'s' if number > 1 else ''} failed")
