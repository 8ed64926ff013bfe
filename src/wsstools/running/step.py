"""A step: a pure function mapped over joined folders, every output whole and with its record."""

from __future__ import annotations

import contextlib
import os
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wsstools.errors import (
    SkippedImage,
    UsageError,
    WssError,
    memory_error_line,
    one_line,
    os_error_line,
)
from wsstools.files.atomic import remove_leftovers, write_whole
from wsstools.files.provenance import (
    Decoded,
    Meta,
    digest,
    input_record,
    is_current,
    output_record,
    refuse_other_run,
)
from wsstools.formats import label_files, map_files, picture_files
from wsstools.running.join import Input, Reader, Task, batches, count_tasks
from wsstools.running.messages import Messages
from wsstools.running.remote_paths import in_sight, placed, placed_tasks
from wsstools.running.sources import Selection
from wsstools.running.workers import Pool

R = TypeVar("R")


@dataclass(frozen=True)
class Computed:
    """What a step's function gives: the output, numbers for its record, and a warning if any."""

    value: Any
    result: Mapping[str, Any] = field(default_factory=dict)
    warning: str | None = None


@dataclass(frozen=True)
class Step:
    """What a command does to one image.

    Attributes
    ----------
    name : str
        The command.
    kind : str
        What it makes: `prob` or `soft` (map files), `labels` or `scribbles` (label files),
        `picture` (for the eye).
    compute : callable
        Pure function of the inputs' contents, in the order of the inputs; gives a Computed. It
        must survive a process boundary. If `seed` is given it also takes `rng`.
    options : mapping
        Every option that changes the output's bytes, as JSON values.
    seed : int or None
        Where chance is used: the generator of an image follows from (seed, stem).
    shared : sequence of records
        Inputs that all images share (a model), as provenance.input_record gives them.
    compute_together : callable or None
        Does the same for several images: a sequence of their inputs' contents to their Computed.
        If it raises, each image is computed by itself. Not for steps that use chance.
    together : int
        Most images that it is given at once.
    """

    name: str
    kind: str
    compute: Callable[..., Computed]
    options: Mapping[str, Any]
    seed: int | None = None
    shared: Sequence[Meta] = ()
    compute_together: Callable[[Sequence[Sequence[Any]]], Sequence[Computed]] | None = None
    together: int = 1


@dataclass(frozen=True)
class RunSettings:
    """How a step runs; nothing here changes the bytes of an output."""

    selection: Selection = Selection()
    pool: Pool = Pool()
    overwrite: bool = False


@dataclass(frozen=True)
class Report:
    """What came of one image in a worker; `host` is the machine whose system refused a file."""

    stem: str
    status: str
    path: Path | None = None
    text: str | None = None
    host: str | None = None
    notes: tuple[str, ...] = ()
    value: Any = None


_FORMATS: Mapping[str, Any] = {
    "prob": map_files,
    "soft": map_files,
    "labels": label_files,
    "scribbles": label_files,
    picture_files.KIND: picture_files,
}
_ENCODERS: Mapping[str, Callable[[Any, Meta], bytes]] = {
    "prob": map_files.encode_map,
    "soft": map_files.encode_map,
    "labels": label_files.encode_labels,
    "scribbles": label_files.encode_labels,
    picture_files.KIND: picture_files.encode_picture,
}


def image_rng(seed: int, stem: str) -> np.random.Generator:
    """The random generator of one image: it follows from (seed, stem) alone."""
    return np.random.default_rng([seed, *os.fsencode(stem)])


