"""Steps in a pipe, and steps that are killed."""

from __future__ import annotations

import contextlib
import functools
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE, PER_IMAGE, STEMS, folder_bytes, per_image_command, wait_until

WSS = [sys.executable, "-m", "wsstools"]


def test_the_pipe_gives_the_bytes_of_the_steps_one_by_one(shell, wss, dataset, tmp_path):
    images = dataset / "images"
    predict = f"wss rf-predict {images} {dataset}/scribbles --trees 5"
    regularize = f"wss regularize --potts --images {images}"
    piped = shell(
        f"{predict} -o p/local --jobs 2 | {regularize} - -o p/smooth --jobs 1"
        " | wss argmax - -o p/labels --jobs 1"
    )
    assert piped.code == 0, piped.err
    assert piped.out.splitlines() == [f"p/labels/{stem}.png" for stem in STEMS]
    single = tmp_path / "s"
    for command, jobs in (
        (["rf-predict", images, dataset / "scribbles", "--trees", 5, "-o", single / "local"], 1),
        (
            [
                "regularize",
                "--potts",
                "--images",
                images,
                single / "local",
                "-o",
                single / "smooth",
            ],
            2,
        ),
        (["argmax", single / "smooth", "-o", single / "labels"], 1),
    ):
        outcome = wss(*command, "--jobs", jobs)
        assert outcome.code == 0, outcome.err
    for folder in ("local", "smooth", "labels"):
        assert folder_bytes(tmp_path / "p" / folder) == folder_bytes(tmp_path / "s" / folder)


