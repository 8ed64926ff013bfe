"""Trials: many settings tried on each image, every result kept, so that none is computed twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.provenance import (
    Meta,
    digest,
    input_record,
    is_up_to_date,
    output_record,
    parse_record,
)
from wsstools.running.join import Input, Reader, Task
from wsstools.running.remote_paths import remote_folder, remote_tasks, visible_files
from wsstools.running.step import TaskOutcome, guarded, lost_outcome
from wsstools.running.workers import Pool

KIND = "trial"
_NAME_DIGITS = 16

Result = Mapping[str, Any]
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Trial(Task):
    """One image and some settings, which go to a worker together.

    Attributes
    ----------
    settings : tuple of mappings
        The options of each, as JSON values.
    """

    settings: tuple[Options, ...] = ()


@dataclass(frozen=True)
class Tried:
    """What a trial gave.

    Attributes
    ----------
    settings, results : tuples of mappings
        The settings of the trial and the result of each.
    n_computed : int
        How many of them did not stand already.
    digests : tuple of str
        Of the image's files, in the order of the inputs.
    """

    settings: tuple[Options, ...]
    results: tuple[Result, ...]
    n_computed: int
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Tester:
    """How trials are made and where their results are kept: one small file for each.

    Attributes
    ----------
    step : str
        The command.
    readers : sequence of Reader
        How the files of an image are read.
    compute : callable
        Takes the contents of the inputs and a list of settings, gives an iterator over their
        results (JSON values). It must survive a process boundary.
    is_result : callable
        Whether a value that was read is such a result.
    folder : Path
        Holds a folder for each image.
    """

    step: str
    readers: Sequence[Reader]
    compute: Callable[..., Iterator[Result]]
    is_result: Callable[[Any], bool]
    folder: Path

    def run(
        self,
        inputs: Sequence[Input],
        blocks: Iterable[Iterable[Trial]],
        pool: Pool,
        say: Callable[[str], None],
    ) -> Iterator[TaskOutcome]:
        """A report for each trial, in order; the value of one that is done is a Tried.

        A block is asked for only when all reports of the one before have been given out, so what
        it holds may depend on them.
        """
        self._clean()
        make = replace(self, folder=remote_folder(self.folder, pool))._try
        with visible_files(inputs, pool, self.folder) as seen:
            tasks = (remote_tasks(block, pool) for block in blocks)
            work = partial(guarded, make=make)
            yield from pool.map(
                work, tasks, on_worker_death=lost_outcome, required_files=required_files, say=say
            )
        self._clean()  # workers of an earlier, killed run may have ended meanwhile

    def _clean(self) -> None:
        if self.folder.is_dir():
            remove_leftovers(self.folder)
            for place in self.folder.iterdir():
                remove_leftovers(place)

    def _try(self, trial: Any) -> TaskOutcome:
        contents = [path.read_bytes() for path in trial.paths]
        digests = tuple(digest(content) for content in contents)
        identity = [
            input_record(reader.role, path.name, found)
            for reader, path, found in zip(self.readers, trial.paths, digests, strict=True)
        ]
        results = {
            position: found
            for position, options in enumerate(trial.settings)
            if (found := self._kept(trial.stem, options, identity)) is not None
        }
        missing = [k for k in range(len(trial.settings)) if k not in results]
        if missing:
            decoded = [
                reader.decode(content, str(path)).value
                for reader, content, path in zip(self.readers, contents, trial.paths, strict=True)
            ]
            computed = self.compute(*decoded, [trial.settings[k] for k in missing])
            for position, result in zip(missing, computed, strict=True):
                self._keep(trial.stem, trial.settings[position], identity, result)
                results[position] = result
        in_order = tuple(results[k] for k in range(len(trial.settings)))
        return TaskOutcome(
            trial.stem, "done", value=Tried(trial.settings, in_order, len(missing), digests)
        )

    def _path(self, stem: str, options: Options) -> Path:
        name = digest(json.dumps(dict(options), sort_keys=True).encode())[:_NAME_DIGITS]
        return self.folder / stem / f"{name}.json"

    def _kept(self, stem: str, options: Options, identity: Sequence[Meta]) -> Result | None:
        """The result that stands for these inputs, or None."""
        try:
            meta = parse_record(self._path(stem, options).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if meta is None or not is_up_to_date(meta, self.step, options, identity):
            return None
        result = meta.get("result")
        return result if self.is_result(result) else None

    def _keep(self, stem: str, options: Options, identity: Sequence[Meta], result: Result) -> None:
        meta = output_record(
            kind=KIND, stem=stem, step=self.step, options=options, inputs=identity, result=result
        )
        data = json.dumps(meta, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        write_atomic(self._path(stem, options), data)
