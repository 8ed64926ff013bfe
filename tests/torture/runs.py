"""Runs of `wss` that begin at once, so that a fault can be tried many times.

Loading Python, numpy and torch takes seconds, in which nothing is written. A process that has
loaded all of it (multiprocessing's fork server) forks each run; from there on the run is that of
the program. Where loading itself, worker processes or the end of the interpreter matter, `program`
starts the program as the shell does.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import PATIENCE, Outcome

import wsstools

WSS = (sys.executable, "-m", "wsstools")
_POLL = 0.0005

_forks = multiprocessing.get_context("forkserver")
_LATER = ("typer._adapters", "pydantic.type_adapter", "numba.core.typed_passes", "numba.typed")
"""What these libraries load only when they are used; what is not there is passed over."""
_forks.set_forkserver_preload(
    [
        "__main__",  # else each run would load pytest anew
        "pytest",
        *_LATER,
        *(
            module.name
            for module in pkgutil.walk_packages(wsstools.__path__, "wsstools.")
            if not module.name.endswith("__main__")
        ),
    ]
)


@dataclass(frozen=True)
class Surroundings:
    """What a forked run finds.

    Attributes
    ----------
    folder : Path
        The working folder.
    out, err : Path
        Where standard output and standard error go; `out` may be a named pipe.
    stdin : Path
        What it reads; may be a named pipe.
    limits : mapping
        Of resources (`resource.RLIMIT_FSIZE`, ...).
    has_rights_of_root : bool
        False: a run of root's obeys the modes of files, as that of other users does.
    prepare : callable or None
        Called in the run's process before it begins.
    sabotage : callable or None
        Called after it.
    """

    folder: Path
    out: Path
    err: Path
    limits: Mapping[int, int] = field(default_factory=dict)
    stdin: Path = Path(os.devnull)
    has_rights_of_root: bool = True
    prepare: Callable[[], None] | None = None
    sabotage: Callable[[], None] | None = None


class Run:
    """A forked run of `wss`."""

    def __init__(self, arguments: Sequence[object], surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        texts = [str(argument) for argument in arguments]
        self._process = _forks.Process(target=_child, args=(texts, surroundings))
        self._process.start()
        self.began = time.monotonic()
        wait_until(surroundings.err.exists, self)
        self.began = time.monotonic()

    @property
    def is_over(self) -> bool:
        return self._process.exitcode is not None

    def send(self, number: int) -> None:
        """Send a signal, unless the run is over."""
        if not self.is_over and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def outcome(self) -> Outcome:
        """Exit code (minus the signal that ended it) and what it printed, when it is over."""
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"the run hangs; it said: {self._text('err')}")
        return Outcome(self._process.exitcode, self._text("out"), self._text("err"))

    def _text(self, name: str) -> str:
        path: Path = getattr(self._surroundings, name)
        return path.read_text(errors="replace") if path.is_file() else ""


_TOUCHING = ("open", "os.rename", "os.mkdir", "os.remove", "os.scandir", "os.listdir")


def at_touches(act: Callable[[int], None]) -> None:
    """Act whenever this process is about to touch a file of its working folder.

    `act` says for how manyth time, from 1 on. Relative paths are of the working folder.
    """
    count = 0

    def on_event(event: str, arguments: tuple) -> None:
        nonlocal count
        if event not in _TOUCHING or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        if not os.path.isabs(os.fsdecode(arguments[0])):
            count += 1
            act(count)

    sys.addaudithook(on_event)


def counting(file: Path) -> None:
    """Let this process append a byte to a file at each touch."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    at_touches(lambda _: os.write(opened, b"."))


def sending(number: int, at: int) -> None:
    """Let this process send itself a signal at a touch."""
    at_touches(lambda count: os.kill(os.getpid(), number) if count == at else None)


def pausing(begun: Path, until: Path, at: int) -> None:
    """Report a touch of this process by a file, and wait for another file."""

    def act(count: int) -> None:
        if count == at:
            os.close(os.open(begun, os.O_WRONLY | os.O_CREAT))
            while not until.exists():
                time.sleep(_POLL)

    at_touches(act)


def _child(arguments: list[str], surroundings: Surroundings) -> None:
    """The run, in its process. It never returns."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the program has it while it is loaded
    os.chdir(surroundings.folder)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path, mode in (
        (2, surroundings.err, writing),
        (0, surroundings.stdin, os.O_RDONLY),
        (1, surroundings.out, writing),
    ):
        opened = os.open(path, mode)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if surroundings.prepare is not None:
        surroundings.prepare()
    if surroundings.sabotage is not None:
        surroundings.sabotage()
    for number, limit in surroundings.limits.items():
        resource.setrlimit(number, (limit, limit))
    if not surroundings.has_rights_of_root:
        obey_modes()
    from wsstools.cli.entry import main

    sys.argv = ["wss", *arguments]
    try:
        main()
    except SystemExit as exit_:
        os._exit(exit_.code)  # type: ignore[arg-type]
    os._exit(0)


def obey_modes() -> None:
    """Take from this process root's right to write where the mode of a file forbids it."""
    import ctypes

    if os.geteuid() != 0:
        return
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    none = (ctypes.c_uint32 * 6)()
    if library.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def program(arguments: Sequence[object], folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program in a folder, in a session of its own."""
    return subprocess.Popen(
        [*WSS, *map(str, arguments)],
        cwd=folder,
        start_new_session=True,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        | options,
    )


def finished(process: subprocess.Popen[bytes]) -> Outcome:
    """Exit code and what it printed, when a program is over."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError("the program hangs") from None
    texts = [(text or b"").decode(errors="replace") for text in (out, err)]
    return Outcome(process.returncode, *texts)


def wait_until(is_so: Callable[[], bool], run: Run) -> None:
    """Wait for something that a run does, or for its end."""
    while not run.is_over and not is_so():
        assert time.monotonic() - run.began < PATIENCE, "the run hangs"
        time.sleep(_POLL)
