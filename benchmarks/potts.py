"""Time of the Potts solver against a plain NumPy implementation, to the same duality gap.

    python benchmarks/potts.py
    python benchmarks/potts.py --images coffee --classes 4 --repeats 1     # short
    python benchmarks/potts.py --smallest                                  # seconds

Needs scikit-image for its own photos. NumPy would take about a minute an image, so it runs a few
iterations only; its seconds are scaled by the number of iterations to the tolerance, which is
counted with the compiled kernels (same steps, same arithmetic, checked on the iterations timed).
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from problems import PHOTOS, SHAPE, SMALLEST_SHAPE, colour_probs, median_seconds, photo
from reporting import parsed, run, summary

from wsstools.core.potts.iteration import Energies
from wsstools.core.potts.kernels import iterate, sorting_networks
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.planes import Fields, one_hot
from wsstools.core.potts.solver import edge_weights, solve_potts, unary
from wsstools.core.potts.tiles import BAND_HEIGHT, Tiles

SMOOTHNESS = 10.0  # lambda
ETA = 0.01
NORM = np.sqrt(8.0)
ITERATIONS_PER_CHECK = 20
COLUMNS = (
    "image     C | ours: s   iterations   | NumPy ms/it |"
    " same steps: it     s  ratio | default steps: it     s  ratio"
)


@dataclass(frozen=True)
class Steps:
    """Step sizes of the primal and the dual variable, and over-relaxation."""

    tau: np.float32
    sigma: np.float32
    rho: np.float32

    @classmethod
    def balanced(cls, weights: NDArray[np.float32]) -> Steps:
        """Those of `solve_potts`."""
        balance = weights.max()
        return cls(np.float32(1 / (balance * NORM)), np.float32(balance / NORM), np.float32(1.8))

    @classmethod
    def default(cls) -> Steps:
        """tau = sigma = 1 / sqrt(8), without relaxation."""
        return cls(np.float32(1 / NORM), np.float32(1 / NORM), np.float32(1))


class CompiledIteration:
    """The iteration of the project's kernels on one level and all pixels, with any steps."""

    def __init__(self, costs: NDArray, weights: NDArray, steps: Steps) -> None:
        self.problem = Problem.of(costs, weights, isotropic=True)
        self.fields = Fields(self.problem.cheapest())
        self.tiles = Tiles(self.problem.unary.shape)
        self.energies = Energies(self.problem)
        self.steps = steps
        padded_width = self.problem.unary.shape[2]
        self.right_steps = np.zeros(padded_width, np.float32)
        self.right_steps[: self.problem.width - 1] = steps.sigma
        self.scratch = np.empty(2 * (len(costs) + 1) * padded_width, np.float32)
        self.networks = sorting_networks(len(costs))

    @property
    def soft(self) -> NDArray[np.float32]:
        return self.fields.soft[:, :, : self.problem.width]

    def run(self, n: int, rho: np.float32 | None = None) -> None:
        fields, problem, tiles, steps = self.fields, self.problem, self.tiles, self.steps
        iterate(
            fields.soft, fields.ahead, fields.right, fields.px, fields.left, fields.py,
            problem.unary, problem.weights, self.right_steps, BAND_HEIGHT, tiles.bands, tiles.runs,
            tiles.classes, *self.networks, self.scratch, steps.tau, steps.sigma,
            steps.rho if rho is None else rho, True, n, 8,
        )  # fmt: skip

    def iterations_to(self, tol: float, at_most: int = 20000) -> int:
        """To the gap between the energy of M and the dual energy of p."""
        best_dual = -np.inf
        for done in range(ITERATIONS_PER_CHECK, at_most + 1, ITERATIONS_PER_CHECK):
            self.run(ITERATIONS_PER_CHECK - 1)
            self.run(1, np.float32(1))
            self.energies.stale[:] = True
            primal = self.energies.of(self.fields.soft)
            dual = self.tiles.look(self.fields, self.problem.unary, self.problem.width)
            best_dual = max(best_dual, dual + self.problem.offset)
            if primal - best_dual <= tol * abs(primal):
                return done
        return at_most


def numpy_iterations(
    costs: NDArray, weights: NDArray, steps: Steps, n: int
) -> tuple[NDArray, float]:
    """M after n iterations in NumPy float32 from the same start, and the seconds they took."""
    soft = one_hot(costs.argmin(axis=0), np.empty_like(costs))
    ahead = soft.copy()
    px, py = np.zeros_like(costs), np.zeros_like(costs)
    dx, dy = np.zeros_like(costs), np.zeros_like(costs)
    count = np.arange(1, len(costs) + 1, dtype=np.float32)[:, None, None]
    started = time.perf_counter()
    for _ in range(n):
        dx[:, :, :-1] = ahead[:, :, 1:] - ahead[:, :, :-1]
        dy[:, :-1] = ahead[:, 1:] - ahead[:, :-1]
        new_px, new_py = px + steps.sigma * dx, py + steps.sigma * dy
        shrink = np.maximum(np.sqrt(new_px * new_px + new_py * new_py) / weights, 1)
        px += steps.rho * (new_px / shrink - px)
        py += steps.rho * (new_py / shrink - py)
        div = px + py
        div[:, :, 1:] -= px[:, :, :-1]
        div[:, 1:] -= py[:, :-1]
        moved = soft - steps.tau * (costs - div)
        ordered = -np.sort(-moved, axis=0)
        threshold = ((ordered.cumsum(axis=0) - 1) / count).max(axis=0)
        projected = np.maximum(moved - threshold, 0)
        ahead = 2 * projected - soft
        soft += steps.rho * (projected - soft)
    return soft, time.perf_counter() - started


