"""Volumes as tasks: the cases in a folder, and a function mapped over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from wsstools.errors import DataError
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.provenance import InputRecord, Json
from wsstools.formats import volume_files
from wsstools.formats.nnunet_files import channels_of
from wsstools.running.join import Input, Task, output_folder
from wsstools.running.messages import Messages
from wsstools.running.outputs import Form
from wsstools.running.settings import RunSettings
from wsstools.running.sources import Source
from wsstools.running.step import Step
from wsstools.running.tasks import TaskOutcome, dead_outcome, guarded, map_tasks, show_outcome

Made: TypeAlias = "Sequence[TaskOutcome[None]]"
_INNER_ENDINGS = (".nii", ".ome")
"""What is left of endings with two dots when the last is gone."""


@dataclass(frozen=True)
class Cases:
    """The files of each case by channel, and of some why they cannot be read."""

    files: Mapping[str, Mapping[int, Path]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, *, has_channels: bool) -> Cases:
        """Those in a folder, a file, or the paths on standard input, which are all read.

        UsageError if a file is NIfTI and the package that reads it is missing.
        """
        if source.is_stream:
            source.read_whole()
        found: dict[str, list[Path]] = {}
        problems = {}
        for stem in source.stems:
            name = _plain(stem)
            try:
                found.setdefault(name, []).append(source.find(stem))
            except DataError as error:
                problems[name] = str(error)
        for name, paths in found.items():
            if len(paths) > 1:
                problems[name] = f"{' and '.join(path.name for path in paths)} in {source.argument}"
        if any(volume_files.is_nifti(path) for paths in found.values() for path in paths):
            volume_files.check_nibabel()
        names = found.keys() | problems.keys()
        grouped = channels_of(names) if has_channels else {name: {0: name} for name in names}
        files, of_cases = {}, {}
        for case, channels in sorted(grouped.items()):
            odd = [problems[name] for name in channels.values() if name in problems]
            if odd:
                of_cases[case] = odd[0]
            else:
                files[case] = {channel: found[name][0] for channel, name in channels.items()}
        return cls(files, of_cases)

    @property
    def names(self) -> list[str]:
        """The names of all cases, sorted."""
        return sorted({*self.files, *self.problems})

    def problem(self, case: str, place: str) -> str:
        """Why a case has no files, where it has none."""
        return self.problems.get(case, f"no volume with that name in {place}")


@dataclass(frozen=True)
class Writer:
    """Writes the outputs of a step over cases, unless they are up to date."""

    step: Step
    form: Form
    overwrite: bool

    def up_to_date(
        self, target: Path, inputs: Sequence[InputRecord], sources: Iterable[Path]
    ) -> TaskOutcome[None] | None:
        """An output that is of these inputs already, which the files `sources` hold, or None.

        UsageError if it is another run's and is not to be replaced, DataError if it is an input.
        """
        if not target.exists():
            return None
        if any(target.samefile(path) for path in sources if path.exists()):
            raise DataError(f"{target} is an input; write to another folder")
        meta = self.form.read_meta(target)
        if not self.overwrite:
            self.step.refuse_other_run(target, meta)
        is_current = self.step.is_up_to_date(meta, inputs)
        return TaskOutcome(self._stem(target), "up to date", path=target) if is_current else None

    def write(
        self,
        target: Path,
        value: object,
        inputs: Sequence[InputRecord],
        *,
        result: Mapping[str, Json] | None = None,
        notes: Sequence[str] = (),
    ) -> TaskOutcome[None]:
        """Write one output of these inputs."""
        stem = self._stem(target)
        record = self.step.record(kind=self.step.kind, stem=stem, inputs=inputs, result=result)
        write_atomic(target, self.form.encode(value, record))
        return TaskOutcome(stem, "done", path=target, notes=tuple(notes))

    def _stem(self, target: Path) -> str:
        return target.name.removesuffix(self.form.suffix)


def run_cases(
    writer: Writer,
    make: Callable[..., Made],
    tasks: Sequence[Task],
    inputs: Sequence[Input],
    out: str | Path,
    run: RunSettings,
    *,
    warnings: Sequence[str] = (),
    afterwards: Callable[[], None] | None = None,
) -> None:
    """Map `make`, which takes a task and the `folder` to write to, over cases.

    UsageError if `out` holds outputs of another step or other options and `overwrite` is not set;
    SomeFailed if a case failed. `afterwards` is called before failures are raised.
    """
    folder = output_folder(out, inputs)
    if not run.overwrite:
        _refuse_foreign_outputs(writer, folder)
    remove_leftovers(folder)
    work = partial(_made, make=make)
    with Messages(writer.step.step, None, run) as messages:
        for warning in warnings:
            messages.say(warning)
        for outcomes in map_tasks(
            work, [tasks], inputs, run, messages, on_worker_death=_dead, folder=folder
        ):
            for outcome in outcomes:
                show_outcome(outcome, messages, run, folder)
        remove_leftovers(folder)
        if afterwards is not None:
            afterwards()
        messages.summarise(str(out))


def _made(task: Task, *, make: Callable[..., Made], folder: Path) -> Made:
    def made(one: Task) -> TaskOutcome[Made]:
        return TaskOutcome(one.stem, "made", value=make(one, folder=folder))

    outcome = guarded(task, make=made)
    if outcome.value is not None:
        return outcome.value
    return [TaskOutcome(outcome.stem, outcome.status, text=outcome.text, host=outcome.host)]


def _dead(task: Task) -> Made:
    return [dead_outcome(task)]


def _refuse_foreign_outputs(writer: Writer, folder: Path) -> None:
    """Look at one output that exists: a folder belongs to one step with one set of options."""
    suffix = writer.form.suffix
    paths = (path for path in folder.glob(f"*{suffix}") if not path.name.startswith("."))
    first = min(paths, default=None)
    if first is not None:
        writer.step.refuse_other_run(first, writer.form.read_meta(first))


def _plain(stem: str) -> str:
    """The name of a case: the stem of `CASE.nii.gz` without `.nii`."""
    ending = next((ending for ending in _INNER_ENDINGS if stem.lower().endswith(ending)), "")
    return stem[: len(stem) - len(ending)]
