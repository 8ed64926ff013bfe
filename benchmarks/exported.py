"""What an exported network computes and how fast, against `wss global-predict`'s network pass.

    python benchmarks/exported.py --models net.pt --images camvid/images    # that network
    python benchmarks/exported.py                                           # random weights
    python benchmarks/exported.py --smallest                                # seconds

All compute on one thread, by turns, image after image; loading and reading are not measured. "times
as long" is the median processor time of an image over that of `predict_probs`; the difference is
the largest of a probability; export is the seconds of processor time that it takes without the
check. Sizes are free but for "fixed".
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from problems import photo
from reporting import parsed, run, summary

from wsstools.nn.exported.onnx_files import encode_onnx, loaded_onnx
from wsstools.nn.exported.program import Compute, exported_program
from wsstools.nn.exported.pt2_files import encode_pt2, loaded_pt2
from wsstools.nn.loaded import find_model, loaded_network
from wsstools.nn.models.networks import SegmentationNetwork, build
from wsstools.nn.predict import fuse_batch_norm, predict_probs

T = TypeVar("T")
N_CLASSES = 11
ARCHS = ("deeplabv2-mobilenetv2", "deeplabv3plus-mobilenetv2", "unet")
SHAPE = (360, 480)


@dataclass
class Way:
    """A way to compute, what its file takes, and what was measured."""

    name: str
    compute: Compute
    size: int = 0
    export: float = 0.0
    seconds: list[float] = field(default_factory=list)
    difference: float = 0.0


def networks(args: argparse.Namespace) -> dict[str, tuple[str, SegmentationNetwork]]:
    """Architecture and network of each model, by name."""
    if args.models:
        found = [(path, find_model(path, "--models")) for path in args.models]
        return {
            path: (one.header["arch"], loaded_network(one.path, one.digest)) for path, one in found
        }
    torch.manual_seed(0)
    made = {arch: fuse_batch_norm(build(arch, N_CLASSES).eval()) for arch in args.archs}
    for network in made.values():
        network.to(memory_format=torch.channels_last)
    return {arch: (arch, network) for arch, network in made.items()}


def images(args: argparse.Namespace) -> list[NDArray[np.uint8]]:
    """The first images of a folder, or photographs."""
    if args.images is None:
        return [photo(name, tuple(args.shape)) for name in ("coffee", "chelsea")][: args.number]
    paths = sorted(args.images.iterdir())[: args.number]
    return [np.array(Image.open(path).convert("RGB")) for path in paths]


def seconds_of(make: Callable[[], T]) -> tuple[T, float]:
    """What is made, and the seconds of processor time that it takes."""
    begin = time.process_time()
    made = make()
    return made, time.process_time() - begin


def ways(arch: str, network: SegmentationNetwork, size: tuple[int, int], folder: Path) -> list[Way]:
    """The ways to compute with a network; the first is ours."""
    found = [Way("predict_probs", lambda images: predict_probs(network, images))]
    free, of_free = seconds_of(lambda: exported_program(network, arch))
    of_size, of_fixed = seconds_of(lambda: exported_program(network, arch, size))
    for name, encode, recording in (
        ("onnx", lambda: encode_onnx(free, {}, is_free=True), of_free),
        ("onnx, fixed", lambda: encode_onnx(of_size, {}, is_free=False), of_fixed),
        ("pt2", lambda: encode_pt2(free, {}), of_free),
    ):
        data, took = seconds_of(encode)
        path = folder / f"{name}.{name[:4]}"
        path.write_bytes(data)
        compute = loaded_pt2(path) if name == "pt2" else loaded_onnx(path, n_threads=1)
        found.append(Way(name, compute, len(data), recording + took))
    return found


def measure(found: list[Way], pictures: list[NDArray[np.uint8]], repeats: int) -> None:
    """Let each way compute each image, by turns."""
    for turn in range(repeats + 1):
        for picture in pictures:
            expected = None
            for way in found:
                begin = time.process_time()
                probs = way.compute(picture[None])
                if turn:  # the first is to warm up
                    way.seconds.append(time.process_time() - begin)
                expected = probs if expected is None else expected
                way.difference = max(way.difference, float(np.abs(probs - expected).max()))


def print_figures(measured: dict[str, list[Way]]) -> None:
    """The table of what was measured."""
    print("way            seconds  times as long  difference  file MB  export s")
    for name, found in measured.items():
        print(name)
        ours = statistics.median(found[0].seconds) if found[0].seconds else 1.0
        for way in (way for way in found if way.seconds):
            seconds = statistics.median(way.seconds)
            print(
                f"{way.name:13} {seconds:8.3f} {seconds / ours:14.2f} {way.difference:11.1e} "
                f"{way.size / 1e6:8.1f} {way.export:9.1f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", help="model files; default: random weights")
    parser.add_argument("--archs", nargs="+", default=list(ARCHS))
    parser.add_argument("--images", type=Path, help="folder of images of one size")
    parser.add_argument("--shape", nargs=2, type=int, default=list(SHAPE))
    parser.add_argument("--number", type=int, default=2, help="images")
    parser.add_argument("--repeats", type=int, default=10)
    args = parsed(parser, archs=["unet"], shape=[40, 56], number=1, repeats=1)
    torch.set_num_threads(1)
    pictures = images(args)
    measured: dict[str, list[Way]] = {}
    with tempfile.TemporaryDirectory() as place, summary(lambda: print_figures(measured)):
        for name, (arch, network) in networks(args).items():
            measured[name] = ways(arch, network, pictures[0].shape[:2], Path(place))
            measure(measured[name], pictures, args.repeats)


if __name__ == "__main__":
    run(main)
