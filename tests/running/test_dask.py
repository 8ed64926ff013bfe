"""Per-image steps on a dask cluster: a scheduler and two workers, processes that speak TCP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cloudpickle
import pytest
from builders import PATIENCE, PER_IMAGE, folder_bytes, wait_until

from wsstools import __version__
from wsstools.core.compiled.processor import processor
from wsstools.formats import image_files, label_files
from wsstools.running import dask, remote_paths
from wsstools.running.join import Input, batches
from wsstools.running.settings import JobSettings, Selection
from wsstools.running.sources import Source
from wsstools.running.step import RunSettings, Step, run_step
from wsstools.running.workers import map_in_workers

pytest.importorskip("distributed")

MANY = 12


class Processes:
    """A scheduler and workers, each a process of its own, started in another folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        self.workers: list[subprocess.Popen] = []
        wait_until(lambda: self.file.exists() and self.file.read_text().strip().endswith("}"))

    def add_workers(self, number: int, **environment: str) -> None:
        for _ in range(number):
            more = ["--nthreads", "1", "--no-nanny", "--local-directory", self._folder / "scratch"]
            worker = self._start("worker", "--scheduler-file", self.file, *more, **environment)
            self.workers.append(worker)
        wait_until(lambda: self._count() >= len(self.workers))

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def kill_a_worker(self) -> None:
        worker = self.workers.pop()
        worker.kill()
        worker.wait()

    def _start(self, what: str, *options: object, **environment: str) -> subprocess.Popen:
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard",
                 *map(str, options)],
                cwd=self._folder, stdout=log, stderr=log, env={**os.environ, **environment},
            )  # fmt: skip

    def _count(self) -> int:
        text = (self._folder / "worker.log").read_text()
        return text.count("Registered to:")


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    started = Processes(folder)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("cluster")) as started:
        started.add_workers(2)
        yield started


@pytest.fixture(scope="module")
def many(dataset, tmp_path_factory) -> Path:
    """The data set with more images: links to its files."""
    root = tmp_path_factory.mktemp("many")
    (root / "classes.txt").symlink_to(dataset / "classes.txt")
    for folder in ("images", "scribbles"):
        (root / folder).mkdir()
        files = sorted((dataset / folder).iterdir())
        for number in range(MANY):
            (root / folder / f"{number:02}.png").symlink_to(files[number % len(files)])
    return root


def on(started: Processes) -> list[object]:
    return ["--backend", "dask", "--scheduler", started.file]


FOLDERS = {
    **{name: " ".join(one.words()) for name, one in PER_IMAGE.items()},
    "tune": "tune maps --images images --gt gt --potts --lambda 1,5 --eta 0.01",
    "show": "show images labels=gt --each",
    "curate": "curate scribbles gt",
    "denoise": "denoise gt gt --simulate",
    "compare": "compare gt scribbles --gt gt --images images",
}
PRINTED = {
    "score": ["gt", "gt", "--json"],
    "stats": ["scribbles", "--format", "csv"],
    "eval-gap": ["--gt", "gt", "--full", "gt", "--baseline", "scribbles", "x=gt"],
}
SLOW = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_cluster_gives_the_same_bytes(wss, two_workers, dataset, tmp_path, monkeypatch, name):
    """Paths are relative, and the workers were started in another folder."""
    monkeypatch.chdir(dataset)
    alone, together = tmp_path / "alone", Path(os.path.relpath(tmp_path / "together"))
    words = FOLDERS[name].split()
    here = wss(*words, "-o", alone, "--jobs", 1)
    assert here.code == 0, here.err
    there = wss(*words, "-o", together, *on(two_workers))
    assert there.code == 0, there.err
    assert all_bytes(alone) == all_bytes(together)
    assert there.out == here.out.replace(str(alone), str(together))


def all_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "name", ["score", *(pytest.param(n, marks=SLOW) for n in list(PRINTED)[1:])]
)
def test_a_cluster_gives_the_same_figures(wss, two_workers, dataset, monkeypatch, name):
    monkeypatch.chdir(dataset)
    here = wss(name, *PRINTED[name], "--jobs", 1)
    there = wss(name, *PRINTED[name], *on(two_workers))
    assert there.code == 0, there.err
    assert there.out == here.out != ""


