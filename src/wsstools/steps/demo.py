"""The way from strokes to labels and a network, on photographs that ship with the packages."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import wsstools.demo
from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import write_atomic
from wsstools.files.limits import read_file
from wsstools.formats.label_files import decode_labels
from wsstools.running.bars import is_quiet, print_line
from wsstools.running.messages import say

_SHIPPED = Path(wsstools.demo.__file__).parent
_COMMANDS = """
demo-data --photos -o images
scribbles strokes --images images --width 5 -o scribbles
rf-predict images scribbles -o local
regularize --potts --lambda 10 --images images local -o potts
argmax potts -o labels
show images scribbles=scribbles "local model=local" Potts=potts labels=labels -o sheet.png
train --images images --labels labels --arch deeplabv2-mobilenetv2 --init random --head-lr-factor 1
  --iterations 8 --batch 2 --crop 129 -o net.pt
global-predict images --model net.pt -o global
"""
_LEAST = 0.95
"""Share of scribbled pixels whose class the labels must have."""


def demo(out: str | Path = "demo") -> Path:
    """Make labels from the strokes on six photographs, and a network of a few iterations.

    Each step is the command that is printed. Nothing is downloaded, and neither a compiler nor
    make is needed.

    Parameters
    ----------
    out : str or Path
        Folder to write to; made if missing. Steps that are up to date in it are not repeated.

    Returns
    -------
    Path
        The contact sheet.

    Raises
    ------
    UsageError
        If the folder holds other strokes or classes.
    DataError
        If a step fails, or the labels contradict the strokes.
    """
    folder = Path(out)
    shipped = [_SHIPPED / "classes.txt", *sorted((_SHIPPED / "strokes").glob("*.txt"))]
    for path in shipped:
        target, data = folder / path.relative_to(_SHIPPED), path.read_bytes()
        if target.exists() and read_file(target) != data:
            raise UsageError(f"{target}: not made by wss demo; give another folder")
        write_atomic(target, data)
    say(f"photographs, strokes and what is made of them are in {folder}", "demo")
    for line in _COMMANDS.replace("\n  ", " ").strip().splitlines():
        _run(line, folder)
    share = _agreement(folder / "scribbles", folder / "labels")
    if share < _LEAST:
        raise DataError(
            f"{folder / 'labels'}: {share:.1%} of the scribbled pixels have their class"
        )
    say(f"all steps work; {share:.1%} of the scribbled pixels have their class", "demo")
    return folder / "sheet.png"


def _run(line: str, folder: Path) -> None:
    """Run a command of wss in a folder; DataError if it fails."""
    if not is_quiet():
        print_line(f"$ wss {line}")
    quiet = ["--quiet"] if is_quiet() else []
    command = [sys.executable, "-m", "wsstools", *quiet, *shlex.split(line)]
    code = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL).returncode
    if code:
        raise DataError(f"wss {line}: ended with {code}")


def _agreement(scribbles: Path, labels: Path) -> float:
    """The share of scribbled pixels whose class the labels have."""
    n_equal = n_scribbled = 0
    for path in sorted(scribbles.glob("*.png")):
        drawn, found = (
            decode_labels(file.read_bytes(), str(file)).value for file in (path, labels / path.name)
        )
        is_scribbled = drawn != IGNORE_LABEL
        n_scribbled += int(is_scribbled.sum())
        n_equal += int((drawn == found)[is_scribbled].sum())
    return n_equal / n_scribbled
