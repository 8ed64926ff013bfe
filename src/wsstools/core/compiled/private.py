"""A folder that only this run and its worker processes use, made when it is needed."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
from pathlib import Path

from wsstools.core.system import is_mine

_folders: list[Path] = []  # of this process, or of the run whose worker it is; at most one


def private_folder() -> Path:
    """Where it is; it is removed when the process ends that has asked first."""
    if not _folders:
        name = f"wsstools-{secrets.token_hex(8)}"
        _folders.append(Path(os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp", name))
        atexit.register(_remove, _folders[0], os.getpid())
    return _folders[0]


def share_private_folder(folder: Path) -> None:
    """Let this worker process use that of its run."""
    _folders[:] = [folder]


def make_private(folder: Path) -> bool:
    """Make it; whether it was missing. FileExistsError if others may write to it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        is_ours = folder.is_dir() and not folder.is_symlink() and is_mine(status)
        if not is_ours:
            raise
        return False
    return True


def remove_private_folder() -> None:
    """Remove it; for a worker whose run was killed."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a fork of it
        shutil.rmtree(folder, ignore_errors=True)
