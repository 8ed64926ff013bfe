"""Small data for every command, and the commands on it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from builders import N_CLASSES, PER_IMAGE, POOL, draw_image, noisy_map

from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map

N_IMAGES = 8
NAMES = tuple(f"s{k}" for k in range(N_IMAGES))
OUT = "out"
"""Where a command writes, in the folder that it runs on."""
_WEIGHTS = 6 << 20  # bytes: some moments long


def draw_data(root: Path) -> None:
    """images/, gt/, scribbles/, strokes/, maps/, other-maps/, labels/, net.pt, pool.json, ..."""
    folders = ("images", "gt", "scribbles", "strokes", "maps", "other-maps", "labels", "full")
    for folder in folders:
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        image, labels, scribbles = draw_image(seed)
        (root / f"images/{name}.png").write_bytes(encode_image(image))
        maps = {"maps": noisy_map(labels, seed), "other-maps": noisy_map(labels, seed + 100)}
        for folder, drawn in maps.items():
            (root / f"{folder}/{name}.npz").write_bytes(encode_map(drawn, {}))
        wrong = np.where(np.random.default_rng(seed).random(labels.shape) < 0.2, 1, labels)
        better = np.where(np.random.default_rng(seed).random(labels.shape) < 0.1, 1, labels)
        for folder, drawn in {
            "gt": labels,
            "scribbles": scribbles,
            "labels": wrong.astype(np.uint8),
            "full": better.astype(np.uint8),
        }.items():
            (root / f"{folder}/{name}.png").write_bytes(encode_labels(drawn, {}))
        (root / f"strokes/{name}.txt").write_text(f"0,4,5,12,{6 + seed}\n3,50,30\n")
    (root / "classes.txt").write_text("sky\ngrass\nunused\nwater\n")
    (root / "torch/hub/checkpoints").mkdir(parents=True)
    (root / "torch/hub/checkpoints/small.pth").write_bytes(np.random.default_rng(0).bytes(_WEIGHTS))
    (root / "net.pt").write_bytes(_network())
    (root / "pool.json").write_text(json.dumps(POOL))


def _network() -> bytes:
    """A model file of random weights."""
    import torch

    from wsstools.nn.models.model_files import encode_model
    from wsstools.nn.models.networks import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build("deeplabv2-mobilenetv2", N_CLASSES).state_dict()
    names = [str(c) for c in range(N_CLASSES)]
    return encode_model("deeplabv2-mobilenetv2", N_CLASSES, names, state, json.dumps({}))


@dataclass(frozen=True)
class Step:
    """A command on the data.

    Attributes
    ----------
    words : str
        Its arguments, relative to the folder of the data.
    reads : str or None
        A folder from which it reads one file after the other.
    writes : bool
        It writes files into `OUT`; else it prints.
    has_jobs : bool
        It takes `--jobs`.
    prepare : callable or None
        Called in the run's process before it begins.
    tells_all : tuple of str
        Files that report on all images: where an image failed they are others.
    may_stand : callable
        Whether a file that an undisturbed run does not leave, or not yet whole, may exist after
        a fault, as a checkpoint may: takes its name, its bytes and what an undisturbed run leaves.
    """

    words: str
    reads: str | None = None
    writes: bool = True
    has_jobs: bool = True
    prepare: Callable[[], None] | None = None
    tells_all: tuple[str, ...] = ()
    may_stand: Callable[[str, bytes, dict[str, bytes]], bool] = lambda *_: False

    def arguments(self, jobs: int = 1) -> list[str]:
        """The arguments of `wss`."""
        return [*self.words.split(), *(["--jobs", str(jobs)] if self.has_jobs else [])]


def _small_weights() -> None:
    """Let one of the published files be one that is in the data, where nothing is downloaded."""
    from wsstools.nn.models.pretrained import PRETRAINED

    os.environ["TORCH_HOME"] = "torch"
    sha256 = hashlib.sha256(Path("torch/hub/checkpoints/small.pth").read_bytes()).hexdigest()
    first = next(iter(PRETRAINED))
    PRETRAINED["small"] = replace(PRETRAINED[first], file="small.pth", sha256=sha256)  # type: ignore[index]


def _one_thread() -> None:
    """Threads that share a core with others wait for each other most of the time."""
    import torch

    torch.set_num_threads(1)


def _is_of_training(name: str, data: bytes, whole: dict[str, bytes]) -> bool:
    """A checkpoint, or the first lines of the log."""
    return name.endswith(".checkpoint") or (name.endswith(".csv") and whole[name].startswith(data))


def _is_of_trials(name: str, data: bytes, whole: dict[str, bytes]) -> bool:
    """The results of some trials, the last of which may be cut off."""
    *lines, last = data.splitlines(keepends=True) or [b""]
    results = whole["results.jsonl"].splitlines(keepends=True)
    is_known = any(line.startswith(last) for line in results)
    return name == "results.jsonl" and set(lines) <= set(results) and is_known


_REPORT = "report gap.json --images images --gt gt -o out/report.html"
_TUNE = "tune maps --images images --gt gt --potts --lambda 1,4 --eta 0.01 -o out"
_TRAIN = (
    "train --images images --labels scribbles --arch deeplabv2-mobilenetv2 --init random "
    "--iterations 6 --batch 2 --crop 33 --checkpoint-every 2 --precision float32 -o out/net.pt"
)

STEPS: dict[str, Step] = {
    **{
        name: Step(f"{' '.join(one.words())} -o out", one.folder) for name, one in PER_IMAGE.items()
    },
    "scribbles --simulate": Step("scribbles --simulate gt -o out", "gt"),
    "curate": Step("curate scribbles gt -o out", "scribbles", tells_all=("complete.txt",)),
    "local-predict": Step("local-predict images scribbles --model walker -o out", "images"),
    "train": Step(_TRAIN, has_jobs=False, prepare=_one_thread, may_stand=_is_of_training),
    "global-predict": Step("global-predict images --model net.pt -o out", "images"),
    "denoise": Step("denoise gt gt --simulate -o out", "gt"),
    "tune": Step(
        _TUNE,
        tells_all=("params.json", "table.csv", "heatmap.png"),
        may_stand=_is_of_trials,
    ),
    "compare": Step("compare labels full --gt gt --images images --bootstrap 50 -o out"),
    "show": Step("show images labels=labels --rows 8 -o out/sheet.png"),
    "show --each": Step("show images labels=labels --each -o out", "labels"),
    "report": Step(_REPORT, has_jobs=False),
    "demo-data": Step("demo-data --n-train 4 --n-val 2 -o out", has_jobs=False),
    "demo-data --photos": Step("demo-data --photos -o out", has_jobs=False),
    "weights": Step(
        "weights fetch small --weights-dir out", has_jobs=False, prepare=_small_weights
    ),
    "stats": Step("stats labels", "labels", writes=False),
    "score": Step("score labels gt --json", "labels", writes=False),
    "eval-gap": Step(
        "eval-gap --gt gt --full full --baseline labels a=full --json", "labels", writes=False
    ),
    "info": Step("info maps/s0.npz", writes=False, has_jobs=False),
    "fuse --params": Step("fuse maps other-maps --params pool.json -o out", "maps"),
}
WRITING = [name for name, step in STEPS.items() if step.writes]
READING = [name for name, step in STEPS.items() if step.reads]

IS_SHORT = "WSS_TORTURE" not in os.environ
TRIES = int(os.environ.get("WSS_TORTURE", "1"))
"""How often each fault is tried on each command; `make torture` sets it."""
_EVERY = 6
_SLOW = ("train", "global-predict", "demo-data", "demo-data --photos")


def some(names: Iterable[str], first: int = 0) -> list[str]:
    """All of them; in the short form every sixth of the quick ones, from another `first` on."""
    if not IS_SHORT:
        return list(names)
    return [name for name in names if name not in _SLOW][first % _EVERY :: _EVERY]
