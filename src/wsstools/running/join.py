"""Inputs joined by stem: one task per image, in the order of the first input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from wsstools.errors import DataError, UsageError
from wsstools.files.names import named_examples, why_nothing_joins
from wsstools.files.provenance import Decoded
from wsstools.files.targets import check_folder
from wsstools.formats import label_files, map_files
from wsstools.running.settings import STANDARD_INPUT, Selection
from wsstools.running.sources import Part, PathStream, Source

_STREAM_WINDOW = 256
"""Most paths of standard input that are handed to the workers at once; bounds the memory."""


@dataclass(frozen=True)
class Reader:
    """How one input is read: the part of it that goes to a worker with every task."""

    role: str
    decode: Callable[[bytes, str], Decoded[object]]


@dataclass(frozen=True)
class Input:
    """One input of a step: where its files are and how to read one; `role` is in the record."""

    role: str
    source: Source
    decode: Callable[[bytes, str], Decoded[object]]  # takes a file's bytes and name
    is_optional: bool = False  # stems without such a file are counted and left out

    @property
    def reader(self) -> Reader:
        """What a worker needs of it."""
        return Reader(self.role, self.decode)


@dataclass(frozen=True)
class Task:
    """The files of one stem, in the order of the inputs, or why there are none."""

    stem: str
    paths: tuple[Path | Part, ...] = ()
    problem: str | None = None
    is_missing: bool = False


def output_folder(out: str | Path, inputs: Sequence[Input]) -> Path:
    """The folder to write to; UsageError if it is a file or holds the inputs."""
    folder = Path(out)
    check_folder(folder)
    for source in (entry.source for entry in inputs):
        if source.reads_from(folder):
            is_deep = source.rule.is_recursive
            why = (
                f"is a part of {source.argument}, which is read" if is_deep else "holds the inputs"
            )
            raise UsageError(f"{out} {why}; write to another folder")
    return folder


def check_joins(inputs: Sequence[Input]) -> None:
    """Raise DataError if an input has no file that belongs to any of the first input's.

    Paths on standard input are not known before they come; see `Messages.summarize`.
    """
    first = inputs[0].source
    if first.is_stream:
        return
    for source in (entry.source for entry in inputs[1:]):
        if not source.is_stream and not any(stem in source for stem in first.stems):
            why = why_nothing_joins(first.stems, source.stems)
            raise DataError(
                f"no {first.what} of {first.argument} has {source.what} in {source.argument}: {why}"
            )


def check_predictions(
    gt: Source, labels: Source, selection: Selection, *, option: str = "--ids"
) -> None:
    """Raise DataError if there is ground truth without labels, unless ids name the set.

    An image without a prediction is no image that is right; leaving it out flatters the mean.
    """
    if gt.is_stream or labels.is_stream or selection.names is not None:
        return
    missing = [stem for stem in gt.stems if stem not in labels]
    if missing:
        if len(missing) == len(gt):
            why = why_nothing_joins(gt.stems, labels.stems)
        else:
            why = f"{named_examples(missing)}; {option} names the set that is meant"
        raise DataError(
            f"{len(missing)} of {len(gt)} ground truth of {gt.argument} have no labels in "
            f"{labels.argument}: {why}"
        )


def stream_among(inputs: Sequence[Input]) -> Source | None:
    """The paths on standard input, where one of the inputs is that; UsageError if several are."""
    streams = [entry.source for entry in inputs if entry.source.is_stream]
    if len(streams) > 1:
        raise UsageError("only one input can be - (standard input)")
    return streams[0] if streams else None


def batches(inputs: Sequence[Input], selection: Selection) -> Iterator[Iterable[Task]]:
    """Tasks in input order, in batches that are there at once.

    A folder is one batch, made lazily; standard input gives a batch whenever paths have come.
    DataError if no path comes.
    """
    source = stream_among(inputs)
    if source is None:
        yield (_task(stem, inputs) for stem in selection.choose(inputs[0].source.stems))
        return
    if selection.ids == STANDARD_INPUT:
        raise UsageError("--ids - and an input - cannot both be standard input")
    stream = PathStream(null=source.null)
    positions = count()
    wanted = selection.wanted_names
    seen: set[str] = set()
    is_empty = True
    while paths := list(stream.available(_STREAM_WINDOW)):
        is_empty = False
        yield [
            _task_of(path, name, inputs, seen)
            for path in paths
            for name in (_stream_name(path, source, inputs),)
            if (wanted is None or name in wanted) and selection.takes_position(next(positions))
        ]
    if is_empty:
        raise source.no_paths()


def _stream_name(path: Path, source: Source, inputs: Sequence[Input]) -> str:
    """The image's name of a path on standard input.

    With --recursive it is the longest end of the path that another input has, else that of the
    file's record: which of its folders was the one to search is not known here.
    """
    short = source.rule.name(path)
    if not source.rule.is_recursive:
        return short
    folders = path.parent.parts
    names = ["/".join([*folders[start:], short]) for start in range(len(folders) + 1)]
    others = [entry.source for entry in inputs if not entry.source.is_stream]
    for name in names:
        if any(name in other for other in others):
            return name
    read_meta = map_files.read_meta if path.suffix == map_files.SUFFIX else label_files.read_meta
    meta = read_meta(path)
    return meta["stem"] if meta is not None and meta["stem"] in names else short


def count_tasks(inputs: Sequence[Input], selection: Selection) -> int | None:
    """How many tasks there will be, or None where standard input decides."""
    if any(entry.source.is_stream for entry in inputs):
        return None
    return len(selection.choose(inputs[0].source.stems))


def _task_of(path: Path, name: str, inputs: Sequence[Input], seen: set[str]) -> Task:
    """The task of a path from standard input; the names of such tasks are gathered in `seen`."""
    if name in seen:  # its output would replace that of the first
        return Task(name, problem=f"{path}: a second file of that name on standard input")
    seen.add(name)
    return _task(name, inputs, given=path)


def _task(stem: str, inputs: Sequence[Input], given: Path | None = None) -> Task:
    paths: list[Path | Part] = []
    for entry in inputs:
        if given is not None and entry.source.is_stream:
            paths.append(given)
            continue
        if entry.is_optional and stem not in entry.source:
            return Task(stem, problem=f"no {entry.source.what}", is_missing=True)
        try:
            paths.append(entry.source.find_content(stem))
        except DataError as error:
            return Task(stem, problem=str(error))
    return Task(stem, tuple(paths))
