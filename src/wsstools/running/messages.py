"""What a run says: finished paths on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from wsstools.errors import DataError, OutputsToMake, WssError, one_line
from wsstools.running.bars import Bar, is_quiet, print_line
from wsstools.running.settings import Selection

_MOST_NOTES = 5
"""Images of which the same is said."""


def say(text: str, command: str = "") -> None:
    """Print a line for the user on standard error, unless it is to be quiet."""
    if not is_quiet():
        print_line(f"wss {command}: {text}" if command else f"wss: {text}")


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
    """Some images failed; each was reported already."""


class Messages(Bar):
    """Progress on a terminal, warnings, finished paths in a pipe and the closing summary."""

    def __init__(self, command: str, total: int | None, selection: Selection) -> None:
        super().__init__(f"wss {command}", total)
        self.command = command
        self._selection = selection
        self._failures: list[str] = []
        self._counts = {"done": 0, "current": 0, "skipped": 0}
        self._to_make = {"new": 0, "stale": 0}
        self._missing: dict[str, int] = {}
        self._notes: dict[str, int] = {}

    def say(self, text: str) -> None:
        """A line on standard error."""
        self.print(f"wss {self.command}: {text}")

    def note(self, stem: str, text: str) -> None:
        """A line on an image; where many have the same, the others are counted."""
        _, _, kind = text.rpartition(": ")
        self._notes[kind] = self._notes.get(kind, 0) + 1
        if self._notes[kind] <= _MOST_NOTES:
            self.say(f"{one_line(stem)}: {text}")

    def finished(self, path: Path, *, is_up_to_date: bool) -> None:
        """An output is finished; `is_up_to_date`: it was made by an earlier run."""
        self._counts["current" if is_up_to_date else "done"] += 1
        print_path(path, self._selection)

    def to_make(self, kind: str) -> None:
        """A dry run has found an output that is to be made; it is `new` or `stale`."""
        self._to_make[kind] += 1

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
        reason, *trace = why.split("\n")  # of WSS_DEBUG
        for line in (f"wss {self.command}: {one_line(stem)}: failed: {reason}", *trace):
            self.print(line, is_error=True)

    def summarize(self, where: str) -> None:
        """The closing line; raises SomeFailed if an image failed, DataError if all are left out."""
        counts = self._counts
        to_make = [f"{number} {kind}" for kind, number in self._to_make.items() if number]
        parts = [f"to make in {where}: {', '.join(to_make)}"] if to_make else []
        if counts["done"] or not to_make:
            # a folder in which nothing was written may not be there
            is_empty = self._failures and not (counts["done"] or counts["current"])
            parts.append(f"{counts['done']} written" + ("" if is_empty else f" to {where}"))
        if counts["current"]:
            parts.append(f"skipped {counts['current']} (up to date)")
        if counts["skipped"]:
            parts.append(f"{counts['skipped']} skipped")
        parts += [f"{number} left out ({what})" for what, number in self._missing.items()]
        self.count_notes()
        self.say(", ".join(parts))
        self.raise_failures()
        if to_make:
            raise OutputsToMake("outputs are to be made")
        if self._missing and not any(counts.values()) and self._selection.share == (1, 1):
            raise DataError(f"nothing to do: every image is left out ({', '.join(self._missing)})")

    def count_notes(self) -> None:
        """How many more notes of a kind there are than were printed."""
        for kind, number in self._notes.items():
            if number > _MOST_NOTES:
                self.say(f"{number - _MOST_NOTES} more: {kind}")

    def raise_failures(self) -> None:
        """Raise SomeFailed if an image failed."""
        if self._failures:
            number = len(self._failures)
            raise SomeFailed(f"{number} image{'s' if number > 1 else ''} failed")
