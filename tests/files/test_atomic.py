"""A file is written as a whole or not at all."""

from __future__ import annotations

import os

import pytest

from wsstools.core.system import has_locked
from wsstools.files import atomic


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_atomic(tmp_path / "x.npz", b"data")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_runs_are_removed_and_those_of_live_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: None)
    atomic.write_atomic(tmp_path / "x.npz", b"data")
    (mine,) = tmp_path.iterdir()
    atomic.remove_leftovers(tmp_path)
    assert mine.exists()
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}.", "-4194999."))
    mine.rename(dead)
    atomic.remove_leftovers(tmp_path)
    assert not dead.exists()


def test_a_file_that_another_container_writes_stays(tmp_path):
    """It has the name of this machine, and the number of no process here."""
    live = atomic.temporary_name(tmp_path)
    live = live.with_name(live.name.replace(f"-{os.getpid()}.", "-4194999."))
    with open(live, "xb") as file:
        assert has_locked(file, is_exclusive=True)
        atomic.remove_leftovers(tmp_path)
        assert live.exists()
    atomic.remove_leftovers(tmp_path)
    assert not live.exists()


def test_a_file_is_locked_until_it_has_its_name(tmp_path, monkeypatch):
    found = []

    def look(source, target):
        with open(source, "rb") as file:
            found.append(has_locked(file, is_exclusive=True))

    monkeypatch.setattr(os, "replace", look)
    atomic.write_atomic(tmp_path / "x.npz", b"data")
    assert found == [False]


def test_files_have_the_usual_mode(tmp_path):
    atomic.write_atomic(tmp_path / "x", b"")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask


def test_threads_that_write_the_same_file_do_not_meet(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    data = os.urandom(1 << 20)
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(atomic.write_atomic, tmp_path / "x", data) for _ in range(40)]
        for write in writes:
            write.result()
            assert (tmp_path / "x").read_bytes() == data
    assert os.listdir(tmp_path) == ["x"]


def test_what_cannot_be_written_is_called_by_its_name(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        atomic.write_atomic(tmp_path / "x", b"data")
    assert caught.value.filename == str(tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]
