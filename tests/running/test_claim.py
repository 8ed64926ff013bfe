"""A folder of outputs belongs to one run at a time."""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess

import pytest
from builders import PER_IMAGE, STEMS, folder_bytes, per_image_command

from wsstools.errors import UsageError
from wsstools.files.provenance import Origin
from wsstools.running.claim import CLAIM_FILE, claimed
from wsstools.running.settings import RunSettings

FUSE = Origin("fuse", {"weights": [1.0, 2.0]})
OTHERS = {
    "another step": Origin("argmax", {}),
    "other options": Origin("fuse", {"weights": [1.0, 1.0]}),
    "another revision": Origin("fuse", {"weights": [1.0, 2.0]}, revision=2),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_a_run_writes_to_is_no_other_runs(tmp_path, other, overwrite):
    with claimed(tmp_path / "out", FUSE, RunSettings()):
        refusal = pytest.raises(UsageError, match=r"another run writes to .*out now")
        with refusal, claimed(tmp_path / "out", OTHERS[other], RunSettings(overwrite=overwrite)):
            pass
        with claimed(tmp_path / "out", FUSE, RunSettings(shard=(2, 2))):  # an equal one joins
            assert os.listdir(tmp_path / "out") == [CLAIM_FILE]
        assert os.listdir(tmp_path / "out") == [CLAIM_FILE]
        (tmp_path / "out" / "a").touch()
    assert os.listdir(tmp_path / "out") == ["a"]
    with claimed(tmp_path / "out", OTHERS[other], RunSettings()):
        pass


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path):
    with claimed(tmp_path / "out", FUSE, RunSettings()):
        pass
    with claimed(tmp_path / "dry", FUSE, RunSettings(dry_run=True)):
        assert not (tmp_path / "dry").exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", OTHERS)
def test_the_claim_of_a_killed_run_is_taken_over_if_that_is_wanted(tmp_path, other):
    """Of one without outputs, or of an equal one, always."""
    claim = tmp_path / CLAIM_FILE

    def leave_claim() -> None:
        claim.write_text(json.dumps(FUSE.record(kind="run", stem="out", inputs=[])))

    leave_claim()
    with claimed(tmp_path, OTHERS[other], RunSettings()):
        assert json.loads(claim.read_text())["step"] == OTHERS[other].step
    leave_claim()
    (tmp_path / "a.npz").touch()
    with claimed(tmp_path, FUSE, RunSettings()):
        pass
    leave_claim()
    refusal = pytest.raises(UsageError, match="a run that was stopped has outputs in")
    with refusal, claimed(tmp_path, OTHERS[other], RunSettings()):
        pass
    with claimed(tmp_path, OTHERS[other], RunSettings(overwrite=True)):
        pass
    claim.write_bytes(b"\xff damaged")
    with claimed(tmp_path, FUSE, RunSettings(overwrite=True)):
        pass
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_folder_that_cannot_be_written_to_is_not_claimed(wss, dataset, tmp_path):
    """What is up to date there is found so."""
    assert wss("argmax", dataset / "maps", "-o", tmp_path / "out").code == 0
    os.chmod(tmp_path / "out", 0o555)
    try:
        again = wss("argmax", dataset / "maps", "-o", tmp_path / "out")
    finally:
        os.chmod(tmp_path / "out", 0o755)
    assert again.code == 0 and "skipped 4 (up to date)" in again.err


def test_a_file_system_without_hard_links_needs_no_claims(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with claimed(tmp_path, FUSE, RunSettings()):
        (tmp_path / "a").touch()
    assert os.listdir(tmp_path) == ["a"]


def test_outputs_of_another_kind_are_another_runs(wss, dataset, tmp_path):
    out = tmp_path / "out"
    assert wss("argmax", dataset / "maps", "-o", out).code == 0
    refused = wss("fuse", dataset / "maps", dataset / "other-maps", "-o", out)
    assert refused.code == 2 and "it was made by wss argmax" in refused.err
    assert (
        wss("show", dataset / "images", "--each", f"a={dataset}/gt", "-o", tmp_path / "s").code == 0
    )
    (tmp_path / "s" / "sheet.png").symlink_to(tmp_path / "s" / "a.png")
    assert wss("fuse", dataset / "maps", dataset / "other-maps", "-o", tmp_path / "s").code == 0


@pytest.fixture(scope="module")
def apart(dataset, tmp_path_factory):
    """The outputs of each step where no other run is, by its name."""
    from wsstools.cli.main import run

    found = {}
    for name in PER_IMAGE:
        out = tmp_path_factory.mktemp("apart") / name
        assert run([*map(str, per_image_command(name, dataset, out)), "-j", "1"]) == 0
        found[name] = folder_bytes(out)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("pair", [*itertools.combinations(PER_IMAGE, 2)])
def test_two_runs_at_once_leave_the_outputs_of_one(dataset, apart, program, tmp_path, pair):
    out = tmp_path / "out"
    runs = [
        subprocess.Popen(
            [program, *map(str, per_image_command(name, dataset, out)), "-j", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in pair
    ]
    errors = [run.communicate()[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(codes) == [0, 2], errors
    assert folder_bytes(out) == apart[pair[codes.index(0)]]
    refusal = errors[codes.index(2)].splitlines()[-1]
    reasons = "another run writes", "made by", "made with other options"  # the first may be done
    assert "error: " in refusal and any(reason in refusal for reason in reasons)


@pytest.mark.slow
def test_equal_runs_at_once_make_one_folder(dataset, program, tmp_path):
    runs = [
        subprocess.Popen(
            [
                program,
                "argmax",
                str(dataset / "maps"),
                "-o",
                str(tmp_path / "out"),
                "--shard",
                f"{k}/2",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for k in (1, 2)
    ]
    assert [run.wait() for run in runs] == [0, 0], [run.stderr.read() for run in runs]
    assert sorted(os.listdir(tmp_path / "out")) == [f"{stem}.png" for stem in STEMS]
