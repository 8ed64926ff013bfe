"""What the benchmarks share beside their problems: smallest sizes, and results that outlive Ctrl-C.

A benchmark ends with `run(main)` and measures inside `with summary(print_figures):`. Its figures
are printed when all is measured, or of what was measured when Ctrl-C comes; then it exits with 130.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

EXIT_INTERRUPTED = 128 + signal.SIGINT
WSS = [sys.executable, "-m", "wsstools"]


def parsed(parser: argparse.ArgumentParser, **smallest: Any) -> argparse.Namespace:
    """The options; with `--smallest`, those that are not given are as the keywords say."""
    parser.add_argument(
        "--smallest",
        action="store_true",
        help="a run of seconds, on drawn data: shows that all runs, not what it is worth",
    )
    if parser.parse_args().smallest:
        parser.set_defaults(**smallest)
    return parser.parse_args()


@contextlib.contextmanager
def summary(print_figures: Callable[[], None]) -> Iterator[None]:
    """Print the figures when the block is over, or is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        print_figures()
        raise
    print_figures()


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; one that is interrupted says so in its last line and exits with 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted: the figures are those of what was measured until then", flush=True)
        sys.exit(EXIT_INTERRUPTED)


def installed(module: str, package: str) -> ModuleType | None:
    """A module of a peer; None, and a line that says so, if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        print(f"{package}: left out: pip install {package} ({error})", flush=True)
        return None


def draw_data(folder: Path, n_train: int) -> Path:
    """A folder of drawn scenes: images/, scribbles/, gt/, classes.txt and train.txt."""
    command = [*WSS, "demo-data", "-o", str(folder), "--train", str(n_train), "--val", "1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


@contextlib.contextmanager
def data_folder(given: Path | None, n_train: int) -> Iterator[Path]:
    """The folder that was given, or one of drawn scenes while this lasts."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as place:
        yield draw_data(Path(place) / "drawn", n_train)
