"""How well `wss suspects` finds strokes whose class was exchanged, against cleanlab.

    python benchmarks/suspects.py --data camvid/ --ids some.txt --features-of mobilenet_v2.pth
    python benchmarks/suspects.py --smallest                                        # seconds

Of the strokes of images with several classes a share gets another class of its image. Average
precision, in per cent, of the order of all strokes: by the mean probability of a stroke's class in
maps that are held out from it (--folds 4, --position); by cleanlab on the same maps, one example a
stroke (self confidence, adjusted for the classes' means, the best of what it has on our data) and
by its share of a stroke's pixels that find_label_issues flags; by wss suspects without images, with
them, and with the features of a network. Each is a mean over the seeds; the interval is that of the
difference to the adjusted cleanlab over resampled images, all seeds together.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reporting import WSS, data_folder, installed, parsed, run, summary
from sklearn.metrics import average_precision_score

from wsstools.core.scribbles.drawn import drawn_strokes
from wsstools.core.scribbles.suspects import stroke_evidence
from wsstools.formats.label_files import decode_labels, encode_labels
from wsstools.formats.map_files import read_map

N_DRAWN = 6  # images, where there is no data
PLAIN = "probability"
ADJUSTED = "cleanlab, adjusted"
FLAGGED = "cleanlab, pixels flagged"
LEAST = 1e-6


def read_labels(path: Path) -> NDArray[np.uint8]:
    return decode_labels(path.read_bytes(), str(path)).value


def exchange(data: Path, stems: Sequence[str], rate: float, seed: int, out: Path) -> None:
    """Write scribbles of which so many strokes have another class of their image."""
    rng = np.random.default_rng(seed)
    images = {stem: read_labels(data / "scribbles" / f"{stem}.png") for stem in stems}
    strokes = {stem: drawn_strokes(image) for stem, image in images.items()}
    several = [
        (stem, number)
        for stem, found in strokes.items()
        if len(set(found.classes.tolist())) > 1
        for number in range(len(found))
    ]
    count = max(1, round(rate * len(several)))
    chosen = {several[k] for k in rng.choice(len(several), count, replace=False)}
    out.mkdir(parents=True, exist_ok=True)
    for stem, image in images.items():
        noisy, found = image.copy(), strokes[stem]
        for number, class_id in enumerate(found.classes):
            if (stem, number) in chosen:
                others = sorted(set(found.classes.tolist()) - {int(class_id)})
                noisy[found.numbers == number] = rng.choice(others)
        path = out / f"{stem}.png"
        if not path.exists() or (read_labels(path) != noisy).any():  # else maps stay up to date
            path.write_bytes(encode_labels(noisy, None))
    (out / "classes.txt").write_text((data / "classes.txt").read_text())


class Strokes:
    """All strokes of noisy scribbles: what maps say of them, and which are wrong."""

    def __init__(self, data: Path, stems: Sequence[str], scribbles: Path, maps: Path) -> None:
        self.keys: list[tuple[str, int, int]] = []  # image, x, y: as the command prints them
        self.images: list[int] = []
        self.classes: list[int] = []
        self.wrong: list[bool] = []
        self.of_pixels: list[NDArray[np.float64]] = []  # (pixels, C)
        for image, stem in enumerate(stems):
            noisy = read_labels(scribbles / f"{stem}.png")
            is_wrong = noisy != read_labels(data / "scribbles" / f"{stem}.png")
            found = read_map(maps / f"{stem}.npz")
            probs = found.dense().astype(np.float64)
            strokes = drawn_strokes(noisy)
            for one, here in zip(stroke_evidence(found, noisy), strokes.places(), strict=True):
                self.keys.append((stem, one.x, one.y))
                self.images.append(image)
                self.classes.append(one.class_id)
                self.wrong.append(bool(is_wrong[here].mean() > 0.5))
                self.of_pixels.append(probs[(slice(None), *here)].T)

    def plain(self) -> NDArray[np.float64]:
        return np.array(
            [1 - p[:, c].mean() for p, c in zip(self.of_pixels, self.classes, strict=True)]
        )

    def cleanlab(self) -> dict[str, NDArray[np.float64]]:
        if installed("cleanlab", "cleanlab") is None:
            return {}
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        ids, labels = np.unique(self.classes, return_inverse=True)
        means = self._normalized(np.stack([p.mean(axis=0) for p in self.of_pixels]), ids)
        quality = get_label_quality_scores(
            labels, means, method="self_confidence", adjust_pred_probs=True
        )
        sizes = [len(p) for p in self.of_pixels]
        flagged = find_label_issues(
            np.repeat(labels, sizes),
            self._normalized(np.concatenate(self.of_pixels), ids),
            filter_by="both",
            n_jobs=1,
        )
        starts = np.cumsum([0, *sizes[:-1]])
        shares = np.add.reduceat(flagged.astype(float), starts) / sizes
        return {ADJUSTED: -quality, FLAGGED: shares + 1e-3 * self.plain()}

    def suspects(self, maps: Path, scribbles: Path, *options: str) -> NDArray[np.float64]:
        command = [*WSS, "suspects", str(maps), str(scribbles), "--top", "0", "--format", "csv"]
        done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
        rows = csv.DictReader(io.StringIO(done.stdout))
        scores = {(row["image"], int(row["x"]), int(row["y"])): row["score"] for row in rows}
        return np.array([float(scores[key]) for key in self.keys])

    @staticmethod
    def _normalized(probs: NDArray[np.float64], ids: NDArray[np.int64]) -> NDArray[np.float64]:
        kept = probs[:, ids] + LEAST
        return kept / kept.sum(axis=1, keepdims=True)


def interval(
    of_seeds: Sequence[tuple[Strokes, dict[str, NDArray[np.float64]]]], name: str, repeats: int
) -> tuple[float, float]:
    """95 % of the differences to the adjusted cleanlab on resampled images."""
    rng = np.random.default_rng(0)
    n_images = 1 + max(max(strokes.images) for strokes, _ in of_seeds)
    found = []
    for _ in range(repeats):
        times = np.bincount(rng.integers(n_images, size=n_images), minlength=n_images)
        differences = []
        for strokes, scores in of_seeds:
            weights = times[strokes.images]
            if weights[np.array(strokes.wrong)].any():
                differences.append(
                    np.subtract(
                        *(
                            average_precision_score(strokes.wrong, scores[k], sample_weight=weights)
                            for k in (name, ADJUSTED)
                        )
                    )
                )
        if differences:
            found.append(np.mean(differences))
    return tuple(np.quantile(found, [0.025, 0.975]))


def measure(
    args: argparse.Namespace, data: Path, work: Path, means: dict[str, list[float]]
) -> None:
    stems = (args.ids or data / "train.txt").read_text().split()
    images = ["--images", str(data / "images")]
    common = ["--jobs", str(args.jobs)]
    (work / "ids.txt").write_text("\n".join(stems))
    for rate in args.rates:
        of_seeds = []
        for seed in range(args.seeds):
            place = work / f"{rate:g}-{seed}"
            scribbles, maps = place / "scribbles", place / "held-out"
            exchange(data, stems, rate, seed, scribbles)
            command = [*WSS, "rf-predict", str(data / "images"), str(scribbles), "-o", str(maps)]
            options = ["--position", "--folds", "4", "--ids", str(work / "ids.txt"), *common]
            subprocess.run([*command, *options], check=True, capture_output=True)
            strokes = Strokes(data, stems, scribbles, maps)
            scores = {PLAIN: strokes.plain(), **strokes.cleanlab()}
            scores["suspects"] = strokes.suspects(maps, scribbles, *common)
            scores["suspects --images"] = strokes.suspects(maps, scribbles, *images, *common)
            if args.features_of:
                network = ["--features-of", str(args.features_of)]
                scores["suspects --features-of"] = strokes.suspects(
                    maps, scribbles, *images, *network, *common
                )
            of_seeds.append((strokes, scores))
        n_wrong = sum(sum(strokes.wrong) for strokes, _ in of_seeds)
        n_all = sum(len(strokes.wrong) for strokes, _ in of_seeds)
        print(f"{rate:.0%} exchanged: {n_wrong} of {n_all} strokes, {args.seeds} seeds", flush=True)
        for name in of_seeds[0][1]:
            found = [100 * average_precision_score(s.wrong, scores[name]) for s, scores in of_seeds]
            means.setdefault(name, []).append(float(np.mean(found)))
            line = f"  {name:26} {np.mean(found):5.1f}   ({', '.join(f'{x:.1f}' for x in found)})"
            if ADJUSTED in of_seeds[0][1] and name.startswith("suspects"):
                low, high = interval(of_seeds, name, args.resamples)
                line += f"   {100 * low:+.1f} to {100 * high:+.1f}"
            print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="images/, scribbles/, classes.txt (train.txt)")
    parser.add_argument("--ids", type=Path, help="the images; default: train.txt of the data")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05, 0.1])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--features-of", type=Path, help="ImageNet weights of a network")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder that keeps the maps; default: none does")
    parser.set_defaults(drawn=N_DRAWN)
    args = parsed(parser, rates=[0.1], seeds=1, resamples=20, drawn=2)
    means: dict[str, list[float]] = {}
    with data_folder(args.data, args.drawn) as data, summary(lambda: print_means(means)):
        if args.work is not None:
            args.work.mkdir(parents=True, exist_ok=True)
            measure(args, data, args.work, means)
        else:
            with tempfile.TemporaryDirectory() as work:
                measure(args, data, Path(work), means)


def print_means(means: dict[str, list[float]]) -> None:
    """Average precision over the shares that were measured."""
    for name, found in means.items():
        print(f"{name}: {np.mean(found):.1f} over {len(found)} shares")


if __name__ == "__main__":
    run(main)
