"""A small data set and ways to run `wss`, for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from wsstools.core.maps import ProbabilityMap
from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map

SHARED = Path(os.environ.get("WSS_SHARED", Path(__file__).parents[2] / "shared"))
STEMS = ("a", "b", "c", "d")
SHAPE = (40, 56)
N_CLASSES = 4


def pytest_configure() -> None:
    """Hear the signals that tests started in the background or by nohup are deaf to."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no shared data at {SHARED}"))
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="no GPU"))


def has_gpu() -> bool:
    """Whether torch finds a GPU; loads torch, for tests that would anyway."""
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the shared data sets and weights."""
    return SHARED


@dataclass(frozen=True)
class Outcome:
    """What a run of `wss` gave."""

    code: int
    out: str
    err: str

    @property
    def paths(self) -> list[Path]:
        return [Path(line) for line in self.out.splitlines()]


@pytest.fixture
def wss(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `wss` in this process; gives exit code and what it printed."""
    from wsstools.cli.main import run

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Outcome]:
    """Run a line of bash in which `wss` is the installed program."""

    def call(line: str, **options: object) -> Outcome:
        program = f'wss() {{ "{sys.executable}" -m wsstools "$@"; }}; set -o pipefail; '
        done = subprocess.run(
            ["bash", "-c", program + line],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **options,  # type: ignore[call-overload]
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def draw_image(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy image of three stripes, its ground truth and scribbles."""
    rng = np.random.default_rng(seed)
    height, width = SHAPE
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, width // 3 :] = 1
    labels[height // 2 :, 2 * width // 3 :] = 3
    colours = np.array([[200, 60, 60], [60, 180, 80], [0, 0, 0], [70, 90, 200]])
    noise = rng.normal(0, 25, (*SHAPE, 3))
    image = np.clip(colours[labels] + noise, 0, 255).astype(np.uint8)
    scribbles = np.full(SHAPE, 255, np.uint8)
    for row in (8, 9, 30, 31):
        scribbles[row, 4:-4:2] = labels[row, 4:-4:2]
    return image, labels, scribbles


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images/, gt/, scribbles/, strokes/, maps/, other-maps/, classes.txt, train.txt."""
    root = tmp_path_factory.mktemp("dataset")
    for folder in ("images", "gt", "scribbles", "maps", "other-maps", "strokes"):
        (root / folder).mkdir()
    for seed, stem in enumerate(STEMS):
        image, labels, scribbles = draw_image(seed)
        (root / "images" / f"{stem}.png").write_bytes(encode_image(image))
        (root / "gt" / f"{stem}.png").write_bytes(encode_labels(labels, {}))
        (root / "scribbles" / f"{stem}.png").write_bytes(encode_labels(scribbles, {}))
        (root / "maps" / f"{stem}.npz").write_bytes(encode_map(noisy_map(labels, seed), {}))
        other = noisy_map(labels, seed + 100)
        (root / "other-maps" / f"{stem}.npz").write_bytes(encode_map(other, {}))
        (root / "strokes" / f"{stem}.txt").write_text(f"0,4,5,12,{6 + seed}\n3,50,30\n")
    (root / "classes.txt").write_text("sky\ngrass\nunused\nwater\n")
    (root / "train.txt").write_text("".join(f"{stem}\n" for stem in STEMS))
    return root


def noisy_map(labels: np.ndarray, seed: int) -> ProbabilityMap:
    """A map whose argmax is the labels on most pixels."""
    rng = np.random.default_rng(seed)
    classes = np.array([0, 1, 3])
    logits = rng.normal(0, 1.2, (3, *labels.shape))
    logits += 2.0 * (classes[:, None, None] == labels)
    probs = np.exp(logits) / np.exp(logits).sum(axis=0)
    return ProbabilityMap(probs.astype(np.float32), classes, N_CLASSES)


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Names and contents of all files in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