def row(name: str, n_classes: int, args: argparse.Namespace) -> tuple[str, list[float]]:
    """One line of the table and the ratios in it."""
    image = photo(name, args.shape)
    costs = unary(colour_probs(image, n_classes))
    weights = np.float32(SMOOTHNESS) * edge_weights(image, eta=ETA)
    solution = solve_potts(costs, weights, tol=args.tol)
    ours = median_seconds(lambda: solve_potts(costs, weights, tol=args.tol), args.repeats)
    iterations = "+".join(map(str, solution.iterations))
    line = f"{name:9} {n_classes} | {ours:7.3f} {iterations:>16} |"
    ratios = []
    kinds = [Steps.balanced(weights)] + ([] if args.no_default else [Steps.default()])
    for steps in kinds:
        soft, seconds = numpy_iterations(costs, weights, steps, args.numpy_iterations)
        check = CompiledIteration(costs, weights, steps)
        check.run(args.numpy_iterations)
        if np.abs(check.soft - soft).max() > 1e-3:
            raise SystemExit("NumPy and the kernels disagree: their times cannot be compared")
        needed = CompiledIteration(costs, weights, steps).iterations_to(args.tol)
        each = seconds / args.numpy_iterations
        ratios.append(each * needed / ours)
        if len(ratios) == 1:
            line += f" {1e3 * each:11.1f} |"
        line += f" {needed:14d} {each * needed:7.1f} {ratios[-1]:5.0f}x |"
    return line, ratios


def against_memory(n_classes: int, scale: int, args: argparse.Namespace) -> None:
    """Print the time of an iteration beside that of moving the bytes that it reads and writes.

    At scale 1 all of them fit into a large last-level cache.
    """
    image = photo(PHOTOS[0], args.shape)
    costs = unary(colour_probs(image, n_classes)).repeat(scale, axis=1).repeat(scale, axis=2)
    weights = np.float32(SMOOTHNESS) * edge_weights(image, eta=ETA)
    weights = weights.repeat(scale, axis=0).repeat(scale, axis=1)
    iteration = CompiledIteration(costs, weights, Steps.balanced(weights))
    iteration.run(8)
    n = 8 * max(1, 10 // scale**2)
    each = median_seconds(lambda: iteration.run(n), 2 * args.repeats) / n
    # M, its extrapolation, px and py are read and written, U and w only read. A copy of so many
    # bytes reads half of them and writes half.
    n_bytes = costs.nbytes * 9 + weights.nbytes
    source = np.ones(n_bytes // 8, np.float32)
    target = np.empty_like(source)
    np.copyto(target, source)
    moved = median_seconds(lambda: np.copyto(target, source), 20 * args.repeats)
    print(
        f"C = {n_classes}, {weights.size / 1e6:.2g} megapixels, an iteration on all: "
        f"{1e3 * each:.2f} ms; moving its {n_bytes / 1e6:.0f} MB: "
        f"{1e3 * moved:.2f} ms: {each / moved:.2f}x"
    )


def batch(n_classes: int, args: argparse.Namespace) -> None:
    """Print how much faster two threads are than one, an image each."""
    problems = []
    for name in PHOTOS:
        image = photo(name, args.shape)
        weights = np.float32(SMOOTHNESS) * edge_weights(image, eta=ETA)
        problems += [(unary(colour_probs(image, n_classes)), weights)] * 3

    def seconds(n_threads: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(lambda problem: solve_potts(*problem), problems))
        return time.perf_counter() - started

    both = [(seconds(1), seconds(2)) for _ in range(args.repeats)]
    one, two = (statistics.median(times) for times in zip(*both, strict=True))
    print(
        f"{len(problems)} images, C = {n_classes}: 1 thread {one:.2f} s, 2 threads {two:.2f} s: "
        f"{one / two:.2f}x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", default=list(PHOTOS))
    parser.add_argument("--classes", nargs="+", type=int, default=[2, 4, 6])
    parser.add_argument("--tol", type=float, default=1e-3, help="relative duality gap")
    parser.add_argument("--repeats", type=int, default=3, help="of the project's solver")
    parser.add_argument("--numpy-iterations", type=int, default=10, help="timed, then scaled")
    parser.add_argument("--no-default", action="store_true", help="leave out the default steps")
    parser.add_argument(
        "--shape", nargs=2, type=int, default=SHAPE, help="rows, columns of a photo"
    )
    args = parsed(parser, images=PHOTOS[:1], classes=[2], repeats=1, shape=SMALLEST_SHAPE)
    print(
        f"{args.shape[1]}x{args.shape[0]} pixels, isotropic, lambda {SMOOTHNESS:g}, "
        f"gap {args.tol:g}. Ours: measured, median of {args.repeats}.\n"
        f"NumPy: {args.numpy_iterations} iterations measured, scaled by the iterations needed on "
        "one level (counted with the compiled kernels).\n" + COLUMNS
    )
    ratios: list[list[float]] = []
    with summary(lambda: print_medians(ratios)):
        for name in args.images:
            for n_classes in args.classes:
                line, found = row(name, n_classes, args)
                ratios.append(found)  # before its line, which may be the last
                print(line, flush=True)
    against_memory(4, 1, args)
    against_memory(4, 4, args)
    batch(4, args)


def print_medians(ratios: list[list[float]]) -> None:
    for kind, found in zip(("same", "default"), zip(*ratios, strict=True), strict=False):
        times = statistics.median(found)
        print(f"NumPy with {kind} steps takes {times:.0f} times as long (median)")


if __name__ == "__main__":
    run(main)