@pytest.mark.slow
def test_a_path_is_printed_before_the_next_one_comes(dataset, tmp_path):
    """Steps run side by side: a result is handed on while the input is still open."""
    process = subprocess.Popen(
        [*WSS, "argmax", "-", "-o", str(tmp_path / "out"), "--jobs", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    for stem in ("c", "a"):
        process.stdin.write(f"{dataset}/maps/{stem}.npz\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"{tmp_path}/out/{stem}.png\n".encode()
    process.stdin.close()
    assert process.wait(timeout=PATIENCE) == 0


@pytest.mark.slow
def test_a_failed_image_is_missing_downstream_and_the_rest_arrives(shell, dataset, tmp_path):
    shutil.copytree(dataset / "maps", tmp_path / "maps")
    (tmp_path / "maps" / "b.npz").write_bytes(b"broken")
    outcome = shell(
        f"wss regularize --crf --images {dataset}/images maps -o smooth --jobs 1"
        " | wss argmax - -o labels --jobs 1"
    )
    assert outcome.code == 1
    assert [path.stem for path in outcome.paths] == ["a", "c", "d"]


def test_a_closed_pipe_is_no_error(fresh_shell, dataset):
    outcome = fresh_shell(f"wss argmax {dataset}/maps -o out --jobs 1 | head -1")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "out/a.png\n"
    assert "rror" not in outcome.err


def test_odd_names_travel_with_nul(shell, dataset, tmp_path):
    names = ["two words", "new\nline", "-dash", "ümläut", "dots.in.name", "quote'\""]
    (tmp_path / "maps").mkdir()
    for name in names:
        shutil.copy(dataset / "maps" / "a.npz", tmp_path / "maps" / f"{name}.npz")
    outcome = shell(
        "find maps -name '*.npz' -print0 | wss argmax -0 - -o labels -j 1 | "
        "while IFS= read -r -d '' path; do test -f \"$path\" && echo yes; done"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == ["yes"] * len(names)
    assert {path.stem for path in (tmp_path / "labels").iterdir()} == set(names)


def test_only_one_input_can_be_standard_input(shell, dataset):
    outcome = shell(f"ls {dataset}/maps/*.npz | wss fuse - - -o out")
    assert outcome.code == 2
    assert "only one input can be -" in outcome.err


EMPTY = {
    **{name: one.line.replace(f"DATA/{one.folder}", "-", 1) for name, one in PER_IMAGE.items()},
    "local-predict": "local-predict - DATA/scribbles --model walker",
    "slices": "slices -",
    "volumes": "volumes - --like DATA",
    "show": "show DATA/images labels=-",
    "score": "score - DATA/gt",
    "stats": "stats -",
}
PICTURE = {"show": ".png"}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_pipe_is_an_error_in_every_command(wss, dataset, tmp_path, monkeypatch, name):
    words = [word.replace("DATA", str(dataset)) for word in EMPTY[name].split()]
    out = [] if name in ("score", "stats") else ["-o", tmp_path / f"out{PICTURE.get(name, '')}"]
    with open(os.devnull) as empty:
        monkeypatch.setattr(sys, "stdin", empty)
        outcome = wss(*words, *out)
    assert outcome.code == 1
    assert re.fullmatch(f"wss {words[0]}: error: no .* on standard input .*\n", outcome.err)
    assert not list(tmp_path.glob("out*/*"))


@pytest.mark.slow
def test_messages_of_a_pipe_do_not_share_a_line_with_the_bar(dataset, tmp_path):
    """On a terminal the last step draws a bar, and those before it print where it is."""
    terminal, inner = pty.openpty()
    line = f"{{0}} fuse {dataset}/maps {dataset}/other-maps -o f | {{0}} argmax - -o l"
    with subprocess.Popen(line.format(" ".join(WSS)), shell=True, cwd=tmp_path, stderr=inner,
                          stdout=subprocess.DEVNULL,
                          env={**os.environ, "TERM": "xterm"}) as process:  # fmt: skip
        os.close(inner)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is closed with its last process
            while part := os.read(terminal, 65536):
                shown += part
    os.close(terminal)
    assert process.returncode == 0
    assert b"\r\x1b[2Kwss fuse: 4 written to f" in shown
    assert b"wss argmax: 4 written to l" in shown


@pytest.mark.slow
def test_ids_and_shard_apply_to_a_pipe(shell, dataset):
    listed = f"ls {dataset}/maps/*.npz"
    assert shell(f"{listed} | wss argmax - -o out --shard 2/2 -j 1").paths == [
        Path("out/b.png"),
        Path("out/d.png"),
    ]
    assert shell(
        f"printf 'c\\n' > ids; {listed} | wss argmax - -o ids-out --ids ids -j 1"
    ).paths == [Path("ids-out/c.png")]


@pytest.fixture(scope="module")
def undisturbed(dataset, tmp_path_factory):
    """The files that a step leaves which nothing disturbs, by its name."""
    from wsstools.cli.main import run

    @functools.cache
    def written(name):
        out = tmp_path_factory.mktemp("undisturbed") / "out"
        assert run([*map(str, per_image_command(name, dataset, out)), "--jobs", "1"]) == 0
        return folder_bytes(out)

    return written


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("name", PER_IMAGE)
def test_a_killed_step_run_again_gives_the_bytes_of_an_undisturbed_one(
    name, jobs, dataset, undisturbed, program, tmp_path
):
    out = tmp_path / "out"
    command = [*map(str, per_image_command(name, dataset, out)), "--jobs", jobs]
    process = subprocess.Popen([*WSS, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()  # one image is done, the next is under way
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(
        [program, *command], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert results(out) == undisturbed(name)


def results(folder: Path) -> dict[str, bytes]:
    """All that a later step would take; a worker that ended late may have left a part."""
    found = folder_bytes(folder)
    return {name: data for name, data in found.items() if not re.match(r"\.wss-.*\.part", name)}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_workers_of_a_killed_run_end(dataset, tmp_path):
    mark = f"WSS_TEST_MARK={tmp_path.name}-{os.getpid()}"
    process = subprocess.Popen(
        [*WSS, "argmax", "-", "-o", str(tmp_path / "out"), "--jobs", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **dict([mark.split("=")])},
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{dataset}/maps/a.npz\n".encode())
    process.stdin.flush()
    process.stdout.readline()
    assert len(marked_processes(mark)) > 1
    process.kill()
    process.wait()
    wait_until(lambda: not marked_processes(mark), message="workers live on")


def marked_processes(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in entry.read_bytes().split(b"\0"):
                found.append(entry.parent.name)
        except OSError:
            continue
    return found
