"""Workers of one process, call after call."""

from __future__ import annotations

import shutil

from wsstools.running.settings import RunSettings
from wsstools.steps.argmax import argmax


def test_relative_paths_follow_the_working_folder(dataset, tmp_path, monkeypatch):
    """Workers are kept from call to call; a notebook changes its folder between them."""
    for name in ("first", "second"):
        shutil.copytree(dataset / "maps", tmp_path / name / "maps")
        monkeypatch.chdir(tmp_path / name)
        argmax("maps", "labels", run=RunSettings(jobs=2))
        assert len(list((tmp_path / name / "labels").iterdir())) == 4
