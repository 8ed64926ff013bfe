"""Local annotator models side by side: image and scribbles to map file, time and quality.

    python benchmarks/local_model.py --data DATA
    python benchmarks/local_model.py --data DATA --images 2 --peers ours,skimage       # short
    python benchmarks/local_model.py --data DATA --weights WEIGHTS --repeats 3
    python benchmarks/local_model.py --smallest                                        # seconds

DATA holds `camvid/` and `acdc/` (or those of --sets), each with `images/`, `scribbles/`, `gt/`,
`classes.txt` and `train.txt`; without it scenes are drawn. Evenly spaced images of `train.txt` are
taken. The peers take turns on each image, in one process. Timed is the whole stage: read both
files, predict, encode, write. Imports, compilation and loading of networks are not: each peer first
does one image untimed.

Peers are optional: `pip install "wsstools[bench]"` brings scikit-learn-intelex, CatBoost and
napari-convpaint; those that are missing are skipped with a line. Convpaint downloads torchvision's
VGG-16. WEIGHTS may hold `vgg16_hed_first_blocks.npz` instead, and `caffenet_conv1_bgr.npz`, with
which the filters of the paper are compared too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path

import numba
import numpy as np
import torch
from local_model_peers import PEERS, SLOW, NotAvailableError, Peer, check_features
from reporting import data_folder, parsed, run, summary
from threadpoolctl import threadpool_limits

from wsstools.core.evaluation.metrics import N_VALUES, confusion_matrix, scores
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.map_operations import argmax_labels
from wsstools.files.atomic import write_atomic
from wsstools.files.provenance import Origin
from wsstools.formats.image_files import decode_image
from wsstools.formats.label_files import decode_labels, read_class_names
from wsstools.formats.map_files import decode_map, encode_map
from wsstools.running.step import image_rng

PACKAGES = (
    "numpy", "numba", "torch", "scikit-learn", "scikit-image", "scikit-learn-intelex", "catboost",
    "napari-convpaint",
)  # fmt: skip
SMALLEST = ("ours", "ours-sklearn", "sklearn-1", "intelex-1", "skimage")
"""Peers of the smallest run; none of them downloads anything."""
COLUMNS = "peer                              threads |   s/image   CPU s   x ours |  mIoU   pixels"


@dataclass(frozen=True)
class Case:
    """The files of one image."""

    stem: str
    image: Path
    scribbles: Path
    gt: Path


@dataclass
class Record:
    """What one peer did on one data set: seconds per image, and its confusion matrix."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((N_VALUES,) * 2, np.int64))


def cases(folder: Path, n: int) -> list[Case]:
    """Evenly spaced images of the folder's train.txt, less those with scribbles of one class."""
    stems = (folder / "train.txt").read_text(encoding="utf-8").split()
    spaced = np.linspace(0, len(stems) - 1, min(n, len(stems))).round().astype(int)
    images = {path.stem: path for path in (folder / "images").iterdir()}
    chosen = []
    for stem in (stems[i] for i in spaced):
        scribbles = folder / "scribbles" / f"{stem}.png"
        found = np.unique(decode_labels(scribbles.read_bytes(), str(scribbles)).value)
        if len(found[found != IGNORE_LABEL]) < 2:
            print(f"{stem}: left out: a classifier needs scribbles of two classes")
            continue
        chosen.append(Case(stem, images[stem], scribbles, folder / "gt" / f"{stem}.png"))
    return chosen


def stage(peer: Peer, case: Case, n_classes: int, seed: int, out: Path) -> None:
    """From the image and scribble files to the map file."""
    image = decode_image(case.image.read_bytes(), str(case.image)).value
    scribbles = decode_labels(case.scribbles.read_bytes(), str(case.scribbles)).value
    found = peer.predict(image, scribbles, n_classes, image_rng(seed, case.stem))
    meta = Origin("benchmark", {}).record(kind="prob", stem=case.stem, inputs=[])
    write_atomic(out, encode_map(found, meta))


