"""What the start of a step costs: whole commands on one small image, beside plain imports.

    python benchmarks/startup.py
    python benchmarks/startup.py --model net.pt        # with global-predict
    python benchmarks/startup.py --smallest            # seconds

Each command is a process of its own, run by turns with the others and with the imports that any
program in Python would need for such work, `--repeats` times on a drawn image of 208 x 160 pixels.
The figures are the least seconds: of processor time (user and system, all threads), which other
processes disturb little, and on the clock; and how many times that of `import numpy` the former
is. What is compiled is in the cache, of Python's modules and of ours: an untimed turn comes first.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reporting import data_folder, parsed, run, summary

from wsstools.formats.label_files import decode_labels
from wsstools.formats.map_files import write_map

NUMPY = "import numpy"
IMPORTS = (NUMPY, "import numba", "import sklearn.ensemble")
TORCH = "import torch"
PROGRAM = "from wsstools.cli.entry import main; main()"  # as the installed `wss` has it
STEPS = {
    "argmax": "argmax maps -o out",
    "fuse": "fuse maps others -o out",
    "adjust-prior": "adjust-prior maps --from scribbles --to labels -o out",
    "score": "score labels gt",
    "stats": "stats labels",
    "rf-predict": "rf-predict images scribbles -o out",
    "regularize --potts": "regularize maps --images images --potts -o out",
    "regularize --crf": "regularize maps --images images --crf -o out",
    "local-predict --model walker": "local-predict images scribbles --model walker -o out",
}
GLOBAL_PREDICT = "global-predict images --model {} -o out"
SMALLEST = ("argmax", "score")
SURE = 0.9


@dataclass
class Row:
    """A command line of Python, and the seconds of each of its runs."""

    name: str
    arguments: list[str]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def least_cpu(self) -> float:
        return min(self.cpu, default=math.nan)


def prepared(place: Path, data: Path) -> Path:
    """A folder of one image, with scribbles, ground truth, labels and two maps of it."""
    stem = (data / "train.txt").read_text().split()[0]
    for name in ("images", "scribbles", "gt"):
        (place / name).mkdir()
        (file,) = (data / name).glob(f"{stem}.*")
        shutil.copy(file, place / name)
    shutil.copy(data / "classes.txt", place)
    shutil.copytree(place / "gt", place / "labels")
    (file,) = (place / "gt").iterdir()
    labels = decode_labels(file.read_bytes(), str(file)).value
    n_classes = len((data / "classes.txt").read_text().splitlines())
    for name, sure in (("maps", SURE), ("others", SURE / 2)):
        (place / name).mkdir()
        write_map(place / name / f"{stem}.npz", likely(labels, n_classes, sure))
    return place


def likely(labels: NDArray[np.uint8], n_classes: int, sure: float) -> NDArray[np.float64]:
    """Probabilities (C, H, W): `sure` for the class of a pixel, the rest shared by the others."""
    rest = (1 - sure) / (n_classes - 1)
    return np.where(labels == np.arange(n_classes)[:, None, None], sure, rest)


def run_once(row: Row, folder: Path) -> tuple[float, float]:
    """Seconds of processor time and on the clock of one run."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", *row.arguments], cwd=folder, env=environment, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def print_table(rows: list[Row]) -> None:
    print(f"{'':30}{'CPU s':>8}{'wall s':>8}{'times numpy':>13}")
    least = next(row for row in rows if row.name == NUMPY).least_cpu
    for row in rows:
        if row.cpu:
            ratio = f"{row.least_cpu / least:12.1f}x"
            print(f"{row.name:30}{row.least_cpu:8.2f}{min(row.wall):8.2f}{ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--imports", nargs="*", default=list(IMPORTS), help="to compare with")
    parser.add_argument("--model", type=Path, help="of a network, for global-predict")
    parser.add_argument("--repeats", type=int, default=10)
    args = parsed(parser, steps=list(SMALLEST), imports=[NUMPY], repeats=1)
    imports = list(dict.fromkeys([NUMPY, *args.imports]))
    lines = {name: STEPS[name] for name in args.steps}
    if args.model is not None:
        imports.append(TORCH)
        lines["global-predict"] = GLOBAL_PREDICT.format(args.model.resolve())
    rows = [Row(text, [text]) for text in imports]
    rows += [Row(name, [PROGRAM, *line.split()]) for name, line in lines.items()]
    with data_folder(None, 1) as data:
        folder = data.parent / "one"
        folder.mkdir()
        prepared(folder, data)
        for row in rows:
            run_once(row, folder)
        with summary(lambda: print_table(rows)):
            for _ in range(args.repeats):
                for row in rows:
                    cpu, wall = run_once(row, folder)
                    row.cpu.append(cpu)
                    row.wall.append(wall)


if __name__ == "__main__":
    run(main)
