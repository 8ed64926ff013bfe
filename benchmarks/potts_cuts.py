"""Time and energy of the anisotropic Potts solver against graph cuts, on one thread.

    python benchmarks/potts_cuts.py
    python benchmarks/potts_cuts.py --photos coffee --classes 3 --repeats 1        # short
    python benchmarks/potts_cuts.py --smallest                                     # seconds
    python benchmarks/potts_cuts.py --photos --maps maps/ --images images/ --every 4

Peers: alpha-expansion (gco-wrapper) for more than two classes and the exact minimum cut (PyMaxflow)
for two: pip install -e '.[test]'; maps whose peer is missing are left out. All minimize
sum_i U_i(x_i) + 2 sum_ij w_i [x_i != x_j] over the four neighbours; a peer's seconds are those of
building its graph from arrays and of solving. "dE" is the energy of our labels above that of the
peer's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
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

from wsstools.core.potts.solver import edge_weights, potts_energy, solve_potts, unary

SMOOTHNESS = 10.0  # lambda
ETA = 0.01
UNITS = 10000  # gco takes whole numbers: an energy of 1
COLUMNS = (
    "image            C | peer: s |  gap 1e-3: s  ratio       dE |"
    "  gap 1e-4: s  ratio       dE  iterations"
)


Peer = Callable[[NDArray, NDArray], Callable[[], NDArray]]
"""From costs and weights to what solves for the labels."""


def alpha_expansion(gco: ModuleType, costs: NDArray, weights: NDArray) -> Callable[[], NDArray]:
    """The labels by gco, from arrays made before."""
    n_classes, height, width = costs.shape
    data = np.rint(costs.reshape(n_classes, -1).T * UNITS).astype(np.int32, order="C")
    price = np.rint(2 * weights * UNITS).astype(np.int32)
    down_from, right_from, down_to, right_to = gco.get_images_edges_vh(height, width)
    begins, ends = np.r_[down_from, right_from], np.r_[down_to, right_to]
    edges = np.r_[price[:-1].ravel(), price[:, :-1].ravel()]
    change = (1 - np.eye(n_classes)).astype(np.int32)

    def solve() -> NDArray:
        graph = gco.GCO()
        graph.create_general_graph(height * width, n_classes, False)
        graph.set_data_cost(data)
        graph.set_all_neighbors(begins, ends, edges)
        graph.set_smooth_cost(change)
        graph.expansion(-1)
        labels = graph.get_labels()
        graph.destroy_graph()
        return labels.reshape(height, width)

    return solve


def minimum_cut(maxflow: ModuleType, costs: NDArray, weights: NDArray) -> Callable[[], NDArray]:
    """The labels by PyMaxflow."""
    price = 2 * weights.astype(np.float64)

    def solve() -> NDArray:
        graph = maxflow.Graph[float]()
        nodes = graph.add_grid_nodes(weights.shape)
        for structure in ([[0, 0, 0], [0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]):
            graph.add_grid_edges(nodes, price, np.array(structure), symmetric=True)
        graph.add_grid_tedges(nodes, costs[1], costs[0])
        graph.maxflow()
        return graph.get_grid_segments(nodes).astype(np.int64)

    return solve


def available() -> dict[bool, Peer]:
    """The peers that are installed: for two classes (True) and for more (False)."""
    peers = {}
    for module, package, two_classes, solver in (
        ("maxflow", "PyMaxflow", True, minimum_cut),
        ("gco.pygco", "gco-wrapper", False, alpha_expansion),
    ):
        found = installed(module, package)
        if found is not None:
            peers[two_classes] = partial(solver, found)
    return peers


def problems(args: argparse.Namespace) -> Iterator[tuple[str, str, NDArray, NDArray]]:
    """Kind, name, probabilities and image of all that is solved."""
    for name in args.photos:
        image = photo(name, args.shape)
        for n_classes in args.classes:
            yield f"C = {n_classes}", name, colour_probs(image, n_classes), image
        if 21 in args.classes:
            yield "6 of 21", f"{name} 6 of", few_of_many(image, 6, 21), image
    if args.maps is not None:
        for stem, probs, image in maps_of(args.maps, args.images, args.every):
            yield "maps", stem[:14], probs, image


def row(
    name: str, probs: NDArray, image: NDArray, make_peer: Peer, repeats: int
) -> tuple[float, float, float]:
    """Print one line of the table; both ratios and dE at 1e-4 in per cent."""
    costs = unary(probs)
    weights = np.float32(SMOOTHNESS) * edge_weights(image, eta=ETA)
    peer = make_peer(costs, weights)

    def energy(labels: NDArray) -> float:
        one_hot = (labels == np.arange(len(costs))[:, None, None]).astype(np.float32)
        return potts_energy(one_hot, costs, weights, isotropic=False)

    least = energy(peer())
    peer_seconds = median_seconds(peer, repeats)
    line = f"{name:14} {len(probs):3} | {peer_seconds:7.3f} |"
    figures = []
    for tol in (1e-3, 1e-4):
        solve = lambda: solve_potts(costs, weights, tol=tol, isotropic=False)  # noqa: B023, E731
        solution = solve()
        seconds = median_seconds(solve, repeats)
        excess = 100 * (energy(solution.soft.argmax(axis=0)) / least - 1)
        line += f" {seconds:12.3f} {peer_seconds / seconds:6.2f} {excess:+8.4f}%"
        figures.append((peer_seconds / seconds, excess))
        line += " |" if tol == 1e-3 else "  " + "+".join(map(str, solution.iterations))
    if not solution.converged:
        line += f" (gap {solution.gap:.1e})"
    print(line, flush=True)
    return figures[0][0], figures[1][0], figures[1][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", nargs="*", default=list(PHOTOS))
    parser.add_argument("--classes", nargs="*", type=int, default=[2, 3, 4, 6, 21])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--maps", type=Path, help="folder of map files")
    parser.add_argument("--images", type=Path, help="folder of their images")
    parser.add_argument("--every", type=int, default=1, help="take each so many-th map")
    parser.add_argument(
        "--shape", nargs=2, type=int, default=SHAPE, help="rows, columns of a photo"
    )
    args = parsed(parser, photos=PHOTOS[:1], classes=[2, 3], repeats=1, shape=SMALLEST_SHAPE)
    started = time.perf_counter()
    peers = available()
    found: dict[str, list[tuple[float, float, float]]] = {}
    print(f"anisotropic, lambda {SMOOTHNESS:g}, median of {args.repeats}\n{COLUMNS}")
    with summary(lambda: print_medians(found)):
        for kind, name, probs, image in problems(args):
            peer = peers.get(len(probs) == 2)
            if peer is not None:
                found_row = row(name, probs, image, peer, args.repeats)
                found.setdefault(kind, []).append(found_row)
    print(f"{time.perf_counter() - started:.0f} s in all")


def print_medians(found: dict[str, list[tuple[float, float, float]]]) -> None:
    for kind, rows in found.items():
        loose, tight, excess = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{kind}: the peer takes {loose:.2f} (gap 1e-3) and {tight:.2f} (1e-4) times as long "
            f"(medians); dE at 1e-4 {excess:+.4f}%, at most {max(r[2] for r in rows):+.4f}%"
        )


if __name__ == "__main__":
    run(main)
