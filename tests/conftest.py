"""A small data set and ways to run `wss`, for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import page_data
import pytest
from builders import (
    N_CLASSES,
    PATIENCE,
    REPOSITORY,
    SHARED,
    STEMS,
    Outcome,
    draw_image,
    environment_without_make,
    noisy_map,
)
from forking import wss_program

from wsstools.formats import label_files
from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map

SURROUNDINGS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "LOKY_MAX_CPU_COUNT": "1"}
"""Tests run side by side, and leave the cores to each other.

Threads that wait sleep, as `wss` lets them: torch's library reads that when it is loaded. A run
that is not given `--jobs` has the one worker of a machine with one core: tests of workers say how
many they want.
"""


def pytest_configure() -> None:
    """Set the variables of `SURROUNDINGS`.

    And handle the signals that tests started in the background or by nohup ignore.
    """
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
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
def shell(program: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Run a line of bash in which `wss` is the program that starts at once.

    `fresh_shell` is for tests of what happens while Python starts or ends: closed streams, a pipe
    that is closed, variables that are read when modules are loaded, and the loading itself.
    """
    return partial(run_line, f'"{program}"', tmp_path)


@pytest.fixture
def fresh_shell(tmp_path: Path) -> Callable[..., Outcome]:
    """Run a line of bash in which `wss` is the installed program, which Python has to load."""
    return partial(run_line, f'"{sys.executable}" -m wsstools', tmp_path)


def run_line(wss: str, folder: Path, line: str, **options: object) -> Outcome:
    """Run a line of bash in a folder, in which `wss` is that command."""
    done = subprocess.run(
        ["bash", "-c", f'wss() {{ {wss} "$@"; }}; set -o pipefail; {line}'],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,  # type: ignore[call-overload]
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `wss` that starts at once, for Makefiles and shells."""
    with wss_program(tmp_path_factory.mktemp("program")) as path:
        yield path


@pytest.fixture(scope="session")
def bash(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], str]:
    """Run lines of a page in a folder, with a `wss` that trains shortly; gives what they print."""
    weights = tmp_path_factory.mktemp("site") / "weights"
    page_data.write_weights(weights)
    setup = weights.parent / "setup.py"
    setup.write_text(
        page_data.SETUP.format(weights=str(weights), training=page_data.SHORT_TRAINING)
    )
    environment = {
        **environment_without_make(),
        "PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "WSS_TEST_SETUP": str(setup),
        "TORCH_HOME": str(weights.parent),
        "LOKY_MAX_CPU_COUNT": "1",  # no workers
        "REPOSITORY": str(REPOSITORY),
        "PYTHON": sys.executable,
    }

    def call(lines: str, folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines], cwd=folder, env=environment,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{lines}\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        return done.stdout

    return call


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


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights whose head separates the classes."""
    import torch

    from wsstools.nn.models.model_files import encode_model
    from wsstools.nn.models.networks import build

    torch.manual_seed(0)
    network = build("deeplabv2-mobilenetv2", N_CLASSES)
    for branch in network.head.branches:
        torch.nn.init.normal_(branch.weight, std=0.02)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # its statistics become those of the images that it sees
    seen = np.stack([draw_image(number)[0] for number in range(4)])
    network.train()(torch.tensor(seen).permute(0, 3, 1, 2).float())
    path = tmp_path_factory.mktemp("model") / "net.pt"
    names = ["sky", "grass", "unused", "water"]
    meta = '{"kind": "model", "stem": "net", "step": "train", "version": "0", "options": {}, "inputs": []}'
    path.write_bytes(
        encode_model("deeplabv2-mobilenetv2", N_CLASSES, names, network.state_dict(), meta)
    )
    return path


@pytest.fixture
def predictions(dataset, tmp_path):
    """Folders full/ (the truth), baseline/ (half of the first class lost), strategy/."""
    for name, rows in (("full", 0), ("baseline", 20), ("strategy", 5)):
        (tmp_path / name).mkdir()
        for stem in STEMS:
            labels = label_files.decode_labels(
                (dataset / "gt" / f"{stem}.png").read_bytes(), ""
            ).value
            labels[:rows][labels[:rows] == 0] = 1
            data = label_files.encode_labels(labels, {})
            (tmp_path / name / f"{stem}.png").write_bytes(data)
    return tmp_path
