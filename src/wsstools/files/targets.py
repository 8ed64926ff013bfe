"""What the path of an output means: one rule for every file that a command writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from wsstools.errors import UsageError
from wsstools.files.limits import check_ends, endless_kind
from wsstools.files.provenance import Meta, Origin


def output_file(
    path: str | Path,
    inputs: Iterable[str | Path],
    *,
    endings: Sequence[str] = (),
    is_ours: bool | None = None,
    overwrite: bool = False,
    read: tuple[str, ...] = ("",),
    is_recursive: bool = False,
) -> Path:
    """A path that a command may write one file to.

    Parameters
    ----------
    path : str or Path
        As the user gave it.
    inputs : iterable of str or Path
        Files and folders that the command reads, `-` apart; none of them is ever replaced.
    endings : sequence of str
        Endings of files of the format that is written, lower case; empty: any.
    is_ours : bool or None
        Whether the file that is there is an earlier output of this command; None: of no concern.
    overwrite : bool
        A file that is not may be replaced.
    read : tuple of str
        Endings of the files in folders that are read, lower case.
    is_recursive : bool
        Those in subfolders are read, too.

    Raises
    ------
    UsageError
        If it is a folder, has another ending, is an input, or would replace a file of others.
    """
    target = Path(path)
    if str(path).endswith(("/", os.sep)) or target.is_dir():
        raise UsageError(f"{path} is a folder, expected a file to write")
    if endings and target.suffix.lower() not in endings:
        raise UsageError(f"{path}: expected a name that ends in {' or '.join(endings)}")
    check_folder(target.parent)
    if is_taken(target, overwrite=overwrite):
        check_no_input(target, inputs, read=read, is_recursive=is_recursive)
        if is_ours is False and not overwrite:
            raise UsageError(
                f"{path} exists and was not made by this command; write to another place, "
                "or give --overwrite"
            )
    return target


def recorded_output_file(
    path: str | Path,
    inputs: Iterable[str | Path],
    origin: Origin,
    *,
    read_meta: Callable[[Path], Meta | None],
    endings: Sequence[str] = (),
    overwrite: bool = False,
    read: tuple[str, ...] = ("",),
    is_recursive: bool = False,
) -> Path:
    """The same for an output that carries a record, which `read_meta` reads.

    Raises
    ------
    UsageError
        Also if the file that is there was made with other options.
    """
    target = output_file(
        path, inputs, endings=endings, overwrite=overwrite, read=read, is_recursive=is_recursive
    )
    if target.exists() and not overwrite:
        origin.refuse_other_run(target, read_meta(target))
    return target


def is_taken(target: Path, *, overwrite: bool) -> bool:
    """Whether there is a file, or a folder, of the name of an output.

    OSError, which names it, if it is a pipe, a socket or a device: these are never replaced.
    UsageError if it is a link that leads nowhere, which only `overwrite` replaces.
    """
    check_ends(target)
    if target.exists():
        return True
    if target.is_symlink() and not overwrite:
        raise UsageError(
            f"{target} {_leads_nowhere(target)}; write to another place, remove it, or give "
            "--overwrite"
        )
    return False


def check_folder(folder: Path) -> None:
    """Raise UsageError if a folder to write to can be neither there nor made, as of a part of its
    path that is no folder."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return
        if place.is_symlink() and not place.exists():
            raise UsageError(f"{place} {_leads_nowhere(place)}, expected a folder to write to")
        if place.exists():
            kind = endless_kind(place) or "a file"
            raise UsageError(f"{place} is {kind}, expected a folder to write to")


def _leads_nowhere(link: Path) -> str:
    return f"is a link that leads nowhere ({os.readlink(link)})"


def check_writable(folder: Path) -> None:
    """Raise OSError, which names the folder, if no file can be made in it.

    A folder that is not there counts as the one that it is to be made in. Nothing is left there.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = f"cannot be written to ({error.strerror})"
        raise OSError(error.errno, reason, os.fspath(folder)) from error


def check_no_input(
    target: Path,
    inputs: Iterable[str | Path],
    *,
    instead: str = "another file",
    read: tuple[str, ...] = ("",),
    is_recursive: bool = False,
) -> None:
    """Raise UsageError if a file that exists is one of the inputs, under whatever name.

    Parameters
    ----------
    target : Path
        The file that is to be written.
    inputs : iterable of str or Path
        Files, and folders whose files are meant.
    instead : str
        What to write to instead.
    read, is_recursive
        Which files of folders are meant, as in `output_file`.
    """
    wanted = target.stat()
    for place in inputs:
        for file in _files(Path(place), wanted.st_ino, read, is_recursive=is_recursive):
            if os.path.samestat(file, wanted):
                raise UsageError(f"{target} is an input; write to {instead}")


def _files(
    place: Path, inode: int, read: tuple[str, ...], *, is_recursive: bool
) -> Iterator[os.stat_result]:
    """The file, or those in the folder that may be the one of that inode."""
    if place.is_file():
        yield place.stat()
    folders, seen = [place] if place.is_dir() else [], {os.path.realpath(place)}
    while folders:
        for entry in os.scandir(folders.pop()):
            may_be_it = entry.inode() == inode or entry.is_symlink()
            if (
                is_recursive
                and os.path.isdir(entry.path)
                and os.path.realpath(entry.path) not in seen
            ):
                seen.add(os.path.realpath(entry.path))  # links may go in circles
                folders.append(Path(entry.path))
            elif may_be_it and entry.name.lower().endswith(read) and os.path.exists(entry.path):
                yield entry.stat()
