"""A step: a pure function mapped over joined folders, every output whole and with its record."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from wsstools.files.atomic import write_atomic
from wsstools.files.names import named_examples
from wsstools.files.provenance import Decoded, InputRecord, Json, Origin, input_record
from wsstools.files.targets import check_no_input, check_writable, is_taken
from wsstools.running.join import (
    Input,
    Reader,
    Task,
    batches,
    check_joins,
    count_tasks,
    output_folder,
)
from wsstools.running.messages import Messages
from wsstools.running.outputs import FORMS, Kind, Output, writing_outputs
from wsstools.running.settings import RunSettings, Selection
from wsstools.running.sources import Part
from wsstools.running.tasks import (
    InputFiles,
    TaskOutcome,
    dead_outcome,
    guarded,
    guarded_stem,
    map_tasks,
    named_notes,
    show_outcome,
)


@dataclass(frozen=True)
class Computed:
    """The result of a step's function: the output, numbers for its record, a warning if any."""

    value: Output
    result: Mapping[str, Json] = field(default_factory=dict)
    warning: str | None = None


@dataclass(frozen=True)
class Step(Origin):
    """What a command does to one image: an Origin, and the function that makes an output."""

    kind: Kind = "prob"
    # Pure function of the inputs' contents, in their order; gives the output, or a Computed. It
    # must survive a process boundary. If `seed` is given it also takes `rng`, of (seed, stem).
    compute: Callable[..., Computed | Output] = Computed
    # The same inputs in a dry run: raises SkippedImage where there is nothing to make.
    check: Callable[..., object] | None = None
    seed: int | None = None
    is_named: bool = False  # `compute` also takes `stem`, the name of the image
    shared: Sequence[InputRecord] = ()  # inputs that all images share (a model)
    # The same of several images, given their inputs' contents. If it raises, each image is
    # computed by itself. Not for steps that use chance.
    compute_together: Callable[[Sequence[Sequence[object]]], Sequence[Computed]] | None = None
    together: int = 1  # most images that it is given at once
    # Whether the last bits of its outputs do; a cluster then warns where workers differ.
    depends_on_processor: bool = False


def image_rng(seed: int, stem: str) -> np.random.Generator:
    """The random generator of one image: it follows from (seed, stem) alone."""
    return np.random.default_rng([seed, *os.fsencode(stem)])


def run_step(
    step: Step,
    inputs: Sequence[Input],
    out: str | Path,
    settings: RunSettings,
    *,
    afterwards: Callable[[], None] | None = None,
) -> None:
    """Map a step over its inputs and write one file per image into the folder `out`.

    Outputs that are up to date are skipped; others of the same step and options are remade. An
    image that fails is reported, and the others go on. `afterwards` is called when all images are
    done, before failures are raised.

    UsageError if `out` holds outputs of another step or other options and `overwrite` is not set;
    SomeFailed if an image failed.
    """
    folder = output_folder(out, inputs)
    check_joins(inputs)
    work = partial(
        _make_group,
        step=step,
        readers=[entry.reader for entry in inputs],
        overwrite=settings.overwrite,
        dry_run=settings.dry_run,
    )
    total = count_tasks(inputs, settings)
    with (
        writing_outputs(folder, step, FORMS[step.kind], settings),
        Messages(step.step, total, settings) as messages,
    ):
        if not settings.dry_run and _has_missing_output(step, inputs[0], folder, settings):
            check_writable(folder)
        _warn_unmatched(inputs, settings, messages)
        for outcomes in map_tasks(
            work,
            batches(inputs, settings),
            inputs,
            settings,
            messages,
            on_worker_death=_dead_group,
            together=step.together,
            folder=folder,
            n_tasks=total,
            depends_on_processor=step.depends_on_processor,
        ):
            for outcome in outcomes:
                show_outcome(outcome, messages, settings, folder)
        if afterwards is not None and not settings.dry_run:
            afterwards()
        messages.summarize(str(out))


def _has_missing_output(step: Step, first: Input, folder: Path, settings: RunSettings) -> bool:
    """Whether an output is not there, so that something has to be written."""
    if first.source.is_stream:
        return True
    suffix = FORMS[step.kind].suffix
    stems = settings.choose(first.source.stems)
    return any(not (folder / (stem + suffix)).exists() for stem in stems)


