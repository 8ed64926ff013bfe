"""Two processes train together, and one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.trains]


def command(data: Path, model: Path) -> list[str]:
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "wsstools", "train", "--images", f"{data}/images", "--labels", f"{data}/scribbles",
        "--arch", "deeplabv2-mobilenetv2", "--init", "random", "--iterations", "12",
        "--batch", "4", "--crop", "33", "--checkpoint-every", "2", "--precision", "float32",
        "-o", f"{model}",
    ]  # fmt: skip


def process_of_rank(rank: int, model: Path) -> int:
    """The number of the process that torchrun gave this rank."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes().split(b"\0")
            arguments = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"RANK={rank}".encode() in environment and os.fsencode(model) in arguments:
            return int(place.name)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_killed_process_ends_the_run_and_a_rerun_gives_the_same_bytes(dataset, tmp_path):
    model, checkpoint = tmp_path / "net.pt", tmp_path / "net.pt.checkpoint"
    run = subprocess.Popen(command(dataset, model), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: checkpoint.exists() or run.poll() is not None)
    assert run.poll() is None
    os.kill(process_of_rank(1, model), signal.SIGKILL)
    _, told = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, told
    ours = [line for line in told.splitlines() if line.startswith("wss train: ")]
    assert ours[-1] == (
        "wss train: error: process 0 of 2 lost another one; "
        "the same command goes on from the last checkpoint"
    )
    assert not model.exists()

    again = subprocess.run(command(dataset, model), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "going on from iteration" in again.stderr
    assert not checkpoint.exists()
    whole = tmp_path / "whole" / "net.pt"
    whole.parent.mkdir()
    subprocess.run(command(dataset, whole), capture_output=True, check=True)
    assert model.read_bytes() == whole.read_bytes()
    assert Path(f"{model}.csv").read_bytes() == Path(f"{whole}.csv").read_bytes()
