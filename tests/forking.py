"""A `wss` and a `python` for tests that start as forks of a process in which all is imported.

Nine tenths of a step on a tiny image are imports. `with wss_program(folder) as path:` starts the
process and writes a program that hands its arguments, environment, working folder and streams to a
fork of it, waits, and exits with its code; signals that it gets are passed on, but for SIGKILL. A
fork first runs the Python of the file that WSS_TEST_SETUP names, if any. `scripts/python SCRIPT ...`
beside the program runs a script in such a fork.

What is read while Python or a library is loaded is that of the process, not of the call: variables
such as NUMBA_CACHE_DIR, and streams that are closed. PYTHONIOENCODING and, by torch,
OMP_NUM_THREADS are obeyed.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode()
socket.send_fds(server, [len(call).to_bytes(8, "big")], [0, 1, 2])
server.sendall(call)
pid = int.from_bytes(server.recv(8, socket.MSG_WAITALL), "big")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
code = server.recv(8, socket.MSG_WAITALL)
sys.exit(int.from_bytes(code, "big") if code else 134)
"""


@contextlib.contextmanager
def wss_program(folder: Path) -> Iterator[Path]:
    """The path of the program, while its process lives."""
    address, program = str(folder / "socket"), folder / "wss"
    program.write_text(CLIENT.format(python=sys.executable, address=address))
    program.chmod(0o755)
    (folder / "scripts").mkdir()  # apart, so that no PATH finds it
    (folder / "scripts" / "python").symlink_to(program)
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    server = subprocess.Popen(
        [sys.executable, __file__, address], env=environment, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield program
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def run_together(
    program: Path, arguments: Sequence[object], *, timeout: float
) -> list[tuple[int, str, str]]:
    """Exit code, output and messages of two processes of a run, as `torchrun` starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": 2,
        "OMP_NUM_THREADS": 1,
    }
    runs = []
    for rank in (0, 1):
        own = {
            name: str(value) for name, value in {**shared, "RANK": rank, "LOCAL_RANK": rank}.items()
        }
        runs.append(
            subprocess.Popen(
                [program, *map(str, arguments)], env={**os.environ, **own}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
    printed = [run.communicate(timeout=timeout) for run in runs]
    return [(run.returncode, *texts) for run, texts in zip(runs, printed, strict=True)]


def serve(address: str) -> None:
    """Fork for each call, for ever."""
    import matplotlib.figure  # noqa: F401
    import sklearn.ensemble  # noqa: F401

    import wsstools.cli.main
    import wsstools.steps.global_predict
    import wsstools.steps.report
    import wsstools.steps.train  # noqa: F401
    from wsstools.nn.models.torchvision_compat import import_torchvision

    import_torchvision()

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, reap)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory of all that is imported
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            answer(connection)
        connection.close()


def reap(*_: object) -> None:
    """Let forks go that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def answer(connection: socket.socket) -> None:
    """Be the `wss` of a call, in a process that then ends."""
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    arguments, environment, folder = json.loads(
        connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    )
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    encode_as(environment.get("PYTHONIOENCODING"))
    if environment.get("OMP_NUM_THREADS", "").isdecimal():
        sys.modules["torch"].set_num_threads(int(environment["OMP_NUM_THREADS"]))
    name, *sys.argv[1:] = arguments
    connection.sendall(os.getpid().to_bytes(8, "big"))
    code = 0  # help is printed without more
    try:
        if setup := os.environ.get("WSS_TEST_SETUP"):
            exec(Path(setup).read_text(), {})
        if Path(name).name == "python":
            run_script()
        else:
            from wsstools.cli.entry import main

            sys.argv[0] = "wss"
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    threading._shutdown()  # as Python ends, but for taking all modules apart, which takes a second
    atexit._run_exitfuncs()
    sys.stdout.flush()
    connection.sendall(code.to_bytes(8, "big"))
    os._exit(code)


def run_script() -> None:
    """Be the `python` of a call: its first argument is a script."""
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def encode_as(encoding: str | None) -> None:
    """Give the standard streams an encoding, as Python does when it starts."""
    if not encoding:
        return
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, encoding=encoding, errors="backslashreplace", closefd=False
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve(sys.argv[1])
