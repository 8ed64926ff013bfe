"""Volumes as tasks: the cases in a folder, and a function mapped over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from wsstools.errors import DataError
from wsstools.files.atomic import write_atomic
from wsstools.files.names import why_nothing_joins
from wsstools.files.provenance import InputRecord, Json
from wsstools.files.targets import check_no_input, is_taken
from wsstools.formats import volume_files
from wsstools.formats.nnunet_files import channels_of
from wsstools.running.join import Input, Task, output_folder
from wsstools.running.messages import Messages
from wsstools.running.outputs import Form, writing_outputs
from wsstools.running.settings import STANDARD_INPUT, RunSettings, Selection
from wsstools.running.sources import Source
from wsstools.running.step import Step
from wsstools.running.tasks import TaskOutcome, dead_outcome, guarded, map_tasks, show_outcome

Made: TypeAlias = "Sequence[TaskOutcome[object]]"


@dataclass(frozen=True)
class Cases:
    """The files of each case by channel, and of some why they cannot be read."""

    files: Mapping[str, Mapping[int, Path]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, *, has_channels: bool) -> Cases:
        """Those of the files of a source.

        UsageError if a file is NIfTI and the package that reads it is missing.
        """
        found: dict[str, Path] = {}
        problems = {}
        for stem in source.stems:
            try:
                found[stem] = source.find(stem)
            except DataError as error:
                problems[stem] = str(error)
        if any(map(volume_files.is_nifti, found.values())):
            volume_files.check_nibabel()
        names = found.keys() | problems.keys()
        grouped = channels_of(names) if has_channels else {name: {0: name} for name in names}
        files, of_cases = {}, {}
        for case, channels in sorted(grouped.items()):
            odd = [problems[name] for name in channels.values() if name in problems]
            if odd:
                of_cases[case] = odd[0]
            else:
                files[case] = {channel: found[name] for channel, name in channels.items()}
        return cls(files, of_cases)

    @property
    def names(self) -> list[str]:
        """The names of all cases, sorted."""
        return sorted({*self.files, *self.problems})

    def problem(self, case: str, place: str) -> str:
        """Why a case has no files, where it has none."""
        return self.problems.get(case, f"no volume with that name in {place}")

    def like_problem(self, case: str, place: str) -> str:
        """Why a case has no volume that it must be like, where it has none."""
        problem = self.problems.get(case)
        known = None if problem is None else f"{problem} have this name; give the one that is meant"
        return f"--like: {known or f'no volume with that name in {place}'}"

    def check_like(self, names: Sequence[str], given: str, place: str) -> None:
        """Raise DataError if no case in `given` has a volume that it must be like.

        `names` are those of the cases in `given`; these cases are in `place`.
        """
        if names and not any(name in self.files or name in self.problems for name in names):
            where = "on standard input" if given == STANDARD_INPUT else f"of {given}"
            why = why_nothing_joins(sorted(names), self.names)
            raise DataError(f"no case {where} has a volume of its name in {place} (--like): {why}")


def open_source(argument: str, suffixes: Sequence[str], what: str, run: Selection) -> Source:
    """The files that an argument names; paths on standard input are all read."""
    source = Source(argument, suffixes, what, rule=run.rule, null=run.null)
    if source.is_stream:
        source.read_whole()
    return source


@dataclass(frozen=True)
class Writer:
    """Writes the outputs of a step over cases, unless they are up to date or only to be named."""

    step: Step
    form: Form
    overwrite: bool
    is_dry: bool = False

    @classmethod
    def of(cls, step: Step, form: Form, run: RunSettings) -> Writer:
        """That of a run."""
        return cls(step, form, run.overwrite, run.dry_run)

    def target(self, folder: Path, stem: str) -> Path:
        """The file of an output."""
        return folder / f"{stem}{self.form.suffix}"

    def settled(
        self, folder: Path, stem: str, inputs: Sequence[InputRecord], sources: Iterable[Path]
    ) -> TaskOutcome[None] | None:
        """The outcome of an output that is not to be made; None of one that is.

        It is of these inputs already, which the files `sources` hold, or nothing is to be written.
        UsageError if it is another run's and is not to be replaced, or an input.
        """
        target = self.target(folder, stem)
        is_there = is_taken(target, overwrite=self.overwrite)
        if is_there:
            check_no_input(target, sources, instead="another folder")
            meta = self.form.read_meta(target)
            if not self.overwrite:
                self.step.refuse_other_run(target, meta)
            if self.form.is_up_to_date(target, meta, self.step, inputs):
                return TaskOutcome(stem, "up to date", path=target)
        return TaskOutcome(stem, "stale" if is_there else "new") if self.is_dry else None

    def write(
        self,
        folder: Path,
        stem: str,
        value: object,
        inputs: Sequence[InputRecord],
        *,
        result: Mapping[str, Json] | None = None,
        notes: Sequence[str] = (),
    ) -> TaskOutcome[None]:
        """Write one output of these inputs."""
        target = self.target(folder, stem)
        record = self.step.record(kind=self.step.kind, stem=stem, inputs=inputs, result=result)
        write_atomic(target, self.form.encode(value, record))
        return TaskOutcome(stem, "done", path=target, notes=tuple(notes))


def run_cases(
    writer: Writer,
    make: Callable[..., Made],
    tasks: Sequence[Task],
    inputs: Sequence[Input],
    out: str | Path,
    run: RunSettings,
    *,
    warnings: Sequence[str] = (),
    warning_of: Callable[[Sequence[object]], str | None] | None = None,
    afterwards: Callable[[], None] | None = None,
) -> None:
    """Map `make`, which takes a task and the `folder` to write to, over cases.

    UsageError if `out` holds outputs of another step or other options and `overwrite` is not set;
    SomeFailed if a case failed. `warning_of` gives a line on the values of the first outcomes of
    all cases. `afterwards` is called before failures are raised.
    """
    folder = output_folder(out, inputs)
    with (
        writing_outputs(folder, writer.step, writer.form, run),
        Messages(writer.step.step, None, run) as messages,
    ):
        for warning in warnings:
            messages.say(warning)
        work = partial(_made, make=make)
        values = []
        for outcomes in map_tasks(
            work, [tasks], inputs, run, messages, on_worker_death=_dead, folder=folder
        ):
            values += [outcome.value for outcome in outcomes[:1]]
            for outcome in outcomes:
                show_outcome(outcome, messages, run, folder)
        line = None if warning_of is None else warning_of(values)
        if line is not None:
            messages.say(line)
        if afterwards is not None and not run.dry_run:
            afterwards()
        messages.summarize(str(out))


def _made(task: Task, *, make: Callable[..., Made], folder: Path) -> Made:
    def made(one: Task) -> TaskOutcome[Made]:
        return TaskOutcome(one.stem, "made", value=make(one, folder=folder))

    outcome = guarded(task, make=made)
    if outcome.value is not None:
        return outcome.value
    return [TaskOutcome(outcome.stem, outcome.status, text=outcome.text, host=outcome.host)]


def _dead(task: Task) -> Made:
    return [dead_outcome(task)]
