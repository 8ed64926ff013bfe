"""Time and memory of steps over very many small images, drawn for it: is either what it should be?

    python benchmarks/many_images.py                            # 100,000 images, half an hour
    python benchmarks/many_images.py --images 2000
    python benchmarks/many_images.py --smallest                 # seconds

Images of 64x64 pixels, each with strokes of two classes. Each step runs as a whole command, with
`--jobs`; it prints the path of each output when it is there. From these come the rates: images a
second in the second tenth of the images and in the last, whose ratio is 1 where the time is linear.
The resident memory of the command and of its workers is looked at all the while; its slope is a
straight line's over the last three quarters of the images, of the command alone and of the workers
together. A step that is killed in the middle (SIGKILL, workers too) and run again must make the
same bytes as one that was not, and a step that is run once more must find everything in place.
`score` and `stats` hold a table: their memory over that of a run over a tenth of the images is what
an image costs. Needs psutil, which the extra `dask` brings.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from reporting import WSS, parsed, run, summary

SIDE = 64
CLASSES = "left", "right"
FOREST = ("--trees", "5", "--features", "20")
MB = 1e6
HEADING = (
    "run                    images  seconds  images/s  last/2nd tenth   most MB  "
    "B/image  of workers"
)


@dataclass
class Run:
    """What was seen of a command."""

    name: str
    seconds: float = 0.0
    moments: list[float] = field(default_factory=list)  # when each output was there
    samples: list[tuple[float, int, int]] = field(default_factory=list)
    """When, resident bytes of the command, and of its workers together."""

    @property
    def most(self) -> int:
        """The most memory that command and workers had together."""
        return max((own + of_workers for _, own, of_workers in self.samples), default=0)

    def rate(self, first: float, last: float) -> float:
        """Images a second between two shares of the images."""
        count = len(self.moments)
        begin, end = int(first * count), int(last * count) - 1
        return (end - begin) / max(self.moments[end] - self.moments[begin], 1e-9)

    def slopes(self) -> tuple[float, float]:
        """Bytes an image, of the command and of the workers, over the last three quarters."""
        start = self.moments[len(self.moments) // 4]
        late = [sample for sample in self.samples if start <= sample[0] <= self.moments[-1]]
        if len(late) < 3:
            return 0.0, 0.0
        done = np.searchsorted(self.moments, [when for when, _, _ in late])
        return tuple(float(np.polyfit(done, [s[k] for s in late], 1)[0]) for k in (1, 2))  # type: ignore[return-value]


def resident(process: psutil.Process) -> int:
    """Bytes of a process; 0 when it is gone."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def watched(name: str, command: Sequence[str], folder: Path, *, kill_after: int = 0) -> Run:
    """Run a command and watch it; with `kill_after`, until it has made so many outputs."""
    seen = Run(name)
    begin = time.perf_counter()
    started = subprocess.Popen(
        [*WSS, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    process, is_over = psutil.Process(started.pid), threading.Event()

    def look() -> None:
        while not is_over.wait(0.2):
            try:
                workers = process.children(recursive=True)
            except psutil.Error:
                return
            when = time.perf_counter() - begin
            seen.samples.append((when, resident(process), sum(map(resident, workers))))

    said: list[str] = []
    threads = [
        threading.Thread(target=look),
        threading.Thread(target=lambda: said.extend(started.stderr or ())),
    ]
    for thread in threads:
        thread.start()
    for _ in started.stdout or ():
        seen.moments.append(time.perf_counter() - begin)
        if kill_after and len(seen.moments) >= kill_after:
            os.killpg(started.pid, signal.SIGKILL)
            break
    code = started.wait()
    seen.seconds = time.perf_counter() - begin
    is_over.set()
    for thread in threads:
        thread.join()
    if code and not kill_after:
        sys.exit(f"{name}: exit status {code}\n{''.join(said)[-2000:]}")
    return seen


def draw(folder: Path, count: int) -> None:
    """Images of two halves of different colours, noise on them, and a stroke on each."""
    for name in ("images", "scribbles", "gt"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "tenth.txt").write_text("".join(f"{k:07}\n" for k in range(max(1, count // 10))))
    columns = np.arange(SIDE)
    for k in range(count):
        rng = np.random.default_rng(k)
        border = int(rng.integers(20, 44))
        colours = rng.integers(30, 220, (2, 3))
        truth = np.broadcast_to((columns >= border).astype(np.uint8), (SIDE, SIDE))
        noise = np.repeat(np.repeat(rng.integers(-12, 13, (16, 16, 3)), 4, 0), 4, 1)
        image = np.clip(colours[truth] + noise, 0, 255).astype(np.uint8)
        strokes = np.full((SIDE, SIDE), 255, np.uint8)
        strokes[8:56, border // 2], strokes[8:56, (border + SIDE) // 2] = 0, 1
        for name, pixels in (("images", image), ("scribbles", strokes), ("gt", truth)):
            Image.fromarray(pixels).save(folder / name / f"{k:07}.png", compress_level=1)


def digest(folder: Path) -> str:
    """A digest of all files of a folder, and of their names."""
    total = hashlib.blake2b()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode())
        total.update(hashlib.blake2b(path.read_bytes()).digest())
    return total.hexdigest()


def print_runs(runs: Sequence[Run]) -> None:
    """The table of what has been measured."""
    print(HEADING)
    for one in runs:
        count = len(one.moments)
        if count < 20:
            print(f"{one.name:22} {count:6} {one.seconds:8.1f}  {'':24}  {one.most / MB:8.0f}")
            continue
        own, of_workers = one.slopes()
        linear = one.rate(0.9, 1) / one.rate(0.1, 0.2)
        print(
            f"{one.name:22} {count:6} {one.seconds:8.1f} {one.rate(0, 1):9.1f} {linear:15.2f} "
            f"{one.most / MB:9.0f} {own:8.0f} {of_workers:11.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000, help="how many are drawn")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to draw them; default: a temporary one")
    parser.add_argument(
        "--skip", nargs="*", default=(), choices=("rf-predict again", "fuse"),
        help="what is not run; nothing else needs it",
    )  # fmt: skip
    parser.add_argument("--dask", type=int, default=5000, help="images that a cluster gets too")
    args = parsed(parser, images=24, dask=6, jobs=1)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as temporary, summary(lambda: print_runs(runs)):
        folder = args.folder or Path(temporary)
        begin = time.perf_counter()
        draw(folder, args.images)
        print(f"{args.images} images drawn in {time.perf_counter() - begin:.0f} s", flush=True)

        def measure(name: str, *command: str, kill_after: int = 0) -> Run:
            jobs = ("--jobs", str(args.jobs))
            runs.append(watched(name, [*command, *jobs], folder, kill_after=kill_after))
            print(f"{name}: {runs[-1].seconds:.1f} s", file=sys.stderr, flush=True)
            return runs[-1]

        local = ("rf-predict", "images", "scribbles", *FOREST, "-o")
        measure("rf-predict", *local, "local")
        if "rf-predict again" not in args.skip:
            measure("rf-predict again", *local, "local")
        if "fuse" not in args.skip:
            measure("fuse", "fuse", "local", "local", "-o", "fused")
        measure("argmax", "argmax", "local", "-o", "labels")
        measure("argmax, killed", "argmax", "local", "-o", "other", kill_after=args.images // 2)
        measure("argmax, gone on", "argmax", "local", "-o", "other")
        same = digest(folder / "labels") == digest(folder / "other")
        print(f"killed and run again: {'the same bytes' if same else 'OTHER BYTES'}", flush=True)
        for name, *command in (("score", "score", "labels", "gt"), ("stats", "stats", "gt")):
            few = measure(f"{name}, a tenth", *command, "--ids", "tenth.txt")
            every = measure(name, *command)
            cost = (every.most - few.most) / (args.images - max(1, args.images // 10))
            print(f"{name}: {cost:.0f} bytes an image", flush=True)
        few = folder / "few.txt"
        few.write_text("".join(f"{k:07}\n" for k in range(args.dask)))
        options = ("--backend", "dask", "--ids", str(few))
        measure("argmax, dask", "argmax", "local", "-o", "dask", *options)
        equal = all(
            path.read_bytes() == (folder / "labels" / path.name).read_bytes()
            for path in (folder / "dask").iterdir()
        )
        print(f"on a cluster: {'the same bytes' if equal else 'OTHER BYTES'}", flush=True)


if __name__ == "__main__":
    run(main)
