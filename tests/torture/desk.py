"""A place where a command runs: the data, and what is written beside it."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from builders import Outcome

from torture.runs import Run, Surroundings, sending, wait_until
from torture.scenes import OUT, Step

_TEMPORARY = re.compile(r"\.wss-[0-9a-f]{16}-[0-9a-f]{8}-\d+\.part")
_DOWNLOAD = re.compile(r"\..+-\d+\.part")
"""A download that was killed is deleted only when it has not grown for an hour."""


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nothing disturbs gives.

    Attributes
    ----------
    outcome : Outcome
    written : dict of str to bytes
        The files, by their path in the output folder.
    seconds : float
    touches : int
        How often it opens, renames, makes or lists something in its folder.
    """

    outcome: Outcome
    written: dict[str, bytes]
    seconds: float
    touches: int = 0


class Desk:
    """A folder with the data of `data` (hard links: files may be replaced, not written to)."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder, self.out = data, folder, folder / OUT
        shutil.copytree(data, folder, copy_function=os.link, dirs_exist_ok=True)
        self._names = sorted(path.relative_to(data) for path in data.rglob("*"))
        self._before = {name: _state(data / name) for name in self._names}
        self._count = 0

    def start(self, arguments: list[str], **surroundings: Any) -> Run:
        """Start a run here; keywords as of Surroundings."""
        self._count += 1
        places = {
            "folder": self.folder,
            "out": self.folder.parent / f"{self.folder.name}-out-{self._count}",
            "err": self.folder.parent / f"{self.folder.name}-err-{self._count}",
        }
        return Run(arguments, Surroundings(**{**places, **surroundings}))

    def start_step(self, step: Step, **surroundings: Any) -> Run:
        """Start a run of a command here."""
        return self.start(step.arguments(), **{"prepare": step.prepare, **surroundings})

    def outcome(self, arguments: list[str], **surroundings: Any) -> Outcome:
        """Run something to its end."""
        return self.start(arguments, **surroundings).outcome()

    def outcome_of(self, step: Step, **surroundings: Any) -> Outcome:
        """Run a command to its end."""
        return self.start_step(step, **surroundings).outcome()

    def written(self) -> dict[str, bytes]:
        """All files in the output folder, by their path in it."""
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }

    def results(self) -> dict[str, bytes]:
        """Those that are no temporary ones."""
        found = self.written()
        return {
            name: data for name, data in found.items() if not name.endswith((".part", ".wss-run"))
        }

    def count(self) -> int:
        """How many files exist or are being written."""
        return sum(len(names) for _, _, names in os.walk(self.out))

    def clear(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.out, ignore_errors=True)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_until(
        self, step: Step, whole: Undisturbed, number: int, rng: np.random.Generator
    ) -> Run:
        """A run that gets a signal at a random moment: between two files, or at any time."""
        if rng.random() < 0.5:
            at = int(rng.integers(1, whole.touches + 1))
            return self.start_step(step, sabotage=partial(sending, number, at))
        run = self.start_step(step)
        self.wait_for_moment(run, whole, rng)
        run.send(number)
        return run

    def wait_for_moment(self, run: Run, whole: Undisturbed, rng: np.random.Generator) -> None:
        """Wait for a random moment of a run: after so many files, and so long.

        Where files come one by one, a moment that counts them is in the run however slow the
        machine is at the time.
        """
        n_files = len(whole.written)
        after = int(rng.integers(0, n_files)) if n_files else 0
        wait_until(lambda: self.count() >= after, run)
        rest = whole.seconds / max(n_files, 1)
        pause = rng.random() * (rest if after else max(rest, 0.5 * whole.seconds))
        ends = time.monotonic() + pause
        wait_until(lambda: time.monotonic() >= ends, run)

    def check_whole_or_absent(
        self, step: Step, whole: Undisturbed, without: Collection[str] = ()
    ) -> None:
        """Every file is as an undisturbed run leaves it, or a temporary one.

        Files `without` may be others: they are of an input that changed, or report on all images.
        """
        for name, data in self.results().items():
            if name not in without and not step.may_stand(name, data, whole.written):
                assert name in whole.written, f"{name} was left behind"
                assert data == whole.written[name], f"{name} is not whole"

    def check_rerun(self, step: Step, whole: Undisturbed) -> None:
        """The same command completes, and leaves and says the same as if nothing had been."""
        again = self.outcome_of(step)
        assert again.code == 0, again.err
        found = {
            name: data
            for name, data in self.written().items()
            if not _DOWNLOAD.fullmatch(Path(name).name) or is_temporary(name)
        }
        assert found.keys() == whole.written.keys()
        differing = [name for name, data in found.items() if data != whole.written[name]]
        assert not differing
        assert again.out == whole.outcome.out

    def replace(self, name: str, content: bytes | None) -> None:
        """Put other content in the place of a file of the data; None removes it."""
        (self.folder / name).unlink()
        if content is not None:
            (self.folder / name).write_bytes(content)

    def restore(self, name: str) -> None:
        """Put the file of the data back."""
        (self.folder / name).unlink(missing_ok=True)
        os.link(self.data / name, self.folder / name)

    def check_data(self) -> None:
        """No run changed a file of the data."""
        assert {name: _state(self.data / name) for name in self._names} == self._before


def is_temporary(name: str) -> bool:
    """Whether a file has the name of one that a step is writing."""
    return _TEMPORARY.fullmatch(Path(name).name) is not None


def assert_clear(outcome: Outcome, *words: str) -> None:
    """What is said holds these words, and nothing that only programmers understand."""
    for sign in ("Traceback", "Exception ignored", "unexpected ", "Error:"):
        assert sign not in outcome.err, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return (0, 0) if path.is_dir() else (status.st_size, status.st_mtime_ns)
