"""Time of the Potts solver against a plain NumPy implementation, to the same duality gap.

    python benchmarks/potts.py
    python benchmarks/potts.py --images coffee --classes 4 --repeats 1     # short

Needs scikit-image for its own photos. NumPy would take about a minute an image, so it runs a few
iterations only; its seconds are scaled by the number of iterations to the tolerance, which is
counted with the compiled kernels (same steps, same arithmetic, checked on the iterations timed).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from skimage import data, transform

from wsstools.core.potts import edge_weights, solve_potts, unary
from wsstools.core.potts_kernels import energies, iterate, sorting_network
from wsstools.core.potts_levels import one_hot

SHAPE = (375, 500)
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
        balance = 0.7 * weights.max()
        return cls(np.float32(1 / (balance * NORM)), np.float32(balance / NORM), np.float32(1.8))

    @classmethod
    def default(cls) -> Steps:
        """tau = sigma = 1 / sqrt(8), without relaxation."""
        return cls(np.float32(1 / NORM), np.float32(1 / NORM), np.float32(1))


class CompiledIteration:
    """The iteration of the project's kernels on one level, with any steps."""

    def __init__(self, costs: NDArray, weights: NDArray, steps: Steps) -> None:
        self.costs, self.weights, self.steps = costs, weights, steps
        self.soft = one_hot(costs.argmin(axis=0), len(costs))
        self.ahead = self.soft.copy()
        self.px, self.py = np.zeros_like(costs), np.zeros_like(costs)
        self.scratch = np.empty((2, len(costs) + 1, costs.shape[2]), np.float32)
        self.network = sorting_network(len(costs))

    def run(self, n: int, rho: np.float32 | None = None) -> None:
        steps = self.steps
        iterate(
            self.soft, self.ahead, self.px, self.py, self.costs, self.weights, self.network,
            self.scratch, steps.tau, steps.sigma, steps.rho if rho is None else rho, True, n, 8,
        )  # fmt: skip

    def iterations_to(self, tol: float, at_most: int = 20000) -> int:
        best_dual = -np.inf
        for done in range(ITERATIONS_PER_CHECK, at_most + 1, ITERATIONS_PER_CHECK):
            self.run(ITERATIONS_PER_CHECK - 1)
            self.run(1, np.float32(1))
            primal, dual = energies(
                self.soft, self.px, self.py, self.costs, self.weights, self.scratch, True
            )
            best_dual = max(best_dual, dual)
            if primal - best_dual <= tol * abs(primal):
                return done
        return at_most


def numpy_iterations(
    costs: NDArray, weights: NDArray, steps: Steps, n: int
) -> tuple[NDArray, float]:
    """M after n iterations in NumPy float32 from the same start, and the seconds they took."""
    soft = one_hot(costs.argmin(axis=0), len(costs))
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


def photo(name: str) -> NDArray[np.uint8]:
    image = transform.resize(getattr(data, name)()[:, :, :3], SHAPE, anti_aliasing=True)
    return np.rint(image * 255).astype(np.uint8)


def colour_probs(image: NDArray[np.uint8], n_classes: int) -> NDArray[np.float32]:
    """Probabilities that fall with the distance to the means of k-means, with noise."""
    rng = np.random.default_rng(0)
    pixels = image.reshape(-1, 3) / 255.0
    means, _ = kmeans2(pixels[::37], n_classes, minit="++", rng=rng)
    squared = ((pixels[:, None] - means) ** 2).sum(axis=2).T.reshape(n_classes, *SHAPE)
    logits = -8 * squared + rng.normal(0, 0.5, squared.shape)
    probs = np.exp(logits - logits.max(axis=0))
    return np.ascontiguousarray(probs / probs.sum(axis=0), np.float32)


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def row(name: str, n_classes: int, args: argparse.Namespace) -> tuple[str, list[float]]:
    """One line of the table and the ratios in it."""
    image = photo(name)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", default=["astronaut", "coffee", "chelsea", "rocket"])
    parser.add_argument("--classes", nargs="+", type=int, default=[2, 4, 6])
    parser.add_argument("--tol", type=float, default=1e-3, help="relative duality gap")
    parser.add_argument("--repeats", type=int, default=3, help="of the project's solver")
    parser.add_argument("--numpy-iterations", type=int, default=10, help="timed, then scaled")
    parser.add_argument("--no-default", action="store_true", help="leave out the default steps")
    args = parser.parse_args()
    print(
        f"{SHAPE[1]}x{SHAPE[0]} pixels, isotropic, lambda {SMOOTHNESS:g}, gap {args.tol:g}. "
        f"Ours: measured, median of {args.repeats}. NumPy: {args.numpy_iterations} iterations "
        "measured,\nscaled by the iterations needed on one level (counted with the compiled "
        "kernels).\n" + COLUMNS
    )
    ratios = []
    for name in args.images:
        for n_classes in args.classes:
            line, found = row(name, n_classes, args)
            print(line, flush=True)
            ratios.append(found)
    for i, kind in enumerate(("same", "default")[: len(ratios[0])]):
        times = statistics.median(found[i] for found in ratios)
        print(f"NumPy with {kind} steps takes {times:.0f} times as long (median)")


if __name__ == "__main__":
    main()
