"""Links that lead nowhere or in a circle, and pipes and the like where files are expected."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from torture.desk import Desk, assert_clear
from torture.scenes import READING, STEPS, Step, some

_PER_IMAGE = [
    name for name in READING if STEPS[name].writes and name not in ("tune", "show --each")
]
_LISTS = ("argmax maps --ids LIST -o out", "scribbles strokes --classes LIST -o out")
_ONE_FILE = {
    "show": "sheet.png",
    "report": "report.html",
    "train": "net.pt",
    "tune": "results.jsonl",
    "compare": "compare.csv",
    "curate": "complete.txt",
}
"""Commands that write a file of all images, and its name."""


def in_circle(path: Path) -> None:
    path.symlink_to(path.name)


def to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def listening(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


LINKS = {"circle": in_circle, "nowhere": to_nowhere}
ENDLESS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo, "socket": listening, "device": device,
}  # fmt: skip


def put(desk: Desk, name: str, make: Callable[[Path], None]) -> Path:
    """Put something in the place of a file; gives its path."""
    path = desk.folder / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    return path


def victim_of(step: Step, desk: Desk) -> str:
    """A file that the command reads: the second of its folder."""
    return f"{step.reads}/{sorted(path.name for path in (desk.folder / step.reads).iterdir())[1]}"


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("name", some(READING, 4))
def test_a_link_to_nothing_is_one_line_and_the_others_are_done(
    name, kind, tries, undisturbed, new_desk
):
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries(f"input that is a link, {kind}", name, most=1):
        desk = new_desk()
        victim = victim_of(step, desk)
        put(desk, victim, LINKS[kind])
        outcome = desk.outcome_of(step)
        assert outcome.code == 1
        assert_clear(outcome, victim)
        assert outcome.err.count(victim) == 1
        if step.writes:
            touched = {file for file in whole.written if Path(file).stem == Path(victim).stem}
            desk.check_whole_or_absent(step, whole, {*touched, *step.tells_all})
            assert desk.results().keys() >= whole.written.keys() - touched
        desk.restore(victim)
        desk.check_rerun(step, whole)


def test_links_of_folders_in_a_circle_are_searched_once(tries, undisturbed, new_desk):
    whole = undisturbed("argmax")
    for _ in tries("folders in a circle", "argmax --recursive", most=1):
        desk = new_desk()
        (desk.folder / "maps/self").symlink_to(".")
        (desk.folder / "maps/one").symlink_to("two")
        (desk.folder / "maps/two").symlink_to("one")
        outcome = desk.outcome(["argmax", "maps", "--recursive", "-o", "out", "--jobs", "1"])
        assert outcome.code == 0, outcome.err
        assert desk.results() == whole.written


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("name", some(READING, 1))
def test_an_input_without_end_is_refused_in_one_line(name, kind, tries, new_desk):
    step = STEPS[name]
    for _ in tries(f"input that is a {kind}", name, most=1):
        desk = new_desk()
        victim = victim_of(step, desk)
        put(desk, victim, ENDLESS[kind])
        outcome = desk.outcome_of(step)
        assert outcome.code == 2
        assert_clear(outcome, f"{victim} is a {kind}")
        assert outcome.err.count("\n") == 1
        assert not desk.out.exists()


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize(
    "words", [*_LISTS, "argmax LIST -o out", "info LIST", "report LIST -o r.html"]
)
def test_a_file_without_end_is_refused_in_one_line(words, kind, tries, new_desk):
    for _ in tries(f"argument that is a {kind}", words, most=1):
        desk = new_desk()
        put(desk, "list.npz", ENDLESS[kind])
        outcome = desk.outcome(words.replace("LIST", "list.npz").split())
        assert outcome.code in (1, 2)
        assert_clear(outcome, "list.npz", f"is a {kind}")
        assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("name", some(_PER_IMAGE, 3))
def test_a_pipe_in_the_place_of_an_output_stays_and_is_one_line(
    name, overwrite, tries, undisturbed, new_desk
):
    step, whole = STEPS[name], undisturbed(name)
    names = sorted(file for file in whole.written if Path(file).suffix in (".png", ".npz"))
    for _ in tries("output that is a pipe", f"{name} {''.join(overwrite)}", most=1):
        desk = new_desk()
        path = put(desk, f"out/{names[1]}", os.mkfifo)
        for file in names[:1]:  # the run goes on where another left off
            (desk.out / file).write_bytes(whole.written[file])
        outcome = desk.start([*step.arguments(), *overwrite], prepare=step.prepare).outcome()
        assert outcome.code == 1
        assert_clear(outcome, f"out/{names[1]}: is a pipe")
        assert outcome.err.count("is a pipe") == 1
        assert path.is_fifo()
        path.unlink()
        assert desk.results().keys() >= whole.written.keys() - {names[1]}
        desk.check_rerun(step, whole)


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("name", some(_PER_IMAGE, 5))
def test_a_link_in_the_place_of_an_output_is_replaced_with_overwrite_only(
    name, kind, tries, undisturbed, new_desk
):
    step, whole = STEPS[name], undisturbed(name)
    last = max(file for file in whole.written if Path(file).suffix in (".png", ".npz"))
    for _ in tries(f"output that is a link, {kind}", name, most=1):
        desk = new_desk()
        first = min(file for file in whole.written if file.endswith(Path(last).suffix))
        desk.out.mkdir()
        (desk.out / first).write_bytes(whole.written[first])
        path = put(desk, f"out/{last}", LINKS[kind])
        outcome = desk.outcome_of(step)
        assert outcome.code == 1
        assert_clear(outcome, f"out/{last} is a link that leads nowhere")
        assert path.is_symlink()
        again = desk.start([*step.arguments(), "--overwrite"], prepare=step.prepare).outcome()
        assert again.code == 0, again.err
        assert desk.written() == whole.written
        assert not path.is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "nowhere"])
@pytest.mark.parametrize("name", some(_ONE_FILE, 3))
def test_the_one_file_of_a_command_is_no_pipe_and_no_link(name, kind, tries, undisturbed, new_desk):
    step, whole = STEPS[name], undisturbed(name)
    for _ in tries(f"the one output is a {kind}", name, most=1):
        desk = new_desk()
        place = f"out/{_ONE_FILE[name]}"
        path = put(desk, place, (ENDLESS | LINKS)[kind])
        outcome = desk.outcome_of(step)
        assert outcome.code in (1, 2)
        assert_clear(outcome, place, "is a pipe" if kind == "pipe" else "leads nowhere")
        assert outcome.err.count("\n") == 1
        path.unlink()
        desk.check_rerun(step, whole)


@pytest.mark.parametrize("kind", ["nowhere", "circle", "pipe"])
@pytest.mark.parametrize("out", ["out", "out/deeper"])
def test_the_folder_to_write_to_is_no_pipe_and_no_link(kind, out, tries, new_desk):
    for _ in tries(f"output folder that is a {kind}", "argmax", most=1):
        desk = new_desk()
        put(desk, "out", (ENDLESS | LINKS)[kind])
        outcome = desk.outcome(["argmax", "maps", "-o", out])
        assert outcome.code == 2
        assert_clear(outcome, "out is a", "expected a folder to write to")
        assert outcome.err.count("\n") == 1
