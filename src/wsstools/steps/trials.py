"""Settings of a regularizer tried on images: every result is kept, none is computed twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Optional, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import N_VALUES, confusion_matrix
from wsstools.core.map_operations import stored_labels
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import DataError
from wsstools.files.atomic import write_all
from wsstools.files.limits import open_file
from wsstools.files.provenance import InputRecord, set_record
from wsstools.files.targets import output_file
from wsstools.formats import map_files
from wsstools.formats.map_files import as_stored
from wsstools.running.join import Input, Reader, Task
from wsstools.running.messages import Messages
from wsstools.running.settings import RunSettings
from wsstools.running.tasks import InputFiles, TaskOutcome, dead_outcome, guarded, map_tasks
from wsstools.steps.regularize import (
    PREPARED_BY,
    Settings,
    method_of,
    parameters,
    prepared,
    regularized,
)

FEW_IMAGES = 6
"""On fewer, chance decides more than the settings."""
_NO_RESULT = (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError)
"""What reading a line that holds no result may raise."""


class Result(msgspec.Struct, frozen=True):
    """One setting on one image: the cells of the confusion matrix that are not 0, their counts."""

    cells: list[Annotated[int, msgspec.Meta(ge=0, lt=N_VALUES * N_VALUES)]]
    counts: list[Annotated[int, msgspec.Meta(ge=0)]]
    warning: Optional[str]


@dataclass(frozen=True)
class _Trial(Task):
    """One image and some settings, which go to a worker together.

    `digests` are those of the image's files for which `known` settings have results already.
    """

    settings: tuple[Settings, ...] = ()
    known: frozenset[Settings] = frozenset()
    digests: tuple[str, ...] = ()


_START = (b'{"blake2b":', b"\0")
"""How a file of results begins; with zeros where the disk was full."""


@dataclass(frozen=True)
class _Tried:
    """The results of the settings that were computed, and the digests of the image's files."""

    digests: tuple[str, ...]
    results: Mapping[Settings, Result]


class Trials:
    """All settings on all images, with the results of earlier runs.

    The file of the results has a line for each trial, in the order in which they were made.
    """

    def __init__(self, path: Path, tasks: Sequence[Task], settings: Sequence[Settings]) -> None:
        self._path, self.tasks, self._settings = path, tasks, settings
        self._names = {json.dumps(parameters(one), sort_keys=True): one for one in settings}
        self._digests: dict[str, tuple[str, ...]] = {}
        self._results: dict[str, dict[Settings, Result]] = {}
        self._others: list[str] = []
        self.failed: set[str] = set()

    @property
    def stems(self) -> list[str]:
        """The images that went well."""
        return [task.stem for task in self.tasks if task.stem not in self.failed]

    def run(self, inputs: Sequence[Input], run: RunSettings, messages: Messages) -> None:
        """Compute what has no result yet; each result is kept as soon as it is there."""
        output_file(self._path, [], is_ours=self._is_ours(), overwrite=run.overwrite)
        self._read()
        trials = [
            _Trial(
                **vars(task),
                settings=group,
                known=frozenset(self._results.get(task.stem, {})),
                digests=self._digests.get(task.stem, ()),
            )
            for task in self.tasks
            for group in _groups(self._settings)
        ]
        readers = [entry.reader for entry in inputs]
        work = partial(guarded, make=partial(_try, readers=readers))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        n_computed, stem = 0, None
        with self._path.open("a", encoding="utf-8") as file:
            outcomes: Iterator[TaskOutcome[_Tried]] = map_tasks(
                work, [trials], inputs, run, messages, on_worker_death=dead_outcome
            )
            for outcome in outcomes:
                if stem not in (None, outcome.stem):
                    messages.advance()
                stem = outcome.stem
                if outcome.value is not None:
                    n_computed += len(outcome.value.results)
                    file.writelines(self._take(stem, outcome.value))
                    file.flush()
                elif stem not in self.failed:
                    self.failed.add(stem)
                    messages.failed(stem, outcome.text or "")
        self._write()
        n_tried = len(self._settings) * len(self.stems)
        messages.say(
            f"{len(self._settings)} settings on {len(self.stems)} images: {n_computed} trials "
            f"computed, skipped {n_tried - n_computed} (up to date)"
        )

    def check(self, messages: Messages) -> None:
        """Warn of what makes a comparison weak; an error if there is none to be made."""
        results = [self._results[stem][one] for stem in self.stems for one in self._settings]
        if not any(result.cells for result in results):
            messages.raise_failures()
            raise DataError("no pixel of the ground truth carries a class")
        if len(self.stems) < FEW_IMAGES:
            messages.say(
                f"warning: on {len(self.stems)} images chance decides more than the settings"
            )
        warnings = [result.warning for result in results if result.warning]
        if warnings:
            messages.say(f"warning: {len(warnings)} trials were not exact; the first {warnings[0]}")

    def confusion(self, setting: Settings) -> NDArray[np.int64]:
        """The confusion matrix of a setting summed over the images, (256, 256)."""
        total = np.zeros(N_VALUES * N_VALUES, np.int64)
        for stem in self.stems:
            result = self._results[stem][setting]
            total[result.cells] += result.counts
        return total.reshape(N_VALUES, N_VALUES)

    def records(self, inputs: Sequence[Input]) -> list[InputRecord]:
        """One record for each kind of input, over the images that went well."""
        paths = {task.stem: task.paths for task in self.tasks}
        stems = sorted(self.stems)
        records = []
        for k, entry in enumerate(inputs):
            first = paths[stems[0]][k]
            meta = map_files.read_meta(Path(str(first))) if entry.role == "map" else None
            names = [paths[stem][k].name for stem in stems]
            digests = [self._digests[stem][k] for stem in stems]
            records.append(set_record(entry.role, names, digests, meta))
        return records

    def _take(self, stem: str, tried: _Tried) -> list[str]:
        """Remember results; gives their lines in the file."""
        if self._digests.get(stem) != tried.digests:
            self._digests[stem], self._results[stem] = tried.digests, {}
        self._results[stem].update(tried.results)
        return [_line(stem, tried.digests, one, result) for one, result in tried.results.items()]

    def _read(self) -> None:
        """Read the results of earlier runs; the last line may be cut off, and is passed over."""
        if not self._path.is_file():
            return
        wanted = {task.stem for task in self.tasks}
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(*_NO_RESULT):
                entry = json.loads(line)
                stem, digests = entry["stem"], tuple(entry["blake2b"])
                result = msgspec.convert(entry, Result)
                setting = self._names.get(json.dumps(entry["options"], sort_keys=True))
                if len(result.cells) != len(result.counts):
                    continue
                if setting is None or stem not in wanted:
                    self._others.append(line + "\n")
                else:
                    self._take(stem, _Tried(digests, {setting: result}))

    def _is_ours(self) -> bool | None:
        """Whether the file is one of results; None where there is none.

        That of an equal search that runs now may just begin, and hold nothing yet.
        """
        if not self._path.exists():
            return None
        with open_file(self._path) as file:
            start = file.read(max(map(len, _START)))
        return start.startswith(_START) or any(one.startswith(start) for one in _START)

    def _write(self) -> None:
        """Write all results in one order, so that equal searches leave equal files."""
        ours = [
            _line(task.stem, self._digests[task.stem], one, self._results[task.stem][one])
            for task in self.tasks
            for one in self._settings
            if one in self._results.get(task.stem, {})
        ]
        content = "".join(sorted({*self._others, *ours})).encode()
        write_all(self._path.parent, {self._path.name: content})


