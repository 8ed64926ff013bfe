"""`--dry-run`, `--quiet`, `--version` and `--jobs`."""

from __future__ import annotations

import shutil
from importlib.metadata import version

import numpy as np
import pytest
from builders import PER_IMAGE, SHAPE, change, folder_bytes, per_image_command

from wsstools.formats.label_files import encode_labels
from wsstools.running.settings import RunSettings
from wsstools.running.workers import map_in_workers


@pytest.mark.parametrize("name", PER_IMAGE)
def test_a_dry_run_counts_and_writes_nothing(wss, dataset, tmp_path, name):
    shutil.copytree(dataset, tmp_path / "data")
    command = per_image_command(name, tmp_path / "data", tmp_path / "out")
    first = wss(*command, "--dry-run")
    assert (first.code, first.out) == (1, "")
    assert "4 new" in first.err and "error" not in first.err
    assert not (tmp_path / "out").exists()
    assert wss(*command).code == 0
    again = wss(*command, "--dry-run")
    assert again.code == 0
    assert "skipped 4 (up to date)" in again.err
    (tmp_path / "out" / again.paths[0].name).unlink()
    before = folder_bytes(tmp_path / "out")
    change(*(tmp_path / "data" / PER_IMAGE[name].folder).glob("c.*"))
    stale = wss(*command, "--dry-run")
    assert stale.code == 1
    assert "1 new, 1 stale, skipped 2 (up to date)" in stale.err
    assert folder_bytes(tmp_path / "out") == before


@pytest.mark.parametrize("command", [("rf-predict", "--trees", 2), ("local-predict", "--model",
                                     "walker"), ("local-predict", "--model", "boosting")])  # fmt: skip
def test_a_dry_run_skips_what_the_run_skips(wss, dataset, tmp_path, command):
    shutil.copytree(dataset / "scribbles", tmp_path / "scribbles")
    shutil.copy(dataset / "classes.txt", tmp_path)
    empty = encode_labels(np.full(SHAPE, 255, np.uint8), {})
    (tmp_path / "scribbles" / "b.png").write_bytes(empty)
    line = [*command, dataset / "images", tmp_path / "scribbles", "-o", tmp_path / "out"]
    first = wss(*line, "--dry-run")
    assert first.code == 1 and "3 new, 1 skipped" in first.err.splitlines()[-1]
    assert wss(*line).code == 0
    again = wss(*line, "--dry-run")
    assert again.code == 0 and "skipped 3 (up to date), 1 skipped" in again.err


def test_quiet_prints_results_and_errors_only(wss, dataset, tmp_path):
    outcome = wss("argmax", dataset / "maps", "-o", tmp_path / "out", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.paths) == 4
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.npz").write_bytes(b"broken")
    outcome = wss("argmax", tmp_path / "maps", "-o", tmp_path / "o2", "--quiet")
    assert outcome.code == 1
    assert [line.split(":")[1] for line in outcome.err.splitlines()] == [" a", " error"]
    assert "written to" in wss("argmax", dataset / "maps", "-o", tmp_path / "o3").err


def test_the_version_tells_of_the_packages_that_matter(wss):
    first, packages = wss("--version").out.splitlines()
    assert first.startswith("wss ")
    assert f"numpy {version('numpy')}" in packages and f"torch {version('torch')}" in packages


def test_there_are_never_more_workers_than_images(capfd):
    said = []
    run = RunSettings(jobs=1000)
    found = list(map_in_workers(str, [range(3)], run, on_worker_death=str, n_tasks=3,
                                say=said.append))  # fmt: skip
    assert (found, said) == (["0", "1", "2"], [])
    run = RunSettings(jobs=1000, backend="threading")
    assert list(map_in_workers(str, [range(3)], run, on_worker_death=str, say=said.append)) == found
    assert "1000 workers on" in said[0]
