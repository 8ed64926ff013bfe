"""Time and marginals of the fully connected CRF against pydensecrf, on one thread.

    python benchmarks/crf.py
    python benchmarks/crf.py --photos coffee --classes 4 --repeats 1          # short
    python benchmarks/crf.py --smallest                                       # seconds
    python benchmarks/crf.py --photos --maps maps/ --images images/ --every 4

Without pydensecrf only ours is measured. Seconds are medians from probabilities to
marginals, compilation left out. Every class is solved by itself (prune 0) but in the rows "6 of
21", of maps in which 15 classes are nowhere above 0.0005, and "pruned", of maps from files, where
ours solves improbable classes as one, by default. |dQ| is the largest difference at a pixel.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from problems import (
    PHOTOS,
    SHAPE,
    SMALLEST_SHAPE,
    colour_probs,
    few_of_many,
    maps_of,
    median_seconds,
    photo,
)
from reporting import installed, parsed, run, summary

from wsstools.core.crf import mean_field
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.potts.settings import FLOOR

PARAMETERS = {"w1": 3.0, "sigma_alpha": 30.0, "sigma_beta": 5.0, "w2": 5.0, "sigma_gamma": 2.0}
BATCH = 12  # images
COLUMNS = (
    "image                 K | pydensecrf: s  ours: s  ratio |"
    "  labels equal  |dQ| <= 1e-4  max |dQ|"
)


def reference(
    densecrf: ModuleType, probs: NDArray, image: NDArray, iterations: int
) -> NDArray[np.float32]:
    """Marginals of pydensecrf, called as its users do."""
    n_classes, height, width = probs.shape
    model = densecrf.DenseCRF2D(width, height, n_classes)
    energy = -np.log(np.maximum(probs, np.float32(FLOOR)))
    model.setUnaryEnergy(np.ascontiguousarray(energy.reshape(n_classes, -1)))
    model.addPairwiseGaussian(sxy=PARAMETERS["sigma_gamma"], compat=PARAMETERS["w2"])
    model.addPairwiseBilateral(
        sxy=PARAMETERS["sigma_alpha"],
        srgb=PARAMETERS["sigma_beta"],
        rgbim=image,
        compat=PARAMETERS["w1"],
    )
    return np.array(model.inference(iterations), np.float32).reshape(probs.shape)


def ours(probs: NDArray, image: NDArray, iterations: int, prune: float) -> NDArray[np.float32]:
    return mean_field.dense_crf(
        probs, image, **PARAMETERS, iterations=iterations, prune=prune
    ).marginals


class Table:
    """The lines that were printed, and their ratios."""

    def __init__(self, args: argparse.Namespace, peer: ModuleType | None) -> None:
        self.args, self.peer = args, peer
        self.ratios: dict[str, list[float]] = {}

    def row(self, kind: str, name: str, probs: NDArray, image: NDArray, prune: float) -> None:
        """Measure one image, and print its line."""
        n, repeats = self.args.iterations, self.args.repeats
        ours(probs, image, 1, prune)  # compiles
        if self.peer is None:
            seconds = median_seconds(lambda: ours(probs, image, n, prune), repeats)
            print(f"{name:20} {len(probs):2} | {'-':>13} {seconds:8.3f}", flush=True)
            return
        peer = self.peer
        found, expected = ours(probs, image, n, prune), reference(peer, probs, image, n)
        peer_seconds = median_seconds(lambda: reference(peer, probs, image, n), repeats)
        seconds = median_seconds(lambda: ours(probs, image, n, prune), repeats)
        off = np.abs(found - expected).max(axis=0)
        equal = (found.argmax(axis=0) == expected.argmax(axis=0)).mean()
        ratio = peer_seconds / seconds
        self.ratios.setdefault(kind, []).append(ratio)  # before its line, which may be the last
        print(
            f"{name:20} {len(probs):2} | {peer_seconds:13.3f} {seconds:8.3f} {ratio:6.2f} |"
            f" {100 * equal:11.4f} % {100 * (off <= 1e-4).mean():11.4f} % {off.max():9.1e}",
            flush=True,
        )

    def photo_rows(self) -> None:
        for name in self.args.photos:
            image = photo(name, self.args.shape)
            for n_classes in self.args.classes:
                self.row(f"K = {n_classes}", name, colour_probs(image, n_classes), image, 0.0)
            self.row(
                "6 of 21", f"{name} 6 of 21", few_of_many(image, 6, 21), image, CrfSettings.prune
            )

    def map_rows(self) -> None:
        for stem, probs, image in maps_of(self.args.maps, self.args.images, self.args.every):
            for kind, prune in (("exact", 0.0), ("pruned", CrfSettings.prune)):
                if len(probs) > 1:
                    self.row(kind, f"{stem[:12]} {kind}", probs, image, prune)

    def print_medians(self) -> None:
        for kind, found in self.ratios.items():
            print(f"{kind}: pydensecrf takes {statistics.median(found):.2f} times as long (median)")


def forget_lattices(action: Callable[[], object]) -> Callable[[], object]:
    """The action without the lattice of positions that is kept from the image before."""

    def act() -> object:
        mean_field._spatial.cache_clear()
        return action()

    return act


def batch(args: argparse.Namespace) -> None:
    """Print how much faster two threads are than one, and the share of the kept lattice."""
    images = [photo(name, args.shape) for name in PHOTOS[:2]]
    work = [(colour_probs(image, 6), image) for image in images] * (BATCH // 2)

    def seconds(n_threads: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(lambda pair: ours(*pair, args.iterations, 0.0), work))
        return time.perf_counter() - started

    ours(*work[0], 1, 0.0)
    one, two = (
        statistics.median(times)
        for times in zip(*[(seconds(1), seconds(2)) for _ in range(args.repeats)], strict=True)
    )
    print(
        f"{BATCH} images, 6 classes: 1 thread {one:.2f} s, 2 threads {two:.2f} s: {one / two:.2f}x"
    )
    probs, image = work[0]
    action = lambda: ours(probs, image, args.iterations, 0.0)  # noqa: E731
    kept, anew = (median_seconds(f, args.repeats) for f in (action, forget_lattices(action)))
    print(f"one image: {kept:.3f} s; with the lattice of positions built anew {anew:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", nargs="*", default=list(PHOTOS))
    parser.add_argument("--classes", nargs="*", type=int, default=[2, 4, 6, 11, 21])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--maps", type=Path, help="folder of map files")
    parser.add_argument("--images", type=Path, help="folder of their images")
    parser.add_argument("--every", type=int, default=1, help="take each so many-th map")
    parser.add_argument("--no-batch", action="store_true")
    parser.add_argument(
        "--shape", nargs=2, type=int, default=SHAPE, help="rows, columns of a photo"
    )
    args = parsed(parser, photos=PHOTOS[:1], classes=[2], repeats=1, shape=SMALLEST_SHAPE)
    table = Table(args, installed("pydensecrf.densecrf", "pydensecrf2"))
    print(f"{args.iterations} iterations, one thread, median of {args.repeats}\n{COLUMNS}")
    with summary(table.print_medians):
        table.photo_rows()
        if args.maps is not None:
            table.map_rows()
    if not args.no_batch:
        batch(args)


if __name__ == "__main__":
    run(main)
