"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from wsstools.core.system import HOST, has_locked, is_alive
from wsstools.files.limits import check_ends, read_file

_HOST = hashlib.blake2b(HOST.encode(), digest_size=4).hexdigest()
_TEMPORARY = re.compile(r"\.wss-[0-9a-f]{16}-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)\.part")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file, and its folder, so that no reader and no interruption ever sees a part of it.

    The temporary name starts with a dot and ends in `.part`, so that no step takes it for an
    input; it is in the target's folder, so that the renaming is atomic. OSError, which names the
    file, if it cannot be written; nothing is left behind.
    """
    with writing(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes its place at the end; after an error nothing is left of it.

    Parameters and errors as of `write_atomic`.
    """
    temporary = temporary_name(path.parent)
    check_ends(path)  # a pipe or a device is not for us to replace
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file, os.fdopen(os.dup(file.fileno()), "wb") as held:
            if not has_locked(held, is_exclusive=True):  # to the renaming, after `file` is closed
                held.close()  # Windows renames no open file
            yield file
            file.close()  # some file systems say only now that the disk is full
            os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and not isinstance(error, ConnectionError) and error.errno:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def write_all(folder: Path, contents: Mapping[str, bytes]) -> bool:
    """Write files into a folder, in that order, unless it holds all of them; whether it did not."""
    remove_leftovers(folder)
    paths = {folder / name: data for name, data in contents.items()}
    if all(path.is_file() and read_file(path) == data for path, data in paths.items()):
        return False
    for path, data in paths.items():
        write_atomic(path, data)
    return True


@contextlib.contextmanager
def marked(folder: Path) -> Iterator[Path]:
    """A file in a folder, made if missing, by which others can check that they see the same one.

    Its name is new each time; a killed run's is removed like any temporary file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = temporary_name(folder)
    with open(mark, "xb") as file:
        has_locked(file, is_exclusive=True)
        try:
            yield mark
        finally:
            with contextlib.suppress(OSError):
                mark.unlink()


def remove_leftovers(folder: Path, *, is_recursive: bool = False) -> None:
    """Delete temporary files of this machine's runs that were killed; those of others stay.

    Containers may share the name of the machine and the numbers of processes, but not locks.
    """
    for place, folders, names in os.walk(folder):
        if not is_recursive:
            folders.clear()
        for name in names:
            match = _TEMPORARY.fullmatch(name)
            if match and match["host"] == _HOST and not is_alive(int(match["pid"])):
                with contextlib.suppress(OSError), open(os.path.join(place, name), "rb+") as file:
                    if has_locked(file, is_exclusive=True) is not False:
                        os.unlink(file.name)


def temporary_name(folder: Path) -> Path:
    """A new name in a folder, by which the file of a killed run is recognized."""
    return folder / f".wss-{os.urandom(8).hex()}-{_HOST}-{os.getpid()}.part"


def is_file_at(path: Path, file: IO[bytes]) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
