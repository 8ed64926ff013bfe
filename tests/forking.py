"""A `wss` for Makefiles under test: it starts as a fork of a process in which all is imported.

Nine tenths of a step on a tiny image are imports. `with wss_program(folder) as path:` starts the
process and writes a program that hands its arguments, environment, working folder and streams to a
fork of it, waits, and exits with its code; signals that it gets are passed on. A fork first runs the
Python of the file that WSS_TEST_SETUP names, if any.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
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


def serve(address: str) -> None:
    """Fork for each call, for ever."""
    import matplotlib.figure  # noqa: F401
    import sklearn.ensemble  # noqa: F401

    import wsstools.cli.main
    import wsstools.steps.global_predict
    import wsstools.steps.train  # noqa: F401
    from wsstools.nn.models.torchvision_compat import import_torchvision

    import_torchvision()

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        if os.fork() == 0:
            listener.close()
            answer(connection)
        connection.close()


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
    sys.argv = ["wss", *arguments]
    connection.sendall(os.getpid().to_bytes(8, "big"))
    code = 0  # help is printed without more
    try:
        if setup := os.environ.get("WSS_TEST_SETUP"):
            exec(Path(setup).read_text(), {})
        from wsstools.cli.entry import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    threading._shutdown()  # as Python ends, but for taking all modules apart, which takes a second
    atexit._run_exitfuncs()
    sys.stdout.flush()
    connection.sendall(code.to_bytes(8, "big"))
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve(sys.argv[1])