def start_forests(data: Path, out: Path, *more: object) -> subprocess.Popen:
    arguments = ["rf-predict", data / "images", data / "scribbles", "-o", out, *more]
    return subprocess.Popen(
        [sys.executable, "-m", "wsstools", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_and_an_interrupted_run_goes_on(
    wss, two_workers, many, tmp_path
):
    run = start_forests(many, tmp_path / "out", *on(two_workers))
    first = run.stdout.readline()
    run.send_signal(signal.SIGINT)
    rest, message = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130, message
    assert message.splitlines()[-1] == (
        "wss rf-predict: interrupted; the same command goes on from here"
    )
    assert "Traceback" not in message
    finished = [Path(line) for line in (first + rest).splitlines()]
    assert 0 < len(finished) < MANY
    assert not list((tmp_path / "out").glob(".wss-*"))

    run = start_forests(many, tmp_path / "out", *on(two_workers))
    for _ in range(len(finished) + 1):
        run.stdout.readline()
    two_workers.kill_a_worker()
    _, message = run.communicate(timeout=PATIENCE)
    two_workers.add_workers(1)
    assert run.returncode == 0, message
    assert "is gone; what it was at goes to the others" in message
    assert "Traceback" not in message
    alone = wss("rf-predict", many / "images", many / "scribbles", "-o", tmp_path / "alone")
    assert alone.code == 0
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "alone")
    assert len(folder_bytes(tmp_path / "out")) == MANY


def ending(task: int) -> int:
    """Ends the worker that is given 3, as one that takes too much memory is ended."""
    if task == 3:
        time.sleep(1)  # dask also blames what waits for the same worker, or is just done there
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * task


@pytest.mark.slow
def test_an_image_that_no_worker_survives_is_reported_and_the_others_are_done(capfd):
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        found = list(
            map_in_workers(
                ending,
                [range(4), range(4, 6)],
                JobSettings(jobs=2, backend="dask"),
                on_worker_death=lambda task: -task,
            )
        )
    assert found == [0, 10, 20, -3, 40, 50]
    assert "Traceback" not in capfd.readouterr().err


def test_a_file_that_a_worker_cannot_read_is_reported_with_its_machine(
    wss, two_workers, dataset, tmp_path
):
    gt = tmp_path / "gt"
    gt.mkdir()
    (gt / "a.png").symlink_to(dataset / "gt" / "a.png")
    (gt / "b.png").symlink_to(tmp_path / "nowhere.png")
    out = tmp_path / "out"
    outcome = wss("curate", dataset / "scribbles", gt, "-o", out, "--ids",
                  names(tmp_path, "a", "b"), *on(two_workers))  # fmt: skip
    assert outcome.code == 1
    assert outcome.paths == [out / "a.png"]
    expected = f"b: failed: {gt / 'b.png'}: No such file or directory (on {socket.gethostname()})"
    assert expected in outcome.err


def names(folder: Path, *stems: str) -> Path:
    (folder / "ids.txt").write_text("".join(f"{stem}\n" for stem in stems))
    return folder / "ids.txt"


@pytest.mark.slow
def test_workers_that_see_other_files_are_refused(wss, two_workers, dataset, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def unseen(folder: Path) -> Iterator[Path]:
        yield folder / "mark-of-another-machine"

    monkeypatch.setattr(remote_paths, "marked", unseen)
    outcome = wss("argmax", dataset / "maps", "-o", tmp_path / "out", *on(two_workers))
    assert outcome.code == 1
    host = socket.gethostname()
    assert f"a worker on {host} does not see {tmp_path / 'out'} as it is here" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_worker_checks_version_and_files(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "_SIGHT_SECONDS", 0)
    mark = tmp_path / "mark"
    terms = dask.Terms(__version__, (mark,))
    assert f"does not see {tmp_path}" in (dask.refusal(terms) or "")
    mark.touch()
    assert dask.refusal(terms) is None
    message = dask.refusal(dask.Terms("9.9", (mark,))) or ""
    assert f"has wsstools {__version__}, this is wsstools 9.9" in message


@pytest.mark.slow
def test_workers_on_other_processors_are_warned_about_where_results_depend_on_it(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import llvmlite.binding\nllvmlite.binding.get_host_cpu_name = lambda: 'z80'\n"
    )

    def said(depends_on_processor: bool) -> list[str]:
        lines: list[str] = []
        found = map_in_workers(
            str, [[1, 2]], JobSettings(backend="dask", scheduler=str(started.file)),
            on_worker_death=str, depends_on_processor=depends_on_processor, say=lines.append,
        )  # fmt: skip
        assert list(found) == ["1", "2"]
        return lines

    with processes(tmp_path) as started:
        started.add_workers(1)
        started.add_workers(1, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
        (warning,) = said(True)
        assert said(False) == []
    kinds = ", ".join(sorted([processor(), "z80"]))
    assert warning == (
        f"warning: workers have processors of several kinds, {kinds}; the last bits of their "
        "results may differ"
    )


@pytest.mark.slow
def test_workers_without_wsstools_or_with_another_are_refused(wss, dataset, tmp_path):
    for name, content in (
        ("none", "raise ModuleNotFoundError(\"No module named 'wsstools'\")"),
        ("old", "__version__ = '0.0.1'"),
    ):
        (tmp_path / name / "wsstools").mkdir(parents=True)
        (tmp_path / name / "wsstools" / "__init__.py").write_text(content)
    with processes(tmp_path) as started:
        started.add_workers(1, PYTHONPATH=str(tmp_path / "none"))
        started.add_workers(1, PYTHONPATH=str(tmp_path / "old"))
        outcome = wss("argmax", dataset / "maps", "-o", tmp_path / "out", *on(started))
    assert outcome.code == 1
    assert "has no wsstools" in outcome.err
    assert "has wsstools 0.0.1" in outcome.err
    assert f"this is wsstools {__version__}" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_run_and_a_rerun_completes(wss, many, tmp_path):
    with processes(tmp_path) as started:
        started.add_workers(1)
        run = start_forests(many, tmp_path / "out", *on(started))
        run.stdout.readline()
        started.scheduler.kill()
        _, message = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert "is gone; the same command goes on from here" in message.splitlines()[-1]
    assert "Traceback" not in message
    wss("rf-predict", many / "images", many / "scribbles", "-o", tmp_path / "out")
    wss("rf-predict", many / "images", many / "scribbles", "-o", tmp_path / "alone")
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_whose_scheduler_is_frozen(wss, many, tmp_path, number):
    with processes(tmp_path) as started:
        started.add_workers(1)
        run = start_forests(many, tmp_path / "out", *on(started))
        run.stdout.readline()
        started.scheduler.send_signal(signal.SIGSTOP)
        time.sleep(dask._LOOK_SECONDS + 1)  # it is asked which workers it has
        run.send_signal(number)
        _, message = run.communicate(timeout=PATIENCE)
        assert run.returncode == 128 + number
        assert message.splitlines()[-1].endswith("interrupted; the same command goes on from here")
        assert "Traceback" not in message
        assert not list((tmp_path / "out").glob(".wss-run"))


@pytest.mark.slow
def test_a_frozen_scheduler_is_not_waited_for(wss, dataset, tmp_path, monkeypatch):
    """Its system accepts the connection, but it never greets."""
    monkeypatch.setattr(dask, "_CONNECT_SECONDS", 0.5)
    with processes(tmp_path) as started:
        started.scheduler.send_signal(signal.SIGSTOP)
        outcome = wss("argmax", dataset / "maps", "-o", tmp_path / "out", *on(started))
    assert outcome.code == 1
    assert "no scheduler answers at tcp://" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.slow
def test_a_scheduler_that_freezes_is_waited_for_and_the_run_goes_on(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(dask, "_LOOK_SECONDS", 0.2)
    said: list[str] = []
    with processes(tmp_path) as started:
        started.add_workers(1)
        with dask.Cluster(1, str(started.file), say=said.append) as cluster:
            found = cluster.map(abs, [[-1, -2]], jobs=1, on_worker_death=abs)
            assert next(found) == 1
            started.scheduler.send_signal(signal.SIGSTOP)
            wait_until(lambda: any("does not answer" in line for line in said))
            started.scheduler.send_signal(signal.SIGCONT)
            assert list(found) == [2]
    assert len([line for line in said if "does not answer" in line]) == 1


def test_a_scheduler_that_does_not_answer_is_reported(wss, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "_CONNECT_SECONDS", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        outcome = wss("argmax", dataset / "maps", "-o", tmp_path, "--backend", "dask",
                      "--scheduler", address)  # fmt: skip
    assert outcome.code == 1
    assert f"no scheduler answers at {address}" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("address", ["nowhere", "tcp://host:port", "http://host:80"])
def test_what_is_no_address_is_refused(wss, dataset, tmp_path, address):
    outcome = wss("argmax", dataset / "maps", "-o", tmp_path, "--backend", "dask",
                  "--scheduler", address)  # fmt: skip
    assert outcome.code == 2
    assert f"--scheduler {address}: " in outcome.err
    assert "tcp://HOST:8786" in outcome.err


def test_a_scheduler_needs_the_dask_backend(wss, dataset, tmp_path):
    outcome = wss("argmax", dataset / "maps", "-o", tmp_path, "--scheduler", "tcp://h:1")
    assert outcome.code == 2
    assert "--scheduler goes with --backend dask" in outcome.err


def compute(*_: object) -> None:
    """Nothing; it takes the place of a step's function."""


def test_what_a_worker_gets_does_not_grow_with_the_folder(tmp_path, monkeypatch):
    """Neither images nor the names of all files go through the scheduler."""
    recorded = []

    def record(function, batches, settings, **_):
        sizes = [len(cloudpickle.dumps(task)) for batch in batches for task in batch]
        recorded.append((len(cloudpickle.dumps(function)), sizes))
        return iter(())

    monkeypatch.setattr("wsstools.running.tasks.map_in_workers", record)

    def sent(number: int) -> tuple[int, Sequence[int]]:
        for folder in ("images", "labels"):
            (tmp_path / str(number) / folder).mkdir(parents=True)
            for k in range(number):
                (tmp_path / str(number) / folder / f"{k:06}.png").touch()
        inputs = [
            Input(role, Source(str(tmp_path / str(number) / folder), (".png",), role), decode)
            for role, folder, decode in (
                ("image", "images", image_files.decode_image),
                ("labels", "labels", label_files.decode_labels),
            )
        ]
        assert len([task for batch in batches(inputs, Selection()) for task in batch]) == number
        step = Step("argmax", {}, kind="labels", compute=compute)
        run_step(step, inputs, str(tmp_path / "out"), RunSettings())
        return recorded[-1]

    few, many = sent(3), sent(300)
    assert many[0] == few[0] < 2000
    assert len(many[1]) == 300
    assert max(many[1]) < 1000
