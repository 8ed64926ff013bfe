"""Folders, files and standard input as sources."""

from __future__ import annotations

import pytest

from wsstools.errors import DataError, UsageError
from wsstools.running.sources import Source


def test_sources_join_by_stem(tmp_path):
    for name in ("b.JPG", "a.png", ".hidden.png", "note.txt", "c.d.png", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    source = Source(str(tmp_path), (".png", ".jpg"), "image")
    assert source.stems == ["a", "b", "c.d"]
    assert source.find("c.d").name == "c.d.png"
    with pytest.raises(DataError, match=r"a\.jpg and a\.png"):
        source.find("a")
    with pytest.raises(DataError, match="no image with that name"):
        source.find("x")
    with pytest.raises(UsageError, match="no map in"):
        Source(str(tmp_path), (".npz",), "map")


def test_a_folder_of_jpegs_holds_no_labels_for_a_reason(tmp_path):
    for name in ("a.jpg", "b.JPG", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    message = r"\*\.png\); it holds \*\.jpg, and JPEG changes colours and ids: save as PNG$"
    with pytest.raises(UsageError, match=message):
        Source(str(tmp_path), (".png",), "scribbles")
    with pytest.raises(UsageError, match=r"\*\.npz\); it holds \*\.jpg$"):
        Source(str(tmp_path), (".npz",), "map")
    assert Source(str(tmp_path), (".png", ".jpg"), "image").stems == ["a", "b"]
