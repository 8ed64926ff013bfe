"""Throughput of per-image steps on a dask cluster against processes of this machine.

    python benchmarks/backends.py
    python benchmarks/backends.py --number 4 --repeats 1          # short
    python benchmarks/backends.py --smallest                      # seconds
    python benchmarks/backends.py --images images/ --scribbles scribbles/ --number 48

Two `dask worker` processes of a thread each, which talk TCP with a scheduler, against `--jobs 2`:
the same commands on the same images, by turns (loky, dask, dask, loky, ...), each into a new
folder. Images a second are those of whole commands, from the start of `wss` to its end; the workers
of the cluster run already, those of loky start with each command. Both have run once before, so
that nothing is compiled. CPU is that of all processes of a side, scheduler included; its ratio can
be read on a busy machine too. Ratios above 1 say that dask is faster, or takes less. Needs the
extra `dask`. Without images it draws some.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reporting import WSS, draw_data, installed, parsed, run, summary

if TYPE_CHECKING:
    import psutil

WORKERS = 2
FOREST, CRF = "rf-predict", "regularize --crf"


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[Path, list[psutil.Process]]]:
    """The scheduler's file, and the processes."""
    import psutil  # comes with dask

    file = folder / "scheduler.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # as loky's workers have it

    def start(what: str, *options: str) -> psutil.Process:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard"]
        log = (folder / f"{what}.log").open("ab")
        started = subprocess.Popen(
            [*command, *options], stdout=log, stderr=log, cwd=folder, env=environment
        )
        return psutil.Process(started.pid)

    processes = [start("scheduler", "--port", "0", "--scheduler-file", str(file))]
    try:
        while not file.exists():
            time.sleep(0.1)
        for _ in range(WORKERS):
            options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder / "w")]
            processes.append(start("worker", "--scheduler-file", str(file), *options))
        while (folder / "worker.log").read_text().count("Registered to:") < WORKERS:
            time.sleep(0.1)
        yield file, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Of these processes and of all children of this one that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [process.cpu_times() for process in processes]
    return ended.ru_utime + ended.ru_stime + sum(t.user + t.system for t in times)


def run_step(command: list[str], processes: list[psutil.Process]) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    cpu, wall = cpu_seconds(processes), time.perf_counter()
    subprocess.run(
        [*WSS, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - wall, cpu_seconds(processes) - cpu


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def compare(
    name: str,
    step: list[str],
    number: int,
    repeats: int,
    folder: Path,
    file: Path,
    processes: list[psutil.Process],
) -> None:
    """Measure one step, and print its line of the table."""
    sides = {
        "loky": ["--jobs", str(WORKERS)],
        "dask": ["--backend", "dask", "--scheduler", str(file)],
    }
    numbers = itertools.count()

    def timed(side: str) -> tuple[float, float]:
        out = folder / f"{name.replace(' ', '')}-{side}-{next(numbers)}"
        found = run_step([*step, *sides[side], "-o", str(out)], processes)
        made.setdefault(side, contents(out))
        return found

    made: dict[str, dict[str, bytes]] = {}
    for side in sides:
        timed(side)
    assert made["loky"] == made["dask"], f"{name}: other bytes"
    times: list[tuple[str, float, float]] = []
    with summary(lambda: print_line(name, number, times)):
        for turn in range(repeats):
            for side in list(sides)[:: -1 if turn % 2 else 1]:
                times.append((side, *timed(side)))


def print_line(name: str, number: int, times: list[tuple[str, float, float]]) -> None:
    """The medians of the runs of both sides: (side, wall seconds, CPU seconds)."""
    if {time[0] for time in times} != {"loky", "dask"}:
        return
    wall = {s: statistics.median(t[1] for t in times if t[0] == s) for s in ("loky", "dask")}
    cpu = {s: statistics.median(t[2] for t in times if t[0] == s) for s in ("loky", "dask")}
    print(
        f"{name:16} {number:6} | {number / wall['loky']:9.2f} {number / wall['dask']:9.2f}"
        f" {wall['loky'] / wall['dask']:6.2f} | {cpu['loky']:9.1f} {cpu['dask']:9.1f}"
        f" {cpu['loky'] / cpu['dask']:6.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path)
    parser.add_argument("--scribbles", type=Path)
    parser.add_argument("--number", type=int, default=24, help="images")
    parser.add_argument("--repeats", type=int, default=4, help="of a run of each side")
    parser.add_argument("--steps", nargs="+", default=[FOREST, CRF], choices=[FOREST, CRF])
    args = parsed(parser, number=2, repeats=1, steps=[FOREST])
    if (args.images is None) != (args.scribbles is None):
        parser.error("--images and --scribbles go together")
    if installed("distributed", "dask[distributed]") is None:
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images, scribbles = args.images, args.scribbles
        if images is None:
            data = draw_data(folder / "data", args.number)
            images, scribbles = data / "images", data / "scribbles"
        stems = sorted({p.stem for p in images.iterdir()} & {p.stem for p in scribbles.iterdir()})
        stems = stems[: args.number]
        (folder / "ids.txt").write_text("".join(f"{stem}\n" for stem in stems))
        ids = ["--ids", str(folder / "ids.txt")]
        forest = ["rf-predict", str(images.resolve()), str(scribbles.resolve()), *ids]
        maps = folder / "maps"
        print(
            "step             images | loky: /s  dask: /s  ratio | loky: CPU s  dask: CPU s  ratio"
        )
        with cluster(folder) as (file, processes):
            if CRF in args.steps:
                run_step([*forest, "--jobs", str(WORKERS), "-o", str(maps)], processes)
            crf = ["regularize", "--crf", str(maps), "--images", str(images.resolve())]
            for name, step in ((FOREST, forest), (CRF, crf)):
                if name in args.steps:
                    compare(name, step, len(stems), args.repeats, folder, file, processes)


if __name__ == "__main__":
    run(main)
