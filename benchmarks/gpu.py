"""What a GPU does with `wss`, in one run: training, memory, equal bits, Potts, losses, torchrun.

    python benchmarks/gpu.py                                   # on a GPU: minutes
    python benchmarks/gpu.py --data camvid/ --parts training   # on real images
    python benchmarks/gpu.py --smallest                        # seconds

Without a GPU it says so and runs every part on the CPU at its smallest size, which shows that all
runs and measures nothing. `camvid/` is as for training.py; without it, images of 500x375 with 21
classes are made. Networks have random weights, which take as long as others, and the statistics of
a batch; the batch normalization of ResNets is frozen, as in the schedule.

`training`: iterations a second of `wss train`'s own loop, loading included; of the same steps on
one batch that is on the GPU already; and what arithmetic allows: the operations of a step, three
times those that torch counts forward, over the rate of a large product of matrices in the same
precision (of float32: TF32, as convolutions are rounded there).
`parts`: rate and memory of `--accumulate`.
`bits`: two trainings of one seed.
`potts`, `losses`: a GPU's code against that of the CPU, on the same problem.
`torchrun`: `wss train` under it, as one process, and by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from reporting import WSS, parsed, run, summary
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.potts.solver import PottsSolution, edge_weights, solve_potts, unary
from wsstools.nn.data.crops import Batch, Samples
from wsstools.nn.data.pairs import CachedPairs, LabelledImages
from wsstools.nn.device import reproducible
from wsstools.nn.models.networks import build
from wsstools.nn.potts import solve_potts_on_device
from wsstools.nn.regularizing.affinities import Crops
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.loop import _Run, train
from wsstools.nn.training.replay import own_stream
from wsstools.nn.training.schedules import OUTPUT_STRIDE, SCHEDULES, output_strides

NO_GPU = "no GPU: every part runs on the CPU at its smallest size, which measures nothing"
WARM_UP = 4  # iterations; those in which a step is recorded among them
FULL_RUN = 20_000
LEARNING_RATE = 1e-8  # so small that random weights stay finite; it takes the same time
NEAR, MINUTES = 0.9, 12.0  # targets: of the rate without loading; for a full run, in bfloat16
N_MATRIX = {"cuda": 8192, "cpu": 512}
N_PRODUCTS = 10
SHAPE = (375, 500)
N_CLASSES, N_IMAGES = 21, 40
SMOOTHNESS, ETA = 10.0, 0.01  # of Potts
STROKES = 0.03  # share of the pixels that are labelled, for the losses
ALL_PAIRS = ("densecrf", "ncut", "kernelcut")
ALL_PAIRS_SCALE = 0.25  # whose matrices a GPU holds
SMALLEST = {
    "arch": "deeplabv2-mobilenetv2", "batch": 3, "crop": 33, "iterations": WARM_UP + 4,
    "repeats": 1, "workers": 1, "shape": (30, 40), "images": 4, "potts_classes": (2, 3),
}  # fmt: skip


class Figures:
    """Lines of the report, in sections; a figure with a target says whether it is reached."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        self.lines.append(f"\n{title}")
        print(title, file=sys.stderr, flush=True)

    def add(self, name: str, value: str, *, reached: bool | None = None) -> None:
        verdict = "" if reached is None else "   reached" if reached else "   MISSED"
        self.lines.append(f"  {name:44s} {value}{verdict}")
        print(self.lines[-1], file=sys.stderr, flush=True)

    def show(self) -> None:
        print("\n".join(self.lines), flush=True)


def scene(rng: np.random.Generator, shape: tuple[int, int], n: int) -> tuple[NDArray, NDArray]:
    """A picture (H, W, 3) uint8 of regions around points, each of a class; and classes (H, W)."""
    rows, columns = np.indices(shape)
    centres = rng.uniform(0, 1, (2 * n, 2)) * shape
    squares = [(rows - i) ** 2 + (columns - j) ** 2 for i, j in centres]
    labels = (np.argmin(squares, axis=0) % n).astype(np.uint8)
    colours = rng.uniform(40, 215, (n, 3))
    texture = gaussian_filter(rng.normal(0, 60, (*shape, 3)), (2, 2, 0))
    return np.clip(colours[labels] + texture, 0, 255).astype(np.uint8), labels


def write_data(folder: Path, shape: tuple[int, int], n_images: int) -> Path:
    """images/, gt/, train.txt and classes.txt, as of a data set."""
    rng = np.random.default_rng(0)
    stems = [f"{number:03d}" for number in range(n_images)]
    for name in ("images", "gt"):
        (folder / name).mkdir(parents=True)
    for stem in stems:
        image, labels = scene(rng, shape, N_CLASSES)
        Image.fromarray(image).save(folder / "images" / f"{stem}.jpg", quality=90)
        Image.fromarray(labels).save(folder / "gt" / f"{stem}.png")
    (folder / "train.txt").write_text("".join(f"{stem}\n" for stem in stems))
    (folder / "classes.txt").write_text("".join(f"class {c}\n" for c in range(N_CLASSES)))
    return folder


