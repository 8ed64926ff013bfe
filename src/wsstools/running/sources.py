"""Folders of files joined by stem: where a step's inputs come from."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wsstools.errors import DataError, UsageError
from wsstools.files.limits import endless_kind, read_file
from wsstools.files.names import NameRule
from wsstools.running.settings import STANDARD_INPUT

_WINDOW = 256
_JPEG = (".jpg", ".jpeg")
_VOLUMES = (".nii", ".nii.gz")
_CUTS = {
    "image": "wss slices",
    "labels": "wss slices --kind labels",
    "ground truth": "wss slices --kind labels",
    "scribbles": "wss slices --kind scribbles",
}
"""What makes such pictures of volumes."""


@dataclass(frozen=True)
class Part:
    """What a file of several images says of one; it is read like a file of its own."""

    path: Path
    stem: str
    data: bytes

    @property
    def name(self) -> str:
        """The name of the whole file."""
        return self.path.name

    def __str__(self) -> str:
        return f"{self.path} ({self.stem})"


def content_of(file: Path | Part) -> bytes:
    """The bytes of a file, or of a part of one."""
    return file.data if isinstance(file, Part) else read_file(file)


class Source:
    """The files that one folder argument names: a folder, a single file, or standard input (`-`).

    Of a folder those count whose ending is in `suffixes` (lower case), that are not hidden, and
    not called as in `without`; names of images follow from theirs by `rule`. Messages call one of
    them `what`. Paths on standard input end with NUL where `null` is set.
    """

    def __init__(
        self,
        argument: str,
        suffixes: Sequence[str],
        what: str,
        *,
        rule: NameRule = NameRule(),
        null: bool = False,
        without: Sequence[str] = (),
    ) -> None:
        self.argument, self.what, self.rule, self.null = argument, what, rule, null
        self.is_stream = argument == STANDARD_INPUT
        self._paths: dict[str, list[Path | Part]] = {}
        if self.is_stream:
            return
        place = Path(argument)
        if place.is_dir():
            endings = tuple(suffixes)
            files = _files_in(place, endings, without, is_recursive=rule.is_recursive)
            for name, file in rule.names(files):
                self._paths.setdefault(name, []).append(place / file)
            if not self._paths:
                raise UsageError(_nothing_found(place, what, endings, rule))
        elif place.exists():
            kind = endless_kind(place)
            if kind is not None:
                raise UsageError(
                    f"{argument} is {kind}, expected a file or a folder (looked for {what})"
                )
            if _is_volume(place.name, suffixes) and what in _CUTS:
                raise UsageError(
                    f"{argument} is a volume (looked for {what}), which {_CUTS[what]} cuts into "
                    "pictures"
                )
            self._paths[rule.name(place)] = [place]
        else:
            raise UsageError(f"{argument}: no such file or folder (looked for {what})")

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def stems(self) -> list[str]:
        """The stems of a folder or file, sorted; a stream does not know its own."""
        return sorted(self._paths)

    def __contains__(self, stem: str) -> bool:
        return stem in self._paths

    def read_whole(self) -> None:
        """Read all paths of standard input, as if it were a folder of them; DataError if none."""
        stream = PathStream(null=self.null)
        while paths := list(stream.available(_WINDOW)):
            for path in paths:
                self._paths.setdefault(self.rule.name(path), []).append(path)
        if not self._paths:
            raise self.no_paths()
        self.is_stream = False

    def no_paths(self) -> DataError:
        """The error where nothing came down a pipe, most often because the step before failed."""
        return DataError(f"no {self.what} on standard input (did the step before fail?)")

    def unpack(self, split: Callable[[Path], Iterable[tuple[str, bytes]] | None]) -> None:
        """Put its parts, which `split` gives with their stems, in the place of a file of several
        images."""
        found: dict[str, list[Path | Part]] = {}
        for stem, files in self._paths.items():
            for file in files:
                parts = split(file) if isinstance(file, Path) else None
                if parts is None:
                    found.setdefault(stem, []).append(file)
                else:
                    for name, data in parts:
                        stem = self.rule.without_suffix(name)
                        found.setdefault(stem, []).append(Part(Path(str(file)), name, data))
        self._paths = found

    def files(self) -> list[Path]:
        """All files."""
        return [
            file.path if isinstance(file, Part) else file
            for files in self._paths.values()
            for file in files
        ]

    def some_file(self) -> Path | None:
        """One of the files, or None where standard input lists them."""
        for files in self._paths.values():
            return files[0].path if isinstance(files[0], Part) else files[0]
        return None

    def reads_from(self, folder: Path) -> bool:
        """Whether files in that folder are inputs, or would be, under whatever name it has."""
        place = Path(self.argument)
        if self.is_stream or not place.is_dir():
            return False
        if not self.rule.is_recursive:
            return folder.exists() and place.samefile(folder)
        real = folder.resolve()
        folders = {file.parent for file in self.files()}  # links may lead to others
        return any(real.is_relative_to(read.resolve()) for read in {place, *folders})

    def find(self, stem: str) -> Path:
        """The file with this stem; DataError if there is not exactly one."""
        found = self.find_content(stem)
        return found.path if isinstance(found, Part) else found

    def find_content(self, stem: str) -> Path | Part:
        """The file with this stem, or the part of one; DataError if there is not exactly one."""
        paths = self._paths.get(stem, [])
        if len(paths) > 1 and len({path.name for path in paths}) == 1:
            raise DataError(
                f"{len(paths)} images in {paths[0].name} have this name, without folder and ending"
            )
        if len(paths) != 1:
            found = " and ".join(path.name for path in paths) or f"no {self.what} with that name"
            raise DataError(f"{found} in {self.argument}")
        return paths[0]


def _files_in(
    place: Path, endings: tuple[str, ...], without: Sequence[str], *, is_recursive: bool
) -> list[str]:
    """The files of a folder with these endings, hidden ones apart, sorted, relative to it."""
    found: list[str] = []
    folders, seen = [""], {os.path.realpath(place)}
    while folders:
        folder = folders.pop()
        for entry in os.scandir(place / folder):
            if entry.name.startswith("."):
                continue
            if is_recursive and _is_folder(entry):
                real = os.path.realpath(entry.path)
                if real not in seen:  # links may go in circles
                    seen.add(real)
                    folders.append(f"{folder}{entry.name}/")
            elif entry.name.lower().endswith(endings) and entry.name not in without:
                kind = None if entry.is_file(follow_symlinks=False) else endless_kind(entry.path)
                if kind is not None:
                    raise UsageError(
                        f"{place / folder / entry.name} is {kind}, expected files in a folder"
                    )
                found.append(f"{folder}{entry.name}")
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; the image of a link in a circle fails by name."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _nothing_found(place: Path, what: str, endings: Sequence[str], rule: NameRule) -> str:
    entries = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
    text = f"no {what} in {place} (looked for *{', *'.join(endings)})"
    if not rule.is_recursive and any(map(_is_folder, entries)):
        return f"{text}; it holds subfolders: --recursive"
    if what in _CUTS and any(_is_volume(entry.name, endings) for entry in entries):
        return f"{text}; it holds volumes, which {_CUTS[what]} cuts into pictures"
    others = Counter(os.path.splitext(entry.name)[1].lower() for entry in entries)
    common = next((ending for ending, _ in others.most_common(1) if ending), None)
    if common in _JPEG and ".png" in endings:
        return f"{text}; it holds *{common}, and JPEG changes colours and ids: save as PNG"
    return f"{text}; it holds *{common}" if common else text


def _is_volume(name: str, endings: Sequence[str]) -> bool:
    """Whether a file is NIfTI by its name, which is not looked for."""
    return name.lower().endswith(_VOLUMES) and not name.lower().endswith(tuple(endings))


class PathStream:
    """Paths from standard input, read as they come by a thread, so that none waits for the next."""

    def __init__(self, *, null: bool, file: BinaryIO | None = None) -> None:
        self._file = file or sys.stdin.buffer
        self._separator = b"\0" if null else b"\n"
        self._queue: queue.Queue[Path | None] = queue.Queue(maxsize=4096)
        self._is_over = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._file.fileno(), 65536):
            *whole, rest = (rest + chunk).split(self._separator)
            for line in whole:
                self._put(line)
        self._put(rest)
        self._queue.put(None)

    def _put(self, line: bytes) -> None:
        text = os.fsdecode(line if self._separator == b"\0" else line.rstrip(b"\r"))
        if text:
            self._queue.put(Path(text))

    def available(self, limit: int) -> Iterator[Path]:
        """The paths that have come, at least one unless the input is over, at most `limit`."""
        for position in range(limit):
            if self._is_over:
                return
            try:
                item = self._queue.get(block=position == 0)
            except queue.Empty:
                return
            if item is None:
                self._is_over = True
                return
            yield item
