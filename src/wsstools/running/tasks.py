"""One image in a worker: its files are read once, and whatever goes wrong becomes an outcome."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from wsstools.core.system import HOST
from wsstools.errors import SkippedImage, WssError, memory_error_line, one_line, os_error_line
from wsstools.files.limits import allow_pixels
from wsstools.files.provenance import Decoded, InputRecord, digest, input_record
from wsstools.running.join import Input, Reader, Task, batches, check_joins, count_tasks
from wsstools.running.messages import Messages
from wsstools.running.remote_paths import is_remote, remote_folder, remote_tasks, visible_files
from wsstools.running.settings import JobSettings
from wsstools.running.signals import end_if_asked
from wsstools.running.sources import content_of
from wsstools.running.workers import map_in_workers

T = TypeVar("T", bound=Task)
R = TypeVar("R")
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True)
class TaskOutcome(Generic[V_co]):
    """What an image in a worker came to."""

    stem: str
    status: str  # `done`, `up to date`, `skipped`, `missing`, `failed`, or a stage on the way
    path: Path | None = None  # of the output
    text: str | None = None  # why it is not done
    host: str | None = None  # the machine whose system refused a file
    notes: tuple[str, ...] = ()  # lines for the user
    value: V_co | None = None  # what was computed


@dataclass(frozen=True)
class InputFiles:
    """The files of one image as bytes; messages call them by their `names`."""

    names: tuple[str, ...]
    contents: tuple[bytes, ...]
    records: tuple[InputRecord, ...]
    readers: Sequence[Reader]

    @classmethod
    def read(cls, task: Task, readers: Sequence[Reader]) -> InputFiles:
        """The files of a task."""
        contents = tuple(map(content_of, task.paths))
        records = tuple(
            input_record(reader.role, path.name, digest(content))
            for reader, path, content in zip(readers, task.paths, contents, strict=True)
        )
        return cls(tuple(str(path) for path in task.paths), contents, records, readers)

    def decode(self) -> list[Decoded[object]]:
        """What they hold, in the order of the inputs."""
        return [
            reader.decode(content, name)
            for reader, content, name in zip(self.readers, self.contents, self.names, strict=True)
        ]


def map_tasks(
    work: Callable[..., R],
    blocks: Iterable[Iterable[T]],
    inputs: Sequence[Input],
    settings: JobSettings,
    messages: Messages,
    *,
    on_worker_death: Callable[..., R],
    together: int = 0,
    folder: Path | None = None,
    n_tasks: int | None = None,
    depends_on_processor: bool = False,
) -> Iterator[R]:
    """`work` of every task by the workers of this machine or of a cluster, in order.

    It takes a task, or a list of up to `together` tasks where that is not 0; and the `folder` that
    it writes to, if there is one. `on_worker_death` gives the result where no worker survives.
    """
    if folder is not None:
        work = partial(work, folder=remote_folder(folder, settings))
    work = partial(_with_pixels, work=work, most_pixels=settings.max_pixels)
    with visible_files(inputs, settings, folder) as required_files:
        sent = (remote_tasks(block, settings) for block in blocks)
        yield from map_in_workers(
            work,
            (_grouped(block, together) for block in sent) if together else sent,
            settings,
            on_worker_death=on_worker_death,
            required_files=required_files,
            n_tasks=n_tasks,
            depends_on_processor=depends_on_processor,
            say=messages.say,
        )


def _with_pixels(task: T | list[T], *, work: Callable[..., R], most_pixels: int) -> R:
    """`work` in a process that takes pictures of so many pixels."""
    allow_pixels(most_pixels)
    return work(task)


def map_images(
    name: str, compute: Callable[..., V], inputs: Sequence[Input], settings: JobSettings
) -> Iterator[tuple[str, V]]:
    """`compute` of the contents of each image's inputs, as (stem, value), in input order.

    An image that fails is reported, and the others go on; then SomeFailed is raised at the end.
    """
    check_joins(inputs)
    total = count_tasks(inputs, settings)
    make = partial(_computed, compute=compute, readers=[entry.reader for entry in inputs])
    yield from map_values(name, make, batches(inputs, settings), inputs, settings, n_tasks=total)


def map_values(
    name: str,
    make: Callable[[Task], TaskOutcome[V]],
    blocks: Iterable[Iterable[Task]],
    inputs: Sequence[Input],
    settings: JobSettings,
    *,
    n_tasks: int | None,
) -> Iterator[tuple[str, V]]:
    """The value that `make` gives of each task, as (stem, value), in order.

    A task that fails is reported, and the others go on; then SomeFailed is raised at the end.
    """
    with Messages(name, n_tasks, settings) as messages:
        outcomes: Iterator[TaskOutcome[V]] = map_tasks(
            partial(guarded, make=make),
            blocks,
            inputs,
            settings,
            messages,
            on_worker_death=dead_outcome,
            n_tasks=n_tasks,
        )
        for outcome in outcomes:
            if outcome.value is not None:
                for note in outcome.notes:
                    messages.note(outcome.stem, note)
                messages.advance()
                yield outcome.stem, outcome.value
            else:
                show_outcome(outcome, messages, settings)
        messages.count_notes()
        messages.raise_failures()


def named_notes(names: Sequence[str], decoded: Sequence[Decoded[object]]) -> Iterator[str]:
    """The notes on files, with their names."""
    return (f"{name}: {part.note}" for name, part in zip(names, decoded, strict=True) if part.note)


def show_outcome(
    outcome: TaskOutcome[V], messages: Messages, settings: JobSettings, folder: Path = Path()
) -> None:
    """Report an image; `folder` is where its output is, as the user named it."""
    text = outcome.text or ""
    if outcome.host is not None and is_remote(settings):
        text = f"{text} (on {outcome.host})"
    for note in outcome.notes:
        messages.note(outcome.stem, note)
    if outcome.status in ("done", "up to date") and outcome.path is not None:
        path = folder / os.path.dirname(outcome.stem) / outcome.path.name
        messages.finished(path, is_up_to_date=outcome.status == "up to date")
    elif outcome.status in ("new", "stale"):
        messages.to_make(outcome.status)
    elif outcome.status == "missing":
        messages.missing(text)
    elif outcome.status == "skipped":
        messages.skipped(outcome.stem, text)
    else:
        messages.failed(outcome.stem, text)
    messages.advance()


def dead_outcome(task: Task) -> TaskOutcome[V]:
    """The outcome of an image that no worker process survives."""
    text = "its worker process was killed (too little memory? fewer --jobs need less)"
    return TaskOutcome(task.stem, "failed", text=text)


def guarded(task: Task, *, make: Callable[[Task], TaskOutcome[V]]) -> TaskOutcome[V]:
    """One image in a worker. Whatever is wrong with it becomes an outcome."""
    if task.problem is not None:
        status = "missing" if task.is_missing else "failed"
        return TaskOutcome(task.stem, status, text=task.problem)
    return guarded_stem(task.stem, partial(make, task))


def guarded_stem(stem: str, make: Callable[[], TaskOutcome[V]]) -> TaskOutcome[V]:
    """What `make` gives, or what went wrong."""
    try:
        return make()
    except SkippedImage as error:
        return TaskOutcome(stem, "skipped", text=str(error))
    except OSError as error:
        return TaskOutcome(stem, "failed", text=_failure(error), host=HOST)
    except Exception as error:  # a fault of ours in one image must not stop a run of thousands
        end_if_asked()  # perhaps it is only what became of a signal
        return TaskOutcome(stem, "failed", text=_failure(error))


def _failure(error: Exception) -> str:
    """The error in one line, followed by the traceback where WSS_DEBUG asks for it."""
    if isinstance(error, (WssError, ValueError)):
        text = str(error)
    elif isinstance(error, OSError):
        text = os_error_line(error)
    elif isinstance(error, MemoryError):
        text = memory_error_line(error)
    else:
        text = f"{type(error).__name__}: {error}"
    line = one_line(text)
    if os.environ.get("WSS_DEBUG"):
        return line + "\n" + "".join(traceback.format_exception(error))
    return line


def _computed(
    task: Task, *, compute: Callable[..., V], readers: Sequence[Reader]
) -> TaskOutcome[V]:
    files = InputFiles.read(task, readers)
    decoded = files.decode()
    notes = tuple(named_notes(files.names, decoded))
    value = compute(*(part.value for part in decoded))
    return TaskOutcome(task.stem, "done", notes=notes, value=value)


def _grouped(tasks: Iterable[T], size: int) -> Iterator[list[T]]:
    tasks = iter(tasks)
    while group := list(islice(tasks, size)):
        yield group
