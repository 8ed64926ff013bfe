"""Tasks for workers on other machines: paths that hold there, and files by which to check that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from wsstools.files.atomic import marked
from wsstools.running.join import Input, Task
from wsstools.running.settings import JobSettings

T = TypeVar("T", bound=Task)


def is_remote(settings: JobSettings) -> bool:
    """Whether the workers may be on other machines, and were started in other folders."""
    return settings.scheduler is not None


def remote_folder(folder: Path, settings: JobSettings) -> Path:
    """A folder as the workers need it: those of a cluster were started in other folders."""
    return Path.cwd() / folder if is_remote(settings) else folder


def remote_tasks(tasks: Iterable[T], settings: JobSettings) -> Iterable[T]:
    """Tasks as the workers need them."""
    if not is_remote(settings):
        return tasks
    here = Path.cwd()
    return (
        replace(
            task,
            paths=tuple(here / path if isinstance(path, Path) else path for path in task.paths),
        )
        for task in tasks
    )


@contextlib.contextmanager
def visible_files(
    inputs: Sequence[Input], settings: JobSettings, folder: Path | None = None
) -> Iterator[list[Path]]:
    """Files that workers must see: one of each input, and one in the folder to write to.

    The latter is there as long as this lasts. Workers of this machine need none.
    """
    if not is_remote(settings):
        yield []
        return
    here = Path.cwd()
    files = [entry.source.some_file() for entry in inputs]
    seen = [here / path for path in files if path is not None]
    if folder is None:
        yield seen
        return
    with marked(folder) as mark:
        yield [*seen, here / mark]