def run_step(
    step: Step,
    inputs: Sequence[Input],
    out: str,
    settings: RunSettings,
    *,
    afterwards: Callable[[], None] | None = None,
) -> None:
    """Map a step over its inputs and write one file per image into the folder `out`.

    Outputs that were made by the same step, options and version from the same inputs stand;
    others of the same step and options are remade. An image that fails is told of, and the
    others go on. `afterwards` is called when all images are done, before failures are raised.

    Raises
    ------
    UsageError
        If `out` holds outputs of another step or other options and `overwrite` is not set.
    SomeFailed
        If an image failed.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{out} is a file, expected a folder to write to")
    if any(entry.source.is_same_folder(folder) for entry in inputs):
        raise UsageError(f"{out} holds the inputs; write to another folder")
    if not settings.overwrite:
        _refuse_foreign_outputs(step, folder)
    remove_leftovers(folder)
    messages = Messages(
        step.name, count_tasks(inputs, settings.selection), null=settings.selection.null
    )
    pool = settings.pool
    work = partial(
        _make_group,
        step=step,
        readers=[entry.reader for entry in inputs],
        folder=placed(folder, pool),
        overwrite=settings.overwrite,
    )
    with messages, in_sight(inputs, pool, folder) as seen:
        _tell_unmatched(inputs, settings.selection, messages)
        groups = (
            _grouped(placed_tasks(batch, pool), step.together)
            for batch in batches(inputs, settings.selection)
        )
        for reports in pool.map(work, groups, lost=_lost_group, seen=seen, say=messages.say):
            for report in reports:
                _tell(report, messages, pool, folder)
        remove_leftovers(folder)  # workers of an earlier, killed run may have ended meanwhile
        if afterwards is not None:
            afterwards()
        messages.summarise(out)


def collect(
    name: str,
    compute: Callable[..., Any],
    inputs: Sequence[Input],
    selection: Selection,
    pool: Pool,
) -> Iterator[tuple[str, Any]]:
    """`compute` of the contents of each image's inputs, as (stem, value), in input order.

    Nothing is written. An image that fails is told of, and the others go on.

    Raises
    ------
    SomeFailed
        At the end, if an image failed.
    """
    messages = Messages(name, count_tasks(inputs, selection), null=selection.null)
    make = partial(_look, compute=compute, readers=[entry.reader for entry in inputs])
    with messages, in_sight(inputs, pool) as seen:
        tasks = (placed_tasks(batch, pool) for batch in batches(inputs, selection))
        work = partial(guarded, make=make)
        for report in pool.map(work, tasks, lost=lost_report, seen=seen, say=messages.say):
            if report.status == "done":
                messages.advance()
                yield report.stem, report.value
            else:
                _tell(report, messages, pool)
        messages.raise_failures()


def lost_report(task: Task) -> Report:
    """What is told of an image that no worker process survives."""
    text = "its worker process was killed (too little memory? fewer --jobs need less)"
    return Report(task.stem, "failed", text=text)


def _lost_group(tasks: Sequence[Task]) -> list[Report]:
    return [lost_report(task) for task in tasks]


def _look(task: Task, *, compute: Callable[..., Any], readers: Sequence[Reader]) -> Report:
    decoded = [
        reader.decode(path.read_bytes(), str(path)).value
        for reader, path in zip(readers, task.paths, strict=True)
    ]
    return Report(task.stem, "done", value=compute(*decoded))


def _refuse_foreign_outputs(step: Step, folder: Path) -> None:
    """Look at one output that stands: a folder belongs to one step with one set of options."""
    if not folder.is_dir():
        return
    form = _FORMATS[step.kind]
    names = (
        entry.name
        for entry in os.scandir(folder)
        if entry.name.endswith(form.SUFFIX) and not entry.name.startswith(".")
    )
    first = min(names, default=None)
    if first is None:
        return
    refuse_other_run(folder / first, form.read_meta(folder / first), step.name, step.options)


def _tell_unmatched(inputs: Sequence[Input], selection: Selection, messages: Messages) -> None:
    """Say how many files of the further inputs belong to no image of the first."""
    first = inputs[0].source
    if first.is_stream or selection.ids is not None:
        return
    for entry in inputs[1:]:
        if entry.may_lack and not entry.source.is_stream:
            extra = [stem for stem in entry.source.stems if stem not in first]
            if extra:
                messages.say(
                    f"{len(extra)} {entry.source.what} without {first.what}, "
                    f"such as {extra[0]!r} (names are joined without their endings)"
                )


def _tell(report: Report, messages: Messages, pool: Pool, folder: Path = Path()) -> None:
    """Say what came of an image; `folder` is where its output is, as the user named it."""
    text = report.text or ""
    if report.host is not None and pool.is_elsewhere:
        text = f"{text} (on {report.host})"
    for note in report.notes:
        messages.say(f"{report.stem}: {note}")
    if report.status in ("done", "current") and report.path is not None:
        messages.finished(folder / report.path.name, is_current=report.status == "current")
    elif report.status == "lacking":
        messages.lacking(text)
    elif report.status == "skipped":
        messages.skipped(report.stem, text)
    else:
        messages.failed(report.stem, text)
    messages.advance()


def guarded(task: Task, *, make: Callable[[Task], Report]) -> Report:
    """One image in a worker. Whatever is wrong with it becomes a report."""
    if task.problem is not None:
        return Report(task.stem, "lacking" if task.is_lacking else "failed", text=task.problem)
    return _guarded(task.stem, partial(make, task))


def _guarded(stem: str, make: Callable[[], R]) -> R | Report:
    try:
        return make()
    except SkippedImage as error:
        return Report(stem, "skipped", text=str(error))
    except (WssError, ValueError) as error:
        return Report(stem, "failed", text=_debugged(error, str(error)))
    except OSError as error:
        text = _debugged(error, os_error_line(error))
        return Report(stem, "failed", text=text, host=socket.gethostname())
    except MemoryError as error:
        return Report(stem, "failed", text=_debugged(error, memory_error_line(error)))
    except Exception as error:  # a fault of ours in one image must not stop a run of thousands
        told = f"{type(error).__name__}: {error}"
        return Report(stem, "failed", text=_debugged(error, told))


def _debugged(error: Exception, text: str) -> str:
    """The one-line message, followed by the traceback where WSS_DEBUG asks for it."""
    line = one_line(text)
    if os.environ.get("WSS_DEBUG"):
        return line + "\n" + "".join(traceback.format_exception(error))
    return line


@dataclass(frozen=True)
class _Prepared:
    """An image whose inputs are read and whose output is to be made."""

    task: Task
    target: Path
    identity: Sequence[Meta]
    decoded: Sequence[Decoded]

    @property
    def values(self) -> Sequence[Any]:
        """The contents of the inputs."""
        return [part.value for part in self.decoded]


def _grouped(tasks: Iterable[Task], size: int) -> Iterator[list[Task]]:
    tasks = iter(tasks)
    while group := list(islice(tasks, size)):
        yield group


def _make_group(
    tasks: Sequence[Task],
    *,
    step: Step,
    readers: Sequence[Reader],
    folder: Path,
    overwrite: bool,
) -> list[Report]:
    """Some images in a worker, computed together where the step does that."""
    prepare = partial(_prepare, step=step, readers=readers, folder=folder, overwrite=overwrite)
    reports = [guarded(task, make=prepare) for task in tasks]
    waiting = [report.value for report in reports if report.status == "prepared"]
    computed: Sequence[Computed | None] = [None] * len(waiting)
    if step.compute_together is not None and len(waiting) > 1:
        # The one that is to blame for an error is found where each is computed by itself.
        with contextlib.suppress(Exception):
            computed = step.compute_together([prepared.values for prepared in waiting])
    made = iter(
        [
            _guarded(prepared.task.stem, partial(_finish, prepared, found, step))
            for prepared, found in zip(waiting, computed, strict=True)
        ]
    )
    return [next(made) if report.status == "prepared" else report for report in reports]


def _prepare(
    task: Task, *, step: Step, readers: Sequence[Reader], folder: Path, overwrite: bool
) -> Report:
    """What is needed to make an output, or that it is current."""
    form = _FORMATS[step.kind]
    target = folder / (task.stem + form.SUFFIX)
    contents = [path.read_bytes() for path in task.paths]
    digests = [digest(content) for content in contents]
    identity = [
        input_record(reader.role, path.name, found)
        for reader, path, found in zip(readers, task.paths, digests, strict=True)
    ]
    if target.exists():
        meta = form.read_meta(target)
        if not overwrite:
            refuse_other_run(target, meta, step.name, step.options)
        if is_current(meta, step.name, step.options, [*identity, *step.shared]):
            return Report(task.stem, "current", path=target)
    decoded = [
        reader.decode(content, str(path))
        for reader, content, path in zip(readers, contents, task.paths, strict=True)
    ]
    return Report(task.stem, "prepared", value=_Prepared(task, target, identity, decoded))


def _finish(prepared: _Prepared, computed: Computed | None, step: Step) -> Report:
    """Compute an output, if it is not yet, and write it."""
    task, decoded = prepared.task, prepared.decoded
    if computed is None:
        chance = {} if step.seed is None else {"rng": image_rng(step.seed, task.stem)}
        computed = step.compute(*prepared.values, **chance)
    records = [
        input_record(entry["role"], entry["name"], entry["blake2b"], part.meta)
        for entry, part in zip(prepared.identity, decoded, strict=True)
    ]
    meta = output_record(
        kind=step.kind,
        stem=task.stem,
        step=step.name,
        options=step.options,
        inputs=[*records, *step.shared],
        result=computed.result,
    )
    write_whole(prepared.target, _ENCODERS[step.kind](computed.value, meta))
    notes = [
        f"{path}: {part.note}" for path, part in zip(task.paths, decoded, strict=True) if part.note
    ]
    if computed.warning:
        notes.append(f"warning: {computed.warning}")
    return Report(task.stem, "done", path=prepared.target, notes=tuple(notes))
