"""`wss` lets threads that wait sleep; the library leaves that to who imports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
PASSIVE = ["passive", "0"]
PROGRAM = f"""
import json, os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "numpy", "sklearn", "numba") and name not in seen:
            seen[name] = [os.environ.get(key) for key in {NAMES}]

seen = {{}}
sys.meta_path.insert(0, Watch())
"""
REPORT = f"""
seen["end"] = [os.environ.get(key) for key in {NAMES}]
print(json.dumps(seen))
"""
MAIN = """
from wsstools.cli.entry import main
sys.argv = ["wss", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
"""


def variables(code: str, *arguments: object, **chosen: str) -> dict[str, list[str | None]]:
    """Both variables when each library was loaded, and at the end, of a program of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code + REPORT, *map(str, arguments)],
        env=environment | chosen, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def predicting(dataset, tmp_path_factory) -> list[object]:
    """A command that loads torch, and fails at its model."""
    model = tmp_path_factory.mktemp("model") / "bad.pt"
    model.write_bytes(b"no model")
    return ["global-predict", dataset / "images", "--model", model, "-o", model.parent / "out"]


@pytest.mark.slow
def test_the_program_sets_them_before_it_loads_torch(predicting):
    seen = variables(MAIN, *predicting)
    assert "torch" in seen
    assert set(map(tuple, seen.values())) == {tuple(PASSIVE)}


@pytest.mark.parametrize("chosen", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "1000"}])
def test_what_the_user_chose_stays(chosen):
    seen = variables(MAIN, "--version", **chosen)
    assert seen["end"] == [chosen.get(name) for name in NAMES]


@pytest.mark.slow
def test_the_library_sets_nothing():
    code = "import wsstools, wsstools.cli.entry, wsstools.cli, wsstools.nn.training.loop\n"
    seen = variables(code)
    assert "torch" in seen
    assert set(map(tuple, seen.values())) == {(None, None)}
