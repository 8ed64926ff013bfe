"""How much of its speed training, and each step with `--jobs`, keeps beside other programs.

    python benchmarks/sharing.py --data camvid/ --iterations 24 --images 24
    python benchmarks/sharing.py --work train crf               # on drawn scenes
    python benchmarks/sharing.py --smallest                     # seconds

Each kind of work runs alone and beside K busy processes per core, by turns. The processes are of
one session, so that Linux gives each thread the same share of a core: with K others on a core, fair
is 1/(K + 1) of the speed alone. The last column is the speed over that share; below 0.85, the work
loses more than the others take.

Training with `train` of MobileNetV2 meets at a barrier thousands of times a step. Threads that spin
there (the default of libgomp, which torch brings) keep a core from the process that works; those
that sleep (OMP_WAIT_POLICY=passive, GOMP_SPINCOUNT=0, which `wss` sets) leave it. It is measured
both ways, in iterations per second. The steps are whole commands, start included, in images per
second; all figures are medians over turns.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reporting import WSS, data_folder, parsed, run, summary
from training import N_DRAWN, SMALLEST, Bench, options

PASSIVE = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
TRAINING = {"train": PASSIVE, "train, spinning": {}}
STEPS = {
    "rf-predict": ["rf-predict", "images", "scribbles"],
    "walker": ["local-predict", "--model", "walker", "images", "scribbles"],
    "potts": ["regularize", "--potts", "--images", "images", "local"],
    "crf": ["regularize", "--crf", "--images", "images", "local"],
    "global-predict": ["global-predict", "images", "--model", "model.pt"],
    "fuse": ["fuse", "local", "local"],
    "argmax": ["argmax", "local"],
}
WORK = (*TRAINING, *STEPS)
MEASURE = "--measure"
Rates = dict[tuple[str, int], list[float]]
"""(work, busy processes per core): iterations or images per second."""


@contextlib.contextmanager
def busy_cores(per_core: int) -> Iterator[None]:
    """So many processes per core that compute all the time."""
    loop = (
        "import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"while os.getppid() == {os.getpid()}: pass"  # ends with this process at last
    )
    processes: list[subprocess.Popen] = []
    try:
        for _ in range(per_core * (os.cpu_count() or 1)):
            processes.append(subprocess.Popen([sys.executable, "-c", loop]))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def iterations_per_second(work: str, data: Path) -> Iterator[float]:
    """The rate of a process that trains, with each number of busy processes."""
    environment = {k: v for k, v in os.environ.items() if k not in PASSIVE} | TRAINING[work]
    command = [sys.executable, __file__, *sys.argv[1:], "--data", str(data), MEASURE]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield from map(float, process.stdout or ())
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, command)
    finally:
        process.kill()
        process.wait()


class Steps:
    """A folder that holds what the steps read, and how fast they are there."""

    def __init__(self, folder: Path, data: Path, count: int, works: list[str]) -> None:
        self.folder = folder
        needed = {word for work in works for word in STEPS[work]}
        stems = (data / "train.txt").read_text().split()[:count]
        (folder / "ids.txt").write_text("\n".join(stems) + "\n")
        self.count = len(stems)
        for name in ("images", "scribbles", "classes.txt"):
            (folder / name).symlink_to(data.resolve() / name)
        if "local" in needed:
            self._run([*STEPS["rf-predict"], "-o", "local", "--ids", "ids.txt"])
        if "model.pt" not in needed:
            return
        train = ["train", "--images", "images", "--labels", "scribbles", "-o", "model.pt"]
        small = ["--arch", "deeplabv2-mobilenetv2", "--init", "random", "--iterations", "1"]
        self._run([*train, *small, "--batch", "2", "--crop", "65", "--ids", "ids.txt"])

    def images_per_second(self, work: str, levels: Sequence[int]) -> Iterator[float]:
        """The rate of a whole command with a worker per core, by numbers of busy processes."""
        command = [*STEPS[work], "-o", "out", "--ids", "ids.txt", "--jobs", str(os.cpu_count())]
        for busy in levels:
            with busy_cores(busy):
                begin = time.perf_counter()
                self._run(command)
                seconds = time.perf_counter() - begin
            shutil.rmtree(self.folder / "out")
            yield self.count / seconds

    def _run(self, command: list[str]) -> None:
        done = subprocess.run([*WSS, *command], cwd=self.folder, capture_output=True, text=True)
        if done.returncode < 0 or done.returncode > 100:
            raise KeyboardInterrupt
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr}")


def print_rates(rates: Rates) -> None:
    """The table of what has been measured."""
    medians = {way: statistics.median(values) for way, values in rates.items() if values}
    print("work              busy a core   per second  of alone  over the fair share")
    for (work, busy), rate in medians.items():
        alone = medians.get((work, 0))
        share = f"{rate / alone:9.2f} {rate / alone * (busy + 1):20.2f}" if alone else ""
        print(f"{work:17} {busy:11} {rate:12.3f} {share}".rstrip())


def main() -> None:
    parser = options(__doc__)
    parser.add_argument(MEASURE, action="store_true", help="print the rates of one training")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK), metavar="NAME")
    parser.add_argument("--busy", nargs="+", type=int, default=[1, 2], help="processes per core")
    parser.add_argument("--images", type=int, default=N_DRAWN, help="how many the steps get")
    parser.set_defaults(init="random")
    args = parsed(parser, **SMALLEST, busy=[1], images=1, work=["train", "argmax"])
    levels = (0, *args.busy)
    if args.measure:
        bench = Bench(args, args.data)
        for busy in levels:
            with busy_cores(busy):
                print(bench.ours(args.precision, "gt"), flush=True)
        return
    print(f"{args.arch}, {args.precision}, batch {args.batch}, {args.crop}x{args.crop}", flush=True)
    rates: Rates = {(work, busy): [] for work in args.work for busy in levels}
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(data_folder(args.data, args.drawn)).resolve()
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(summary(lambda: print_rates(rates)))
        works = [work for work in args.work if work in STEPS]
        steps = Steps(place, data, args.images, works)
        for work in works:
            list(steps.images_per_second(work, [0]))  # what is compiled then is compiled
        for turn in range(args.repeats):
            for work in args.work:
                found = (
                    iterations_per_second(work, data)
                    if work in TRAINING
                    else steps.images_per_second(work, levels)
                )
                for busy, rate in zip(levels, found, strict=True):
                    rates[work, busy].append(rate)
                    said = f"turn {turn + 1}: {work}, {busy} busy: {rate:.3f}"
                    print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
