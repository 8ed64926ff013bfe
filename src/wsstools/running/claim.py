"""A folder of outputs belongs to one run at a time, which holds its `.wss-run` locked."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wsstools.core.system import HAS_LOCKS, has_locked
from wsstools.errors import UsageError
from wsstools.files.atomic import is_file_at, temporary_name
from wsstools.files.provenance import Meta, Origin, parse_record, record_text
from wsstools.running.settings import RunSettings

CLAIM_FILE = ".wss-run"
_TRIES, _PAUSE = 200, 0.05
"""How often, and how many seconds apart, a claim that just changes hands is looked at again."""


@contextlib.contextmanager
def claimed(folder: Path, origin: Origin, run: RunSettings) -> Iterator[None]:
    """A folder, made if missing, that no run of another step or other options writes to meanwhile.

    Equal runs join. The claim of a run that was killed is taken over with `--overwrite`, or where
    the folder holds no files. What cannot be written to, or has no hard links or locks, is not
    claimed, nor is a dry run's.

    UsageError if another run has claimed it.
    """
    if run.dry_run or not HAS_LOCKS:
        yield
        return
    is_new, file = not folder.exists(), None
    with contextlib.suppress(OSError):  # what is to be written fails by name
        file = _claim(folder, origin, overwrite=run.overwrite)
    try:
        yield
    finally:
        if file is not None:
            _release(folder, file, is_new=is_new)


def _release(folder: Path, file: BinaryIO, *, is_new: bool) -> None:
    """Remove the claim, unless an equal run goes on, and the folder if it was made for nothing."""
    with file, contextlib.suppress(OSError):
        if has_locked(file, is_exclusive=True) and is_file_at(folder / CLAIM_FILE, file):
            (folder / CLAIM_FILE).unlink()
            if is_new:
                folder.rmdir()


def _claim(folder: Path, origin: Origin, *, overwrite: bool) -> BinaryIO:
    """The file of the claim, open and locked."""
    path = folder / CLAIM_FILE
    for _ in range(_TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:  # some file systems lock only what may be written to
                file = stack.enter_context(open(path, "rb+"))
            except FileNotFoundError:
                made = _made(path, origin)
                if made is not None:
                    return made
                continue
            record = parse_record(file.read().decode("utf-8", "replace"))
            is_ours = record is not None and origin.is_up_to_date(record, [])
            is_locked = has_locked(file, is_exclusive=not is_ours)
            if is_ours and is_locked is not False and is_file_at(path, file):
                stack.pop_all()
                return file
            if not is_ours and is_file_at(path, file):
                is_dead = is_locked is not False
                _take_over(path, origin, record, is_dead=is_dead, overwrite=overwrite)
        time.sleep(_PAUSE)
    raise UsageError(f"{path} changes hands all the time; start again")


def _take_over(
    path: Path, origin: Origin, record: Meta | None, *, is_dead: bool, overwrite: bool
) -> None:
    """Remove the claim of a run that was killed; UsageError where it may not be."""
    version = "of another version"
    why = version if record is None else origin.difference(record) or version
    if not is_dead:
        raise UsageError(
            f"another run writes to {path.parent} now, and its outputs are {why}; "
            "wait for its end, or write to another place"
        )
    if not overwrite and any(not name.startswith(".") for name in os.listdir(path.parent)):
        raise UsageError(
            f"a run that was stopped has outputs in {path.parent}, {why}; write to another place, "
            "or give --overwrite"
        )
    path.unlink(missing_ok=True)


def _made(path: Path, origin: Origin) -> BinaryIO | None:
    """A new claim, locked before others can see it; None where there is one already."""
    temporary = temporary_name(path.parent)
    try:
        file = open(temporary, "xb+")  # noqa: SIM115
    except FileNotFoundError:
        return None  # the folder was removed by a run that ended
    try:
        has_locked(file, is_exclusive=False)
        record = origin.record(kind="run", stem=path.parent.name, inputs=[])
        file.write(record_text(record).encode())
        file.flush()
        os.link(temporary, path)
    except FileExistsError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return file
