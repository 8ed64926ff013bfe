"""Every benchmark runs to its end at its smallest size, and reports what it has when interrupted."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import signal
import subprocess
import sys

import pytest
from builders import PATIENCE, REPOSITORY, wait_until

BENCHMARKS = REPOSITORY / "benchmarks"
SHARED = ("problems", "reporting", "local_model_peers")
FIGURES = {
    "crf": 20, "potts": 20, "potts_cuts": 20, "startup": 6,
    "backends": 6, "annotator": 12, "suspects": 8, "local_model": 12, "sharing": 8, "training": 15,
    "gpu": 60, "many_images": 40, "exported": 20,
}  # fmt: skip
"""Numbers that a benchmark prints at least; those whose runs take more than seconds come last."""
SLOW = (
    "backends", "annotator", "suspects", "local_model", "sharing", "training", "gpu",
    "many_images", "exported",
)  # fmt: skip
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def command(program):
    """The command of a benchmark, in a Python that starts at once."""

    def words(name: str, *options: str) -> list[str]:
        return [str(program.parent / "scripts/python"), str(BENCHMARKS / f"{name}.py"), *options]

    return words


def figures(text: str) -> list[float]:
    """All numbers that are printed; `nan` and `inf` are some."""
    words = re.findall(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)(?![\w.]*\w)", text)
    return [float(word) for word in words]


def test_numbers_are_found():
    assert figures("a | 0.5 nan 12 | -0.1% +inf 1e-3, K2") == pytest.approx(
        [0.5, math.nan, 12, -0.1, math.inf, 1e-3], nan_ok=True
    )


def test_every_benchmark_is_tested():
    found = {path.stem for path in BENCHMARKS.glob("*.py")}
    assert found == {*FIGURES, *SHARED}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in FIGURES]
)
def test_the_smallest_run_prints_finite_figures(name, command, tmp_path):
    if name == "backends":
        pytest.importorskip("distributed")
    if name == "exported":
        pytest.importorskip("onnxruntime")
    done = subprocess.run(
        command(name, "--smallest"), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    numbers = figures(done.stdout)
    assert len(numbers) >= FIGURES[name], done.stdout
    assert all(map(math.isfinite, numbers)), done.stdout
    assert list(tmp_path.iterdir()) == []
    if done.stdout.startswith(NO_GPU):  # two of bits, two problems, ten losses, torchrun
        assert_reached(done.stdout, 15)


NO_GPU = "no GPU: every part runs on the CPU at its smallest size"


def assert_reached(text, count):
    """So many targets of `gpu` are reached, and none is missed."""
    lines = text.splitlines()
    assert sum(line.endswith("reached") for line in lines) == count
    assert not any(line.endswith("MISSED") for line in lines)


MANY = ["astronaut"] * 9999
INTERRUPTIONS = {
    "potts_cuts": (["--photos", *MANY], "astronaut  ", "C = 2: the peer takes"),
    "crf": (["--photos", *MANY], "6 of 21  ", "6 of 21: pydensecrf takes"),
    "potts": (["--images", *MANY], "astronaut 2 |", "NumPy with same steps takes"),
    "training": (["--repeats", "9999"], "turn 1: reference, 0 ", "\nreference, 0 loading "),
    "sharing": (
        ["--repeats", "9999", "--work", "argmax"], "turn 1: argmax, 0 busy",
        "\nargmax                      0 ",
    ),
}  # fmt: skip
"""Benchmark: options with which it hardly ends, what it prints first, and what of the summary."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n == "potts_cuts" else pytest.mark.slow) for n in INTERRUPTIONS],
)
def test_an_interrupted_run_prints_what_it_has(name, command, tmp_path):
    if name in ("crf", "potts_cuts"):
        pytest.importorskip({"crf": "pydensecrf.densecrf", "potts_cuts": "maxflow"}[name])
    options, first, expected = INTERRUPTIONS[name]
    out, err = tmp_path / "out.txt", tmp_path / "err.txt"  # where some say how far they are
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            command(name, "--smallest", *options), cwd=tmp_path, env=ENVIRONMENT, stdout=out_file,
            stderr=err_file,
        )  # fmt: skip
    try:
        wait_until(lambda: first in out.read_text() + err.read_text() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130, err.read_text()
    finally:
        process.kill()
    text = out.read_text()
    assert expected in text
    assert text.splitlines()[-1].startswith("interrupted: ")


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def module(name: str):
        spec = importlib.util.spec_from_file_location(
            f"benchmark_{name}", BENCHMARKS / f"{name}.py"
        )
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, made)  # dataclasses look there
        spec.loader.exec_module(made)
        return made

    return module


