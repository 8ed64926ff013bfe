"""Numbers outside of their ranges: one line of the command, and the same words in Python."""

from __future__ import annotations

import dataclasses

import pytest

from wsstools.core.local.settings import ForestSettings
from wsstools.core.scribbles.settings import SimulationSettings
from wsstools.nn.settings import PredictionSettings
from wsstools.nn.training.schedules import SCHEDULES
from wsstools.running.settings import RunSettings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1e308", "expected at most 3.4e+38"),
        ("inf", "expected at most 3.4e+38"),
        ("nan", "expected at least 0"),
        ("-1", "expected at least 0"),
    ],
)
def test_a_learning_rate_out_of_range_is_one_line(wss, dataset, tmp_path, value, expected):
    outcome = wss(
        "train", "--images", dataset / "images", "--labels", dataset / "gt", "--arch",
        "deeplabv2-mobilenetv2", "--init", "random", "--learning-rate", value,
        "-o", tmp_path / "net.pt",
    )  # fmt: skip
    assert outcome.code == 2
    assert outcome.err == (
        f"wss train: error: --learning-rate: {expected} (--help lists the options)\n"
    )
    with pytest.raises(ValueError, match=f"learning_rate: {expected}".replace("+", "[+]")):
        dataclasses.replace(SCHEDULES["deeplabv2-mobilenetv2"], learning_rate=float(value))


@pytest.mark.slow
def test_a_learning_rate_that_overflows_names_itself(wss, dataset, tmp_path):
    outcome = wss(
        "train", "--images", dataset / "images", "--labels", dataset / "gt", "--arch",
        "deeplabv2-mobilenetv2", "--init", "random", "--iterations", 3, "--batch", 2,
        "--crop", 33, "--precision", "float32", "--learning-rate", "3e38", "-o", tmp_path / "net.pt",
    )  # fmt: skip
    assert outcome.code == 1
    assert "at iteration 2: the learning rate is too large" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ForestSettings(trees=0), "trees: expected at least 1"),
        (lambda: SimulationSettings(seed=-1), "seed: expected at least 0"),
        (lambda: PredictionSettings(batch=0), "batch: expected at least 1"),
        (lambda: RunSettings(jobs=-1), "jobs: expected at least 0"),
        (lambda: dataclasses.replace(RunSettings(), jobs=-2), "jobs: expected at least 0"),
    ],
)
def test_python_refuses_what_the_command_does(make, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        make()


def test_ranges_leave_the_signature_as_it_was():
    assert RunSettings(jobs=2) == RunSettings(jobs=2)
    assert dataclasses.replace(RunSettings(jobs=2), overwrite=True).jobs == 2
    with pytest.raises(TypeError):
        RunSettings(worker=2)
