"""Workers of one process, call after call."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import joblib
import pytest
from builders import PATIENCE, POOL, wait_until

from wsstools.running.settings import RunSettings
from wsstools.running.workers import map_in_workers
from wsstools.steps.argmax import argmax


def test_relative_paths_follow_the_working_folder(dataset, tmp_path, monkeypatch):
    """Workers are kept from call to call; a notebook changes its folder between them."""
    for name in ("first", "second"):
        shutil.copytree(dataset / "maps", tmp_path / name / "maps")
        monkeypatch.chdir(tmp_path / name)
        argmax("maps", "labels", run=RunSettings(jobs=2))
        assert len(list((tmp_path / name / "labels").iterdir())) == 4


def process_of(_: int) -> int:
    """The process of a task, which takes long enough for other workers to get some."""
    time.sleep(0.2)
    return os.getpid()


def test_without_jobs_there_is_a_worker_for_each_core(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    found = set(map_in_workers(process_of, [range(8)], RunSettings(), on_worker_death=abs))
    assert len(found) == 2 and os.getpid() not in found


SPY = """
import os
from wsstools.core.compiled.kept import KeptCode
save = KeptCode.save_overload

def saved(self, signature, compiled):
    with open(os.environ["COMPILED"], "a") as file:
        file.write(self._function.__name__ + "\\n")
    save(self, signature, compiled)

KeptCode.save_overload = saved
"""


@pytest.fixture
def unkept(dataset, tmp_path):
    """Starts `wss fuse` with two workers, where no compiled code can be kept."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "a file").touch()
    (tmp_path / "sitecustomize.py").write_text(SPY)
    (tmp_path / "pool.json").write_text(json.dumps(POOL))
    environment = dict(
        os.environ, NUMBA_CACHE_DIR=str(tmp_path / "a file" / "numba"),
        TMPDIR=str(tmp_path / "temporary"), COMPILED=str(tmp_path / "compiled.txt"),
        PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    )  # fmt: skip
    command = [sys.executable, "-m", "wsstools", "fuse", "maps", "other-maps", "--jobs", "2"]
    command += ["--params", str(tmp_path / "pool.json"), "-o", str(tmp_path / "out")]

    def start(*more, folder=dataset):
        return subprocess.Popen(
            [*command, *more], cwd=folder, env=environment, text=True, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    return start


def private_folders(tmp_path):
    return [name for name in os.listdir(tmp_path / "temporary") if name.startswith("wsstools-")]


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "fails"), [("loky", False), ("loky", True), ("dask", False)])
def test_workers_share_what_they_cannot_keep(unkept, dataset, tmp_path, backend, fails):
    """Each function is compiled once, one line warns, and nothing is left of the folder."""
    if backend == "dask":
        pytest.importorskip("distributed")
    data = dataset
    if fails:
        data = tmp_path / "data"
        shutil.copytree(dataset, data)
        (data / "maps" / sorted(os.listdir(data / "maps"))[0]).write_bytes(b"no map")
    process = unkept("--backend", backend, folder=data)
    _, printed = process.communicate(timeout=PATIENCE)
    assert process.returncode == int(fails), printed
    assert printed.count("wss: warning: compiled code cannot be kept") == 1
    assert "NUMBA_CACHE_DIR names another folder" in printed
    assert len(os.listdir(tmp_path / "out")) == 4 - fails
    assert sorted((tmp_path / "compiled.txt").read_text().split()) == ["_exp", "_log"]
    assert private_folders(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_private_folder(unkept, tmp_path, number):
    process = unkept()
    wait_until(lambda: private_folders(tmp_path) or process.poll() is not None)
    assert process.poll() is None
    process.send_signal(number)
    code = process.wait(timeout=PATIENCE)  # now: workers take a process that is not gone for alive
    process.communicate(timeout=PATIENCE)
    assert code in (128 + number, -number)
    wait_until(lambda: not private_folders(tmp_path))
