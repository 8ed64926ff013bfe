"""Throughput of `wss train` against a plain loop of torchvision's reference training.

    python benchmarks/training.py --data camvid/ --weights weights/               # CPU
    python benchmarks/training.py --data camvid/ --weights weights/ --device cuda \
        --arch deeplabv2-resnet101 --init random --crop 321 --batch 10 --iterations 200
    python benchmarks/training.py --smallest                                      # seconds

`camvid/` holds images/, gt/, scribbles/, train.txt and classes.txt; without it scenes are drawn.
The peer (MobileNetV2 only) is torchvision's references/segmentation/train.py: its transforms on PIL
images, a DataLoader, its network in float32 as torch lays it out, its criterion and optimizer; with
as many loading processes as are fastest. It trains the same network, made of torchvision's layers,
at the same batch, crop and scales. "+" is that loop with bfloat16 and channels last, which the
reference does not do on a CPU. All runs take turns; the figures are medians over turns of
iterations per second, from batch to batch, the first ones of a turn left out.

`--losses` times the steps with each of `train --loss` beside the cross entropy, on one batch.

On any device: the same steps on one batch that is there already (no data loading), and the
arithmetic limit: floating-point operations of a step (three times those that torch counts forward)
over the rate of a large product of matrices in the same precision.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from reporting import data_folder, parsed, run, summary
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from wsstools.nn.data.crops import Batch, Samples
from wsstools.nn.data.pairs import CachedPairs, LabelledImages
from wsstools.nn.models.initial import imagenet_state
from wsstools.nn.models.networks import IMAGENET_MEAN, IMAGENET_STD
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.loop import _Run, train, uses_bfloat16
from wsstools.nn.training.replay import own_stream
from wsstools.nn.training.schedules import SCHEDULES, Schedule, output_strides

WARM_UP = 4  # iterations
_PLAIN = "cross entropy"
N_MATRIX = 8192
N_DRAWN = 8
SMALLEST = {
    "init": "random", "batch": 2, "crop": 33, "iterations": WARM_UP + 4, "repeats": 1,
    "matrix": 512, "drawn": 2,
}  # fmt: skip


class Peer(nn.Module):
    """DeepLabV2 on MobileNetV2 of torchvision's layers, at output stride 8."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        features = import_torchvision().models.mobilenet_v2(weights=None).features[:18]
        for number, block in enumerate(features):
            for layer in block.modules():
                if isinstance(layer, nn.Conv2d) and layer.groups > 1 and number >= 7:
                    rate = 4 if number >= 14 else 2
                    rate = rate if layer.stride == (1, 1) else rate // 2
                    layer.stride, layer.dilation, layer.padding = (1, 1), (rate,) * 2, (rate,) * 2
        self.features = features
        self.branches = nn.ModuleList(
            nn.Conv2d(320, n_classes, 3, padding=rate, dilation=rate) for rate in (6, 12, 18, 24)
        )

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        x = self.features(x)
        x = sum(branch(x) for branch in self.branches)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class PeerData(Dataset):
    """Files through the reference's transforms: resize, flip, crop, to tensor, normalize."""

    def __init__(self, images: list[Path], labels: list[Path], schedule: Schedule) -> None:
        self.images, self.labels, self.schedule = images, labels, schedule

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        transforms = import_torchvision().transforms.functional
        nearest = import_torchvision().transforms.InterpolationMode.NEAREST
        image = Image.open(self.images[index]).convert("RGB")
        target = Image.open(self.labels[index])
        scale = random.uniform(self.schedule.min_scale, self.schedule.max_scale)
        size = int(min(image.size) * scale)
        image = transforms.resize(image, size)
        target = transforms.resize(target, size, interpolation=nearest)
        if random.random() < 0.5:
            image, target = transforms.hflip(image), transforms.hflip(target)
        crop = self.schedule.crop
        missing = [max(0, crop - side) for side in image.size]
        if any(missing):
            image = transforms.pad(image, [0, 0, *missing], fill=0)
            target = transforms.pad(target, [0, 0, *missing], fill=255)
        top = random.randint(0, image.size[1] - crop)
        left = random.randint(0, image.size[0] - crop)
        image = transforms.crop(image, top, left, crop, crop)
        target = transforms.crop(target, top, left, crop, crop)
        pixels = transforms.pil_to_tensor(image).float() / 255
        pixels = transforms.normalize(pixels, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        return pixels, torch.as_tensor(np.array(target), dtype=torch.int64)


def rate_of(moments: list[float]) -> float:
    """Iterations per second between the first moment after the warm-up and the last but one.

    `train` reports an iteration when the next one is done, and the last one with it.
    """
    used = moments[WARM_UP:-1]
    return (len(used) - 1) / (used[-1] - used[0])


class Bench:
    """One data set, one network and all ways to train it."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args = args
        self.schedule = dataclasses.replace(
            SCHEDULES[args.arch], iterations=args.iterations, batch=args.batch, crop=args.crop
        )
        self.n_classes = len((folder / "classes.txt").read_text().split())
        self.state = None
        if args.init == "imagenet":
            self.state = imagenet_state(args.arch, args.weights and str(args.weights))
        self.pairs = {}
        stems = (folder / "train.txt").read_text().split()
        for labels in ("gt", "scribbles"):
            pairs = LabelledImages(
                tuple(next((folder / "images").glob(f"{stem}.*")) for stem in stems),
                tuple(folder / labels / f"{stem}.png" for stem in stems),
                self.n_classes,
            )
            cached = CachedPairs(pairs, 2**31)
            cached.check(threads=2, advance=lambda: None)
            self.pairs[labels] = (pairs, cached)
        self.device = torch.device(args.device)

    def ours(self, precision: str, labels: str) -> float:
        moments: list[float] = []
        train(
            self.pairs[labels][1],
            arch=self.args.arch,
            n_classes=self.n_classes,
            schedule=self.schedule,
            initial_state=self.state,
            world=ProcessGroup(device=self.args.device),
            precision=precision,
            workers=self.args.workers,
            on_iteration=lambda _: moments.append(time.perf_counter()),
        )
        return rate_of(moments)

    def peer(self, workers: int, *, tuned: bool) -> float:
        torch.manual_seed(0)
        pairs = self.pairs["gt"][0]
        data = PeerData(list(pairs.images), list(pairs.labels), self.schedule)
        loader = DataLoader(
            data, batch_size=self.schedule.batch, shuffle=True, drop_last=True, num_workers=workers,
            worker_init_fn=lambda _: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )  # fmt: skip
        model = Peer(self.n_classes).to(self.device).train()
        if self.state is not None:
            own = model.features.state_dict()
            state = {name[9:]: tensor for name, tensor in self.state.items() if name[9:] in own}
            model.features.load_state_dict(state)
        if tuned:
            model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            model.parameters(), lr=self.schedule.learning_rate, momentum=0.9, weight_decay=5e-4
        )
        schedule = torch.optim.lr_scheduler.PolynomialLR(
            optimizer, total_iters=self.schedule.iterations, power=0.9
        )
        moments: list[float] = []
        for images, target in itertools.islice(_endless(loader), self.schedule.iterations):
            images, target = images.to(self.device), target.to(self.device)
            if tuned:
                images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=tuned):
                output = model(images)
                loss = F.cross_entropy(output.float(), target, ignore_index=255)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss.item()
            moments.append(time.perf_counter())
        return rate_of(moments)

    def fixed_batch(self, precision: str, labels: str, loss: str | None = None) -> float:
        """The steps of a run on one batch that is on the device."""
        bfloat16 = precision == "bfloat16"
        run = self._run(loss and Regularizer(loss, CONSTANTS[loss], 0.1), bfloat16=bfloat16)
        batch = Samples(self.pairs[labels][1], self.schedule, 0).batch(0)
        batch = Batch(*(part.to(self.device) for part in batch))
        moments: list[float] = []
        last = None
        with own_stream(self.device):
            for _ in range(self.schedule.iterations):
                step = run.step(batch)
                if last is not None:
                    last.checked()
                    moments.append(time.perf_counter())
                last = step
        return rate_of(moments)

    def operations(self) -> float:
        """Floating-point operations of a step: forward, and twice as many back."""
        network = self._run().network.to("cpu").eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.zeros(1, 3, self.schedule.crop, self.schedule.crop))
        return 3 * float(counter.get_total_flops()) * self.schedule.batch

    def _run(self, regularizer: Regularizer | None = None, *, bfloat16: bool = False) -> _Run:
        world = ProcessGroup(device=self.args.device)
        run = self.schedule, 0, self.state, world, bfloat16, None, regularizer, False
        return _Run(self.args.arch, self.n_classes, output_strides(self.args.arch)[0], *run)

    def matrix_rate(self, precision: str) -> float:
        """Operations per second of a product of large matrices."""
        n = self.args.matrix if self.device.type == "cuda" else self.args.matrix // 4
        a = torch.randn(n, n, device=self.device, dtype=getattr(torch, precision))
        seconds = []
        for _ in range(6):
            begin = time.perf_counter()
            (a @ a)[0, 0].item()
            seconds.append(time.perf_counter() - begin)
        return 2 * n**3 / min(seconds)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Those that the device computes in silicon; a CPU that emulates one takes minutes."""
        return ("float32", "bfloat16") if uses_bfloat16("auto", self.device) else ("float32",)


def _endless(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def ways_to_train(bench: Bench) -> dict[str, Callable[[], float]]:
    """What gives the iterations per second of each way, by the name in the table."""
    ways: dict[str, Callable[[], float]] = {}
    if bench.args.losses:
        precision = bench.precisions[-1]
        for loss in (None, *CONSTANTS):
            name = f"{precision}, {loss or _PLAIN}"
            ways[name] = lambda x=loss: bench.fixed_batch(precision, "scribbles", x)
        return ways
    if bench.args.arch == "deeplabv2-mobilenetv2":
        for workers in (0, 1, 2):
            ways[f"reference, {workers} loading"] = lambda n=workers: bench.peer(n, tuned=False)
        ways["reference+, 1 loading"] = lambda: bench.peer(1, tuned=True)
    for precision in bench.precisions:
        for labels in ("gt", "scribbles"):
            ways[f"ours, {precision}, {labels}"] = lambda p=precision, x=labels: bench.ours(p, x)
        ways[f"no loading, {precision}, gt"] = lambda p=precision: bench.fixed_batch(p, "gt")
    return ways


def print_rates(rates: dict[str, list[float]]) -> None:
    """The table of the ways that have been measured."""
    medians = {name: statistics.median(values) for name, values in rates.items() if values}
    best = max((rate for name, rate in medians.items() if name.startswith("reference,")), default=0)
    print("way                            iterations/s   least    most   / best reference")
    for name, rate in medians.items():
        ratio = f"{rate / best:10.2f}" if best else ""
        print(f"{name:30s} {rate:12.3f} {min(rates[name]):7.3f} {max(rates[name]):7.3f} {ratio}")


def print_costs(rates: dict[str, list[float]]) -> None:
    """How much longer a step takes with each loss, in the turns that took both."""
    plain, *others = rates.items()
    print(f"{'precision, loss':30s} {'s a step':>8s} {'ratio':>10s}")
    for name, found in [plain, *others]:
        if found:
            ratios = [alone / rate for alone, rate in zip(plain[1], found, strict=False)]
            seconds = 1 / statistics.median(found)
            print(f"{name:30s} {seconds:8.3f} {statistics.median(ratios):10.2f}")


def print_limits(bench: Bench, rates: dict[str, list[float]]) -> None:
    """What the arithmetic of a step allows, and how much of it is reached."""
    work = bench.operations()
    for precision in bench.precisions:
        rate = bench.matrix_rate(precision)
        limit = rate / work
        reached = statistics.median(rates[f"no loading, {precision}, gt"]) / limit
        print(
            f"{precision}: {work / 1e9:.0f} GFLOP a step over {rate / 1e9:.0f} GFLOP/s allow "
            f"{limit:.3f} iterations/s; reached {reached:.0%}"
        )
    if bench.device.type == "cuda":
        print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


def options(description: str) -> argparse.ArgumentParser:
    """The options of a run that is measured."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--init", default="imagenet", choices=["imagenet", "random"])
    parser.add_argument("--arch", default="deeplabv2-mobilenetv2", choices=SCHEDULES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=240)
    parser.add_argument("--iterations", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--losses", action="store_true")
    parser.set_defaults(matrix=N_MATRIX, drawn=N_DRAWN)
    return parser


def main() -> None:
    args = parsed(options(__doc__), **SMALLEST)
    with data_folder(args.data, args.drawn) as folder:
        bench = Bench(args, folder)
        ways = ways_to_train(bench)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        threads = f", {torch.get_num_threads()} threads" if bench.device.type == "cpu" else ""
        print(f"{args.arch}, batch {args.batch}, {args.crop}x{args.crop}, {args.device}{threads}")
        table = print_costs if args.losses else print_rates
        with summary(lambda: table(rates)):
            for turn in range(args.repeats):
                for name, way in ways.items():
                    rates[name].append(way())
                    said = f"turn {turn + 1}: {name}: {rates[name][-1]:.3f}"
                    print(said, file=sys.stderr, flush=True)
        if not args.losses:
            print_limits(bench, rates)


if __name__ == "__main__":
    run(main)
