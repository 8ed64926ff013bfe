"""How much slower training becomes beside busy processes, with threads that spin or sleep.

    python benchmarks/sharing.py                                # on drawn scenes
    python benchmarks/sharing.py --data camvid/ --iterations 24
    python benchmarks/sharing.py --smallest                     # seconds

A step of training meets at a barrier thousands of times. Threads that spin there (the default of
libgomp, which torch brings) keep a core from the process that works; those that sleep
(OMP_WAIT_POLICY=passive, GOMP_SPINCOUNT=0, which `wss` sets) leave it. Training with `train` of
MobileNetV2 is measured alone and beside one busy process per core, both ways by turns, each in a
process of its own, as libgomp reads the variables when it is loaded. The figures are medians of
iterations per second; "times as long" is the rate alone, spinning, over each.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from reporting import data_folder, parsed, run, summary
from training import N_DRAWN, SMALLEST, Bench, options

WAITING = {
    "spinning": {},
    "passive": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
}
SURROUNDINGS = ("alone", "beside")
MEASURE = "--measure"
Rates = dict[tuple[str, str], list[float]]
"""(how threads wait, alone or beside): iterations per second."""


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """One process per core that computes all the time."""
    loop = f"import os\nwhile os.getppid() == {os.getpid()}: pass"  # ends with this process at last
    processes: list[subprocess.Popen] = []
    try:
        for _ in range(os.cpu_count() or 1):
            command = [sys.executable, "-c", loop]
            processes.append(subprocess.Popen(command, start_new_session=True))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measured(waiting: str, surroundings: str, folder: Path) -> float:
    """Iterations per second of a process that trains."""
    environment = {k: v for k, v in os.environ.items() if k not in WAITING["passive"]}
    command = [sys.executable, __file__, *sys.argv[1:], "--data", str(folder), MEASURE]
    with busy_cores() if surroundings == "beside" else contextlib.nullcontext():
        done = subprocess.run(
            command, env=environment | WAITING[waiting], stdout=subprocess.PIPE, text=True,
            check=True, start_new_session=True,  # Ctrl-C is for this process alone
        )  # fmt: skip
    return float(done.stdout)


def print_rates(rates: Rates) -> None:
    """The table of what has been measured."""
    medians = {way: statistics.median(values) for way, values in rates.items() if values}
    reference = medians.get(("spinning", "alone"))
    print("threads wait  surroundings  iterations/s  times as long")
    for (waiting, surroundings), rate in medians.items():
        ratio = f"{reference / rate:14.2f}" if reference else ""
        print(f"{waiting:13} {surroundings:12} {rate:13.3f} {ratio}")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument(MEASURE, action="store_true", help="print the rate of one training")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.set_defaults(init="random")
    args = parsed(parser, **SMALLEST)
    if args.measure:
        print(Bench(args, args.data).ours(args.precision, "gt"))
        return
    print(f"{args.arch}, {args.precision}, batch {args.batch}, {args.crop}x{args.crop}")
    print(f"beside: {os.cpu_count()} busy processes", flush=True)
    rates: Rates = {(way, place): [] for way in WAITING for place in SURROUNDINGS}
    with data_folder(args.data, N_DRAWN) as folder, summary(lambda: print_rates(rates)):
        for turn in range(args.repeats):
            for (waiting, surroundings), values in rates.items():
                values.append(measured(waiting, surroundings, folder.resolve()))
                said = f"turn {turn + 1}: {waiting}, {surroundings}: {values[-1]:.3f}"
                print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
