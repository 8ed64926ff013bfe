"""Several processes: the gradients and the statistics are those of one with the whole batch."""

import subprocess
import sys
from pathlib import Path

import pytest

from wsstools.errors import UsageError
from wsstools.nn.training.distributed import ProcessGroup, joined_process_group

ARCHS = ("deeplabv2-mobilenetv2", "pspnet-resnet50")


@pytest.fixture(scope="module")
def printed() -> dict[str, list[list[str]]]:
    """The rows that two processes print, by their first word."""
    script = Path(__file__).with_name("distributed_gradients.py")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         script, *ARCHS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows: dict[str, list[list[str]]] = {}
    for line in done.stdout.splitlines():
        kind, *row = line.split()
        rows.setdefault(kind, []).append(row)
    return rows


@pytest.mark.slow
@pytest.mark.trains
def test_two_processes_have_the_gradient_of_one(printed):
    rows = printed["whole"]
    assert [row[:2] for row in rows] == [[arch, "2"] for arch in ARCHS]
    for row in rows:
        alone, together, error, statistics = map(float, row[2:])
        assert together == pytest.approx(alone, rel=1e-6)
        assert error < 1e-6
        assert statistics < 1e-9


@pytest.mark.slow
@pytest.mark.trains
def test_two_processes_have_the_gradient_of_one_in_parts_and_with_dice(printed):
    rows = printed["parts"]
    assert [row[:2] for row in rows] == [["2", "1"], ["2", "2"], ["2", "3"]]
    for row in rows:
        assert max(map(float, row[2:])) < 1e-6


def test_a_process_by_itself_is_the_world(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with joined_process_group("cpu") as world:
        assert world == ProcessGroup(0, 1, "cpu")
        assert (world.any(True), world.any(False), world.is_first) == (True, False, True)


def test_processes_do_not_share_a_gpu(monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--device cuda:0: several processes"):
        joined_process_group("cuda:0").__enter__()
