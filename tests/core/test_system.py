"""Steps run where the system lacks what Windows lacks: locks, limits, some signals and numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest

LACKING = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGPIPE", "pthread_sigmask"):
    delattr(signal, name)
for name in ("geteuid", "getuid", "sysconf"):
    delattr(os, name)
from wsstools.cli.main import run
for line in sys.argv[1:]:
    code = run(line.split())
    assert code == 0, line
"""
LINES = (
    "rf-predict images scribbles --trees 5 -o OUT/local -j 1",
    "fuse OUT/local maps -o OUT/fused -j 1",
    "regularize --potts --images images OUT/fused -o OUT/potts -j 1",
    "regularize --crf --images images OUT/fused -o OUT/crf -j 1",
    "argmax OUT/potts -o OUT/labels -j 1",
    "argmax OUT/potts -o OUT/labels -j 1",
    "score OUT/labels gt -j 1",
)


@pytest.mark.slow
def test_steps_need_no_locks_limits_or_signals(dataset, tmp_path):
    lines = [line.replace("OUT", str(tmp_path)) for line in LINES]
    done = subprocess.run(
        [sys.executable, "-c", LACKING, *lines], cwd=dataset, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("skipped 4 (up to date)") == 1
    assert len(list((tmp_path / "labels").glob("*.png"))) == 4
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