def measure(
    peer: Peer, case: Case, n_classes: int, args: argparse.Namespace, out: Path, record: Record
) -> None:
    """Run a peer on an image, and enter its median times and its labels in the record."""
    torch.set_num_threads(peer.threads)
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(peer.threads, most))
    walls, cpus = [], []
    with threadpool_limits(peer.threads):
        for _ in range(args.repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            stage(peer, case, n_classes, args.seed, out)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    labels = argmax_labels(decode_map(out.read_bytes(), str(out)).value)
    gt = decode_labels(case.gt.read_bytes(), str(case.gt)).value
    record.confusion += confusion_matrix(labels, gt)
    record.wall.append(statistics.median(walls))
    record.cpu.append(statistics.median(cpus))


def compare(folder: Path, peers: dict[str, Peer], args: argparse.Namespace) -> None:
    """Run all peers on a data set and print its table."""
    todo = cases(folder, args.images)
    n_classes = len(read_class_names(folder / "classes.txt"))
    first = decode_image(todo[0].image.read_bytes(), str(todo[0].image)).value
    off = check_features(first)
    print(
        f"\n{folder.name}: {len(todo)} images, {first.shape[1]}x{first.shape[0]} the first, "
        f"{n_classes} classes (features of the script and ours differ by at most {off:.1g})"
    )
    records = {name: Record() for name in peers}
    table = partial(print_table, peers, records, n_classes)
    with tempfile.TemporaryDirectory() as scratch, summary(table):
        out = Path(scratch) / "map.npz"
        for peer in peers.values():
            stage(peer, todo[0], n_classes, args.seed, out)
        turns = list(peers)
        for case in todo:
            for name in turns:
                measure(peers[name], case, n_classes, args, out, records[name])
            turns.append(turns.pop(0))


def print_table(peers: dict[str, Peer], records: dict[str, Record], n_classes: int) -> None:
    """A line for each peer that has done an image; ratios are of the images that both have done."""
    print(COLUMNS)
    reference = records.get("ours")
    for name, record in records.items():
        if not record.wall:
            continue
        found = scores(record.confusion, n_classes)
        ratio = "-"
        if reference and reference.wall:
            pairs = zip(record.wall, reference.wall, strict=False)  # a turn may be cut short
            ratio = f"{statistics.median(wall / our_wall for wall, our_wall in pairs):.2f}x"
        print(
            f"{peers[name].what:33} {peers[name].threads:7} |"
            f" {statistics.median(record.wall):9.3f} {statistics.median(record.cpu):7.3f}"
            f" {ratio:>8} | {100 * found.mean_iou:5.1f} {100 * found.pixel_accuracy:8.1f}",
            flush=True,
        )


def machine() -> str:
    """Processor, cores, load and versions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}\n"
        + ", ".join(versions)
    )


def available(names: list[str], weights: Path | None) -> dict[str, Peer]:
    """The peers that can run here; of the others a line says why not."""
    peers = {}
    for name in names:
        try:
            peers[name] = PEERS[name](weights)
        except NotAvailableError as error:
            print(f"{name}: skipped: {error}")
    return peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=["camvid", "acdc"], help="its folders")
    parser.add_argument("--weights", type=Path, help="folder of filter files")
    parser.add_argument("--images", type=int, default=20, help="of each data set")
    parser.add_argument(
        "--peers",
        metavar="NAME,...",
        default=",".join(name for name in PEERS if name not in SLOW),
        help=f"of {', '.join(PEERS)} (without {', '.join(SLOW)}: half a minute an image and more)",
    )
    parser.add_argument("--repeats", type=int, default=1, help="of each peer on each image")
    parser.add_argument("--seed", type=int, default=0)
    args = parsed(parser, images=1, peers=",".join(SMALLEST))
    names = args.peers.split(",")
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    print(machine())
    print(
        "Image and scribble files to map file. s/image, CPU s: median over the images (each the "
        f"median of {args.repeats}).\nx ours: median of the ratios on the same image. "
        "mIoU, pixels: per cent, of the argmax of the map files, over the set."
    )
    peers = available(names, args.weights)
    with data_folder(args.data, args.images) as data:
        for folder in [data] if args.data is None else [data / name for name in args.sets]:
            compare(folder, peers, args)
    for name, peer in peers.items():
        for remark in peer.remarks():
            print(f"{name}: {remark}")


if __name__ == "__main__":
    run(main)