def test_figures_are_printed_at_the_end_or_when_interrupted(load, capsys):
    reporting = load("reporting")
    rows = []

    def main() -> None:
        with reporting.summary(lambda: print("rows", rows)):
            rows.append(1)
            if interrupted:
                raise KeyboardInterrupt

    interrupted = False
    reporting.run(main)
    assert capsys.readouterr().out == "rows [1]\n"
    interrupted = True
    with pytest.raises(SystemExit) as ending:
        reporting.run(main)
    assert ending.value.code == 130
    assert capsys.readouterr().out.startswith("rows [1, 1]\ninterrupted: ")


def test_a_peer_that_is_not_installed_is_left_out(load, capsys):
    assert load("reporting").installed("no_such_peer", "no-such-peer") is None
    assert capsys.readouterr().out.startswith("no-such-peer: left out: pip install no-such-peer")


def test_given_options_count_more_than_those_of_the_smallest_run(load, monkeypatch):
    import argparse

    reporting = load("reporting")
    for given, expected in (
        ([], (5, 6)), (["--smallest"], (1, 2)), (["--smallest", "--a", "3"], (3, 2)),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["benchmark", *given])
        parser = argparse.ArgumentParser()
        parser.add_argument("--a", type=int, default=5)
        parser.add_argument("--b", type=int, default=6)
        args = reporting.parsed(parser, a=1, b=2)
        assert (args.a, args.b) == expected


@pytest.mark.parametrize("name", [n for n in FIGURES if n not in INTERRUPTIONS])
def test_the_others_report_through_the_same_function(name):
    source = (BENCHMARKS / f"{name}.py").read_text()
    assert source.endswith('if __name__ == "__main__":\n    run(main)\n')
    assert "summary(" in source


def test_half_measured_tables_are_printed(load, capsys):
    """What `backends` and `local_model` print when a side, or a peer, has not had its turn."""
    backends = load("backends")
    backends.print_line("step", 4, [("loky", 2.0, 3.0)])
    assert capsys.readouterr().out == ""
    backends.print_line("step", 4, [("loky", 2.0, 3.0), ("dask", 1.0, 6.0)])
    assert figures(capsys.readouterr().out) == [4, 2, 4, 2, 3, 6, 0.5]

    local = load("local_model")
    peers = {name: local.Peer(name, 1, lambda *_: None) for name in ("ours", "other", "third")}
    records = {name: local.Record() for name in peers}
    for name, seconds in (("ours", [1.0, 3.0]), ("other", [2.0])):
        records[name].wall, records[name].cpu = seconds, seconds
        records[name].confusion[0, 0] = records[name].confusion[1, 1] = 5
    local.print_table(peers, records, 2)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["ours", "other"]
    assert "2.00x" in lines[1]


@pytest.mark.gpu
def test_where_the_gpu_is_hidden_each_part_still_runs(tmp_path):
    """As on a machine without one, where the smallest run above is that."""
    done = subprocess.run(
        command("gpu", "--parts", "potts", "losses"), cwd=tmp_path, timeout=PATIENCE, check=False,
        env={**ENVIRONMENT, "CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(NO_GPU)
    assert_reached(done.stdout, 12)  # two problems and ten losses


def test_operations_of_a_step_are_three_times_those_forward(load, monkeypatch):
    import torch

    gpu = load("gpu")
    monkeypatch.setattr(gpu, "build", lambda *_: torch.nn.Conv2d(3, 16, 3, padding=1))
    forward = 2 * 3 * 16 * 9 * 20**2  # a product and a sum for each weight at each place
    assert gpu.step_operations("unet", 4, 5, 20) == 3 * forward * 5
