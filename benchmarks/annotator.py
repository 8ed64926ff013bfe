"""Strokes that a simulated annotator draws where `wss suggest` says, against other orders.

    python benchmarks/annotator.py --data acdc/ --ids some.txt --images 20
    python benchmarks/annotator.py --smallest                                       # seconds

Each image starts with its two largest strokes of different classes. In each round as many strokes
are drawn as there are images; a stroke is of the class of the ground truth at its place, about 40
pixels long, and within 25 pixels of it. Labels are the argmax of the mean of a random forest
(--position) and of local-predict --model parzen; their mean IoU is printed before the first round
and after each.
Places are random; those of `suggest`, the best half of the images twice; or, in each image in the
order of its mean, the pixel of the largest entropy or smallest margin of the mean of both maps, in
the same halves. The last column is the share of random's strokes that gives its last mean IoU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reporting import data_folder, parsed, run, summary
from scipy import ndimage

from wsstools.core.evaluation.metrics import class_counts, hits_and_unions, mean_iou
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.local.colours import parzen
from wsstools.core.local.filter_bank import extended
from wsstools.core.local.forest import forest_on
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.map_operations import fuse_maps
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.drawn import drawn_strokes
from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.core.scribbles.suggestions import suggested_places
from wsstools.formats.image_files import decode_image
from wsstools.formats.label_files import decode_labels

Place = tuple[float, tuple[int, int]]
"""How much it is worth, and row and column."""
LENGTH, WIDTH, AROUND = 40, 3, 25
CLEAR = 2


class Images:
    """Images with their ground truth, and the maps of their strokes."""

    def __init__(self, data: Path, stems: Sequence[str]) -> None:
        self.n_classes = len((data / "classes.txt").read_text().split("\n")[:-1])
        names = {path.stem: path for path in (data / "images").iterdir()}
        paths = [names[stem] for stem in stems]
        self.images = [decode_image(path.read_bytes(), path.name).value for path in paths]
        self.truth, self.drawn = (
            [decode_labels((data / kind / f"{s}.png").read_bytes(), s).value for s in stems]
            for kind in ("gt", "scribbles")
        )
        bank = extended(gabor_bank(), position=True)
        self.features = [Responses(image, bank) for image in self.images]
        self.known: dict[int, tuple[bytes, list[ProbabilityMap]]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def start(self, number: int) -> NDArray[np.uint8]:
        """The two largest strokes of different classes."""
        scribbles, strokes = self.drawn[number], drawn_strokes(self.drawn[number])
        sizes = np.bincount(strokes.numbers[strokes.numbers >= 0], minlength=len(strokes))
        kept: list[int] = []
        for stroke in np.argsort(-sizes, kind="stable"):
            if len(kept) < 2 and strokes.classes[stroke] not in strokes.classes[kept]:
                kept.append(int(stroke))
        return np.where(np.isin(strokes.numbers, kept), scribbles, np.uint8(IGNORE_LABEL))

    def maps(self, number: int, scribbles: NDArray[np.uint8]) -> list[ProbabilityMap]:
        strokes = scribbles.tobytes()
        if self.known.get(number, (b"", []))[0] != strokes:
            image = self.images[number]
            pixels = scribbled_pixels(image, scribbles, self.n_classes)
            found = [forest_on(self.features[number], pixels, rng=0), parzen(image, pixels)]
            self.known[number] = strokes, found
        return self.known[number][1]

    def draw(
        self, number: int, scribbles: NDArray[np.uint8], y: int, x: int, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """The scribbles with one more stroke."""
        truth = self.truth[number]
        if truth[y, x] == IGNORE_LABEL:
            nearest = ndimage.distance_transform_edt(
                truth == IGNORE_LABEL, return_distances=False, return_indices=True
            )
            y, x = nearest[:, y, x]
        window = np.zeros(truth.shape, bool)
        window[max(0, y - AROUND) : y + AROUND + 1, max(0, x - AROUND) : x + AROUND + 1] = True
        regions, _ = ndimage.label((truth == truth[y, x]) & window)
        around = np.where(regions == regions[y, x], truth, np.uint8(IGNORE_LABEL))
        share = LENGTH * WIDTH / truth.size
        stroke = simulate_scribbles(around, rng=rng, width=WIDTH, share=share, max_strokes=1)
        stroke[y, x] = truth[y, x]
        return np.where(stroke == IGNORE_LABEL, scribbles, stroke)

    def mean_iou(self, state: Sequence[NDArray[np.uint8]]) -> float:
        total = np.zeros((3, 256), np.int64)
        for number, scribbles in enumerate(state):
            mean = fuse_maps(self.maps(number, scribbles), [1, 1])
            labels = mean.classes[mean.probs.argmax(axis=0)].astype(np.uint8)
            total += class_counts(labels, self.truth[number])
        return float(mean_iou(*hits_and_unions(total[:, : self.n_classes])))


def by_suggestion(maps: list[ProbabilityMap], scribbles: NDArray[np.uint8]) -> Place:
    found = suggested_places(maps, scribbles)
    return (found[0].gain, (found[0].y, found[0].x)) if found else (0.0, (0, 0))


def by_pixel(values: Callable[[NDArray[np.float32]], NDArray]) -> Callable[..., Place]:
    """The image by the mean of a number of its pixels, the place by its largest."""

    def place(maps: list[ProbabilityMap], scribbles: NDArray[np.uint8]) -> Place:
        found = values(fuse_maps(maps, [1, 1]).dense())
        far = ndimage.distance_transform_edt(scribbles == IGNORE_LABEL) >= CLEAR
        best = np.unravel_index(np.where(far, found, -1).argmax(), found.shape)
        return float(found.mean()), (int(best[0]), int(best[1]))

    return place


def entropy(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    return -(probs * np.log(np.maximum(probs, 1e-9))).sum(axis=0)


def margin(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    first, second = np.sort(probs, axis=0)[-1:-3:-1]
    return 1 - (first - second)


ORDERS: dict[str, Callable[..., Place] | None] = {
    "random": None,
    "suggest": by_suggestion,
    "entropy": by_pixel(entropy),
    "margin": by_pixel(margin),
}


def curve(
    images: Images, order: Callable[..., Place] | None, rounds: int, seed: int
) -> list[float]:
    """The mean IoU before the first round and after each."""
    rng = np.random.default_rng(seed)
    state = [images.start(number) for number in range(len(images))]
    found = [images.mean_iou(state)]
    half = (len(images) + 1) // 2
    for _ in range(rounds):
        if order is None:
            for _ in range(len(images)):
                number = int(rng.integers(len(images)))
                height, width = state[number].shape
                y, x = int(rng.integers(height)), int(rng.integers(width))
                state[number] = images.draw(number, state[number], y, x, rng)
        else:
            for count in (half, len(images) - half):
                places = [
                    (*order(images.maps(number, scribbles), scribbles), number)
                    for number, scribbles in enumerate(state)
                ]
                places.sort(key=lambda place: -place[0])
                for _, (y, x), number in places[:count]:
                    state[number] = images.draw(number, state[number], y, x, rng)
        found.append(images.mean_iou(state))
    return found


def share_needed(found: Sequence[float], goal: float) -> float:
    """The round, linear between two, in which a curve reaches a goal, as a share of all."""
    for k in range(1, len(found)):
        if found[k] >= goal:
            before = found[k - 1]
            part = 1.0 if found[k] == before else (goal - before) / (found[k] - before)
            return (k - 1 + max(part, 0.0)) / (len(found) - 1)
    return float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="images/, scribbles/, gt/, classes.txt")
    parser.add_argument("--ids", type=Path, help="the images; default: train.txt of the data")
    parser.add_argument("--images", type=int, default=20, help="so many of them, evenly spread")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    args = parsed(parser, images=2, rounds=1, seeds=1)
    with data_folder(args.data, 3) as data:
        stems = (args.ids or data / "train.txt").read_text().split()
        stems = stems[:: max(1, len(stems) // args.images)][: args.images]
        last: dict[str, list[float]] = {}
        with summary(lambda: print_last(last)):
            for seed in range(args.seeds):
                goal = 0.0
                for name, order in ORDERS.items():
                    found = curve(Images(data, stems), order, args.rounds, seed)
                    last.setdefault(name, []).append(found[-1])
                    goal = found[-1] if order is None else goal
                    needed = share_needed(found, goal)
                    values = " ".join(f"{100 * value:5.1f}" for value in found)
                    share = f"{needed:4.0%}" if needed < float("inf") else "not reached"
                    print(f"seed {seed}  {name:8} {values}   {share}", flush=True)


def print_last(last: dict[str, list[float]]) -> None:
    """The mean IoU after all rounds, over the seeds that were measured."""
    for name, found in last.items():
        print(f"{name:8} ends at {100 * np.mean(found):.1f} ({len(found)} seeds)")


if __name__ == "__main__":
    run(main)