@contextlib.contextmanager
def data_of(args: argparse.Namespace) -> Iterator[Path]:
    if args.data is not None:
        yield args.data
        return
    with tempfile.TemporaryDirectory() as place:
        yield write_data(Path(place) / "made", args.shape, args.images)


def rate_of(moments: list[float]) -> float:
    """Iterations per second between the first moment after the warm-up and the last but one."""
    used = moments[WARM_UP:-1]
    return (len(used) - 1) / (used[-1] - used[0])


def digest(state: dict[str, Tensor]) -> str:
    return hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in state)).hexdigest()


def made_state(arch: str, n_classes: int, batch: Batch) -> dict[str, Tensor]:
    """Random weights and the statistics of a batch, which keep a frozen network's numbers small."""
    torch.manual_seed(0)
    network = build(arch, n_classes).train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        network(batch.images)
    return network.state_dict()


def step_operations(arch: str, n_classes: int, batch: int, crop: int) -> float:
    """Floating-point operations of a training step: those that torch counts forward, three times.

    Torch's count of a backward pass takes convolutions of groups for whole ones; of ResNet-101,
    which has none, both ways agree within 0.02 %.
    """
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(arch, n_classes).eval()(torch.zeros(1, 3, crop, crop))
    return 3.0 * counter.get_total_flops() * batch


def matrix_rate(device: torch.device, precision: str) -> float:
    """Operations a second of a product of large matrices, in float32 as convolutions round it."""
    n = N_MATRIX[device.type]
    a = torch.randn(n, n, device=device, dtype=getattr(torch, precision))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    seconds = []
    try:
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(N_PRODUCTS):
                product = a @ a
            product[0, 0].item()
            seconds.append(time.perf_counter() - begin)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * n**3 * N_PRODUCTS / min(seconds)


