"""Importing wsstools changes nothing in the process of who imports it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TARGETS = (
    "wsstools",
    "wsstools.formats.map_files",
    "wsstools.steps.fuse",
    "wsstools.core.api",
    "wsstools.nn.api",
)
STATE = """
import json, locale, logging, os, signal, sys, threading, warnings

def state():
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    found = {
        "warnings": [str(entry) for entry in warnings.filters],
        "showwarning": str(warnings.showwarning),
        "signals": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "environment": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "logging": {
            name: [one.level, str(one.handlers), one.propagate, one.disabled]
            for name, one in loggers.items()
            if isinstance(one, logging.Logger)
            and (one.level or one.handlers or one.disabled or not one.propagate)
        },
        "logging below": logging.root.manager.disable,
        "hooks": [str(sys.excepthook), str(threading.excepthook), str(sys.meta_path)],
        "recursion": sys.getrecursionlimit(),
        "threads": threading.active_count(),
    }
    if "PIL.Image" in sys.modules:
        image = sys.modules["PIL.Image"]
        found["Pillow"] = [image.MAX_IMAGE_PIXELS, sys.modules["PIL.ImageFile"].LOAD_TRUNCATED_IMAGES]
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch"] = [
            torch.get_num_threads(), torch.get_num_interop_threads(), str(torch.get_default_dtype()),
            torch.are_deterministic_algorithms_enabled(), torch.initial_seed(),
        ]
    if "numpy" in sys.modules:
        found["numpy"] = sys.modules["numpy"].geterr()
    if "matplotlib" in sys.modules:
        found["matplotlib"] = str(dict(sys.modules["matplotlib"].rcParams))
    return found
"""


def answer(code: str, *arguments: str) -> object:
    """The JSON that a fresh interpreter prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-c", STATE + code, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_itself_imports_next_to_nothing_and_changes_nothing():
    changed, loaded = answer("""
before = state()
import wsstools
after = state()
print(json.dumps([[key for key in before if after[key] != before[key]], list(sys.modules)]))
""")
    assert not changed
    assert not {"numpy", "torch", "PIL", "scipy", "typer", "numba"} & set(loaded)


@pytest.fixture(scope="module")
def changes() -> dict[str, dict[str, list]]:
    """What each import changes, once the packages of others that it loads are there."""
    return answer(
        """
from importlib import import_module

def forked(find):
    reading, writing = os.pipe()
    if os.fork() == 0:
        with open(writing, "w") as answers:
            json.dump(find(), answers)
        os._exit(0)
    os.close(writing)
    with open(reading) as answers:
        return json.load(answers)

def others():
    for target in sys.argv[1:]:
        import_module(target)
    return [name for name in sys.modules if name.split(".")[0] != "wsstools"]

def changes(target):
    before = state()
    import_module(target)
    after = state()
    return {key: [before.get(key), after[key]] for key in after if after[key] != before.get(key)}

for name in forked(others):
    try:
        import_module(name)
    except Exception:
        pass
print(json.dumps({target: forked(lambda: changes(target)) for target in sys.argv[1:]}))
""",
        *TARGETS,
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_an_import_changes_nothing_in_the_process(changes, target):
    assert changes[target] == {}