def _dead_group(tasks: Sequence[Task]) -> list[TaskOutcome[_Prepared]]:
    return [dead_outcome(task) for task in tasks]


def _warn_unmatched(inputs: Sequence[Input], selection: Selection, messages: Messages) -> None:
    """Say how many files of the further inputs belong to no image of the first."""
    first = inputs[0].source
    if first.is_stream or selection.names is not None:
        return
    for source in (entry.source for entry in inputs[1:] if entry.is_optional):
        extra = [] if source.is_stream else [stem for stem in source.stems if stem not in first]
        if extra:
            messages.say(
                f"{len(extra)} files of {source.argument} without {first.what}: "
                f"{named_examples(extra)} (names are joined without their endings)"
            )


@dataclass(frozen=True)
class _Prepared:
    """An image whose inputs are read and whose output is to be made."""

    target: Path
    records: Sequence[InputRecord]
    names: Sequence[str]
    decoded: Sequence[Decoded[object]]

    @property
    def values(self) -> Sequence[object]:
        """The contents of the inputs."""
        return [part.value for part in self.decoded]


def _make_group(
    tasks: Sequence[Task],
    *,
    step: Step,
    readers: Sequence[Reader],
    folder: Path,
    overwrite: bool,
    dry_run: bool,
) -> list[TaskOutcome[_Prepared]]:
    """Some images in a worker, computed together where the step does that."""
    prepare = partial(
        _prepare, step=step, readers=readers, folder=folder, overwrite=overwrite, dry_run=dry_run
    )
    outcomes = [guarded(task, make=prepare) for task in tasks]
    waiting = [(o.stem, o.value) for o in outcomes if o.value is not None]
    computed: Sequence[Computed | None] = [None] * len(waiting)
    if step.compute_together is not None and len(waiting) > 1:
        # The one that is to blame for an error is found where each is computed by itself.
        with contextlib.suppress(Exception):
            computed = step.compute_together([prepared.values for _, prepared in waiting])
    made = iter(
        [
            guarded_stem(stem, partial(_finish, stem, prepared, found, step))
            for (stem, prepared), found in zip(waiting, computed, strict=True)
        ]
    )
    return [outcome if outcome.value is None else next(made) for outcome in outcomes]


def _prepare(
    task: Task,
    *,
    step: Step,
    readers: Sequence[Reader],
    folder: Path,
    overwrite: bool,
    dry_run: bool,
) -> TaskOutcome[_Prepared]:
    """What is needed to make an output, or that it is up to date."""
    form = FORMS[step.kind]
    target = folder / (task.stem + form.suffix)
    files = InputFiles.read(task, readers)
    if is_taken(target, overwrite=overwrite):
        paths = (part.path if isinstance(part, Part) else part for part in task.paths)
        check_no_input(target, paths, instead="another folder")
        meta = form.read_meta(target)
        if not overwrite:
            step.refuse_other_run(target, meta)
        if form.is_up_to_date(target, meta, step, [*files.records, *step.shared]):
            return TaskOutcome(task.stem, "up to date", path=target)
    if dry_run:
        if step.check is not None:
            step.check(*(part.value for part in files.decode()))
        return TaskOutcome(task.stem, "stale" if target.exists() else "new")
    prepared = _Prepared(target, files.records, files.names, files.decode())
    return TaskOutcome(task.stem, "prepared", value=prepared)


def _finish(
    stem: str, prepared: _Prepared, computed: Computed | None, step: Step
) -> TaskOutcome[_Prepared]:
    """Compute an output, if it is not yet, and write it."""
    if computed is None:
        chance = {} if step.seed is None else {"rng": image_rng(step.seed, stem)}
        name = {"stem": stem} if step.is_named else {}
        found = step.compute(*prepared.values, **chance, **name)
        computed = found if isinstance(found, Computed) else Computed(found)
    records = [
        input_record(entry["role"], entry["name"], entry["blake2b"], part.meta)
        for entry, part in zip(prepared.records, prepared.decoded, strict=True)
    ]
    meta = step.record(
        kind=step.kind, stem=stem, inputs=[*records, *step.shared], result=computed.result
    )
    write_atomic(prepared.target, FORMS[step.kind].encode(computed.value, meta))
    notes = [*named_notes(prepared.names, prepared.decoded)]
    if computed.warning:
        notes.append(f"warning: {computed.warning}")
    return TaskOutcome(stem, "done", path=prepared.target, notes=tuple(notes))