class Gpu:
    """The parts of the run, on one device and one data set."""

    def __init__(self, args: argparse.Namespace, folder: Path, figures: Figures) -> None:
        self.args, self.folder, self.figures = args, folder, figures
        self.device = torch.device(args.device)
        self.schedule = dataclasses.replace(
            SCHEDULES[args.arch], iterations=args.iterations, batch=args.batch, crop=args.crop,
            learning_rate=LEARNING_RATE,
        )  # fmt: skip
        self.n_classes = len((folder / "classes.txt").read_text().splitlines())
        stems = (folder / "train.txt").read_text().split()
        pairs = LabelledImages(
            tuple(next((folder / "images").glob(f"{stem}.*")) for stem in stems),
            tuple(folder / "gt" / f"{stem}.png" for stem in stems),
            self.n_classes,
        )
        self.pairs = CachedPairs(pairs, 2**31)
        self.pairs.check(threads=2, advance=lambda: None)
        first = dataclasses.replace(self.schedule, batch=2)
        self.state = made_state(args.arch, self.n_classes, Samples(self.pairs, first, 0).batch(0))

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    def loop(self, precision: str, *, iterations: int | None = None) -> tuple[float, str]:
        """Iterations a second of a training, and a digest of its weights."""
        moments: list[float] = []
        state = train(
            self.pairs,
            arch=self.args.arch,
            n_classes=self.n_classes,
            schedule=dataclasses.replace(
                self.schedule, iterations=iterations or self.schedule.iterations
            ),
            initial_state=self.state,
            world=ProcessGroup(device=self.args.device),
            precision=precision,
            workers=self.args.workers,
            on_iteration=lambda _: moments.append(time.perf_counter()),
        )
        return rate_of(moments), digest(state)

    def without_loading(self, precision: str, accumulate: int = 1) -> float:
        """Iterations a second on one batch that is on the device."""
        made = _Run(
            self.args.arch, self.n_classes, output_strides(self.args.arch)[0], self.schedule, 0,
            self.state, ProcessGroup(device=self.args.device), precision == "bfloat16", None, None,
            False, accumulate,
        )  # fmt: skip
        batch = Samples(self.pairs, self.schedule, 0).batch(0)
        batch = Batch(*(part.to(self.device) for part in batch))
        moments: list[float] = []
        last = None
        with reproducible(self.device), own_stream(self.device):
            for _ in range(self.schedule.iterations):
                step = made.step(batch)
                if last is not None:
                    last.checked()
                    moments.append(time.perf_counter())
                last = step
        return rate_of(moments)

    @contextlib.contextmanager
    def memory(self) -> Iterator[Callable[[], str]]:
        """Gives the most GPU memory of the block; nothing is said of a CPU's."""
        if self.is_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        yield (
            lambda: (
                f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB"
                if self.device.type == "cuda"
                else "not of a CPU"
            )
        )

    def training(self) -> None:
        args, figures = self.args, self.figures
        work = step_operations(args.arch, self.n_classes, args.batch, args.crop)
        figures.add("operations of a step", f"{work / 1e9:.2f} GFLOP")
        for precision in ("bfloat16", "float32"):
            loops, fixed = [], []
            with self.memory() as most:
                for _ in range(args.repeats):
                    loops.append(self.loop(precision)[0])
                    fixed.append(self.without_loading(precision))
                memory = most()
            rate, alone = statistics.median(loops), statistics.median(fixed)
            peak = matrix_rate(self.device, precision)
            minutes = FULL_RUN / rate / 60
            figures.add(f"{precision}: wss train's loop", f"{rate:.3f} iterations/s")
            figures.add(f"{precision}: the same without loading", f"{alone:.3f} iterations/s")
            figures.add(
                f"{precision}: loop over without loading", f"{rate / alone:.3f}",
                reached=rate >= NEAR * alone if self.is_gpu else None,
            )  # fmt: skip
            figures.add(f"{precision}: product of matrices", f"{peak / 1e12:.3f} TFLOP/s")
            figures.add(f"{precision}: what arithmetic allows", f"{peak / work:.3f} iterations/s")
            figures.add(f"{precision}: of that, the loop reaches", f"{rate * work / peak:.3f}")
            figures.add(
                f"{precision}: {FULL_RUN} iterations", f"{minutes:.2f} minutes",
                reached=minutes < MINUTES if self.is_gpu and precision == "bfloat16" else None,
            )  # fmt: skip
            figures.add(f"{precision}: most memory", memory)

    def parts(self) -> None:
        for n in dict.fromkeys((1, 2, self.args.batch // 2, self.args.batch)):
            if n < 1:
                continue
            with self.memory() as most:
                rate = self.without_loading("bfloat16", n)
                self.figures.add(f"--accumulate {n}", f"{rate:.3f} iterations/s, {most()}")

    def bits(self) -> None:
        iterations = min(self.args.iterations, 50)
        for precision in ("bfloat16", "float32"):
            found = [self.loop(precision, iterations=iterations)[1] for _ in range(2)]
            same = "the same" if found[0] == found[1] else "other"
            self.figures.add(
                f"{precision}: two runs of {iterations} iterations",
                f"{same} bits ({found[0][:12]}, {found[1][:12]})",
                reached=found[0] == found[1],
            )

    def potts(self) -> None:
        for n_classes in self.args.potts_classes:
            image, labels = scene(np.random.default_rng(n_classes), self.args.shape, n_classes)
            rng = np.random.default_rng(0)
            logits = 1.5 * (labels == np.arange(n_classes)[:, None, None])
            logits = logits + rng.normal(0, 1, logits.shape)
            probs = np.exp(logits) / np.exp(logits).sum(axis=0)
            costs = unary(probs.astype(np.float32))
            problem = costs, SMOOTHNESS * edge_weights(image, eta=ETA)
            device = partial(solve_potts_on_device, device=self.args.device)
            one, other = (
                self._solved(f"{n_classes} classes, {name}", partial(solve, *problem))
                for name, solve in (("the CPU's code", solve_potts), (self.args.device, device))
            )
            energies = abs(one.primal - other.primal) / abs(one.primal)
            alike = (one.soft.argmax(axis=0) == other.soft.argmax(axis=0)).mean()
            apart = np.abs(one.soft - other.soft).mean()
            self.figures.add(
                f"{n_classes} classes, difference",
                f"energies {energies:.2e}, maps {apart:.2e} in mean, labels {1 - alike:.2e}",
                reached=energies <= 1e-3,
            )

    def _solved(self, name: str, solve: Callable[[], PottsSolution]) -> PottsSolution:
        solution, seconds = solve(), []
        for _ in range(max(2, self.args.repeats)):
            begin = time.perf_counter()
            solution = solve()
            seconds.append(time.perf_counter() - begin)
        self.figures.add(
            name,
            f"{statistics.median(seconds):.4f} s, gap {solution.gap:.2e}, "
            f"{sum(solution.iterations)} iterations",
        )
        return solution

    def losses(self) -> None:
        batch = Samples(self.pairs, self.schedule, 0).batch(0)
        side = -(-(self.args.crop - 1) // OUTPUT_STRIDE) + 1
        torch.manual_seed(0)
        is_stroke = torch.rand(batch.targets.shape) < STROKES
        batch = batch._replace(targets=torch.where(is_stroke, batch.targets, IGNORE_LABEL))
        logits = 2 * torch.randn(self.args.batch, self.n_classes, side, side)
        for name, constants in CONSTANTS.items():
            if name in ALL_PAIRS:
                constants = dataclasses.replace(constants, scale=ALL_PAIRS_SCALE)
            regularizer = Regularizer(name, constants, 1.0)
            try:
                found = [
                    self._regularized(regularizer, logits, batch, torch.device(device))
                    for device in ("cpu", self.args.device)
                ]
            except torch.cuda.OutOfMemoryError:
                self.figures.add(name, f"no memory for it at scale {constants.scale:g}")
                continue
            (value, gradient, seconds), (other, direction, others_seconds) = found
            cosine = torch.cosine_similarity(gradient, direction, dim=0).item()
            self.figures.add(
                f"{name}, scale {constants.scale:g}",
                f"CPU {value:.5f}, {self.args.device} {other:.5f}; gradients: cosine {cosine:.5f}, "
                f"lengths {(direction.norm() / gradient.norm()).item():.4f}; "
                f"{1e3 * seconds:.2f} and {1e3 * others_seconds:.2f} ms",
                reached=cosine > 0.97,
            )

    def _regularized(
        self, regularizer: Regularizer, logits: Tensor, batch: Batch, device: torch.device
    ) -> tuple[float, Tensor, float]:
        """Value, gradient by the logits (on the CPU), and seconds for both."""
        images, targets, is_real, scale = (part.to(device) for part in batch)
        crops = Crops(images, is_real, targets, scale)
        logits = logits.detach().to(device).requires_grad_()
        seconds = []
        for _ in range(1 + max(2, self.args.repeats)):
            begin = time.perf_counter()
            loss = regularizer(logits, crops, OUTPUT_STRIDE)
            (gradient,) = torch.autograd.grad(loss, logits)
            value = loss.item()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return value, gradient.cpu().flatten(), statistics.median(seconds[1:])

    def torchrun(self) -> None:
        iterations = min(self.args.iterations, 50)
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        start += ["--nproc-per-node", "1", *WSS[1:]]
        models, seconds = [], []
        with tempfile.TemporaryDirectory() as place:
            for name, command in (("alone", WSS), ("torchrun", start)):
                model = Path(place) / name / "net.pt"
                model.parent.mkdir()
                begin = time.perf_counter()
                subprocess.run(
                    [
                        *command, "train", "--images", self.folder / "images", "--labels",
                        self.folder / "gt", "--ids", self.folder / "train.txt", "--arch",
                        self.args.arch, "--init", "random", "--iterations", str(iterations),
                        "--batch", str(self.args.batch), "--crop", str(self.args.crop),
                        "--device", self.args.device, "-o", model,
                    ],
                    check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env={"OMP_NUM_THREADS": "1", **os.environ},  # as torchrun does
                )  # fmt: skip
                seconds.append(time.perf_counter() - begin)
                models.append(hashlib.sha256(model.read_bytes()).hexdigest())
        same = "the same" if models[0] == models[1] else "other"
        self.figures.add(
            f"a command of {iterations} iterations", f"alone {seconds[0]:.1f} s, "
            f"under torchrun {seconds[1]:.1f} s; {same} bits",
            reached=models[0] == models[1],
        )  # fmt: skip


PARTS: dict[str, tuple[str, Callable[[Gpu], None]]] = {
    "training": ("training", Gpu.training),
    "parts": ("a batch in parts, bfloat16, without loading", Gpu.parts),
    "bits": ("the same bits", Gpu.bits),
    "potts": ("Potts", Gpu.potts),
    "losses": ("losses beside the cross entropy, forward and back", Gpu.losses),
    "torchrun": ("torchrun, one process", Gpu.torchrun),
}


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--arch", default="deeplabv2-resnet101", choices=SCHEDULES)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=8)
    parser.set_defaults(shape=SHAPE, images=N_IMAGES, potts_classes=(2, 5, N_CLASSES))
    return parser


def main() -> None:
    parser = options()
    args = parsed(parser, **SMALLEST)
    name = "CPU"
    if args.device.startswith("cuda") and torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        print(NO_GPU, flush=True)
        parser.set_defaults(**SMALLEST)
        args = parser.parse_args()
        args.device = "cpu"
    figures = Figures()
    print(f"{name}: {args.arch}, batch {args.batch}, {args.crop}x{args.crop}", flush=True)
    with data_of(args) as folder, summary(figures.show):
        bench = Gpu(args, folder, figures)
        for part in args.parts:
            title, measure = PARTS[part]
            figures.section(title)
            measure(bench)


if __name__ == "__main__":
    run(main)