def _line(stem: str, digests: Sequence[str], setting: Settings, result: Result) -> str:
    values = msgspec.structs.asdict(result)
    entry = {"stem": stem, "blake2b": digests, "options": parameters(setting), **values}
    return json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n"


def _groups(settings: Sequence[Settings]) -> list[tuple[Settings, ...]]:
    """The settings, those that share what is prepared for an image together."""
    groups: dict[tuple[float, ...], list[Settings]] = {}
    for one in settings:
        key = tuple(getattr(one, name) for name in PREPARED_BY[method_of(one)])
        groups.setdefault(key, []).append(one)
    return [tuple(group) for group in groups.values()]


def _try(trial: _Trial, *, readers: Sequence[Reader]) -> TaskOutcome[_Tried]:
    """The settings of a trial that have no result for these files yet."""
    files = InputFiles.read(trial, readers)
    digests = tuple(record["blake2b"] for record in files.records)
    known = trial.known if digests == trial.digests else frozenset()
    settings = [one for one in trial.settings if one not in known]
    results: dict[Settings, Result] = {}
    if settings:
        compute: Callable[..., Iterator[Result]] = partial(_try_settings, settings=settings)
        found = compute(*(part.value for part in files.decode()))
        results = dict(zip(settings, found, strict=True))
    return TaskOutcome(trial.stem, "done", value=_Tried(digests, results))


def _try_settings(
    probability_map: ProbabilityMap,
    image: NDArray[np.uint8],
    gt: NDArray[np.uint8],
    *,
    settings: Sequence[Settings],
) -> Iterator[Result]:
    """The result of each setting on one image; they agree in the parameters of PREPARED_BY.

    The soft map is rounded as its file would be, so that `wss regularize`, `wss argmax` and
    `wss score` give the same numbers.
    """
    common = prepared(image, settings[0])
    for one in settings:
        computed = regularized(probability_map, image, common, settings=one)
        labels = stored_labels(as_stored(cast(ProbabilityMap, computed.value)))
        matrix = confusion_matrix(labels, gt).ravel()
        cells = matrix.nonzero()[0]
        yield Result(cells.tolist(), matrix[cells].tolist(), computed.warning)
