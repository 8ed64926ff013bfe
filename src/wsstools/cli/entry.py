"""The program `wss`. Help is printed from stored text, so that it comes at once."""

import io
import os
import signal
import sys

HELP_OPTIONS = ("--help", "-h")
_INSTALLED_WITHIN = 60  # seconds
_PASSIVE = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
_HERE = os.path.dirname(__file__)


def main() -> None:
    """Run `wss` with the arguments of the process."""
    _open_closed_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while modules are loaded
    _wait_passively()
    arguments = sys.argv[1:]
    text = stored_help(arguments)
    if text is not None and "_WSS_COMPLETE" not in os.environ:
        _print(text)
        return
    # Typer takes a while to import, which help need not wait for.
    from wsstools.cli.main import handle_signals, restore_signals, run

    handle_signals()
    code = run(arguments)
    restore_signals()
    sys.exit(code)


def _wait_passively() -> None:
    """Let threads of OpenMP that wait for each other sleep, unless the user has chosen.

    Threads that spin take the cores from other processes, and from those of their own run. The
    variables are read when torch's library is loaded; worker processes inherit them.
    """
    if not any(name in os.environ for name in _PASSIVE):
        os.environ.update(_PASSIVE)


def _print(text: str) -> None:
    try:
        print(text, end="", flush=True)
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - python flushes it at exit
        if not isinstance(error, BrokenPipeError):
            sys.exit(f"wss: error: standard output: {error.strerror}")


def _open_closed_streams() -> None:
    """Open closed standard streams on the null device, before a file takes their number.

    Any text can be printed then, by worker processes too, which inherit them.
    """
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, mode))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the locale cannot hold is escaped


def stored_help(arguments: "list[str]") -> "str | None":
    """The help that `wss ... --help` asks for, or None if it must be made.

    It is stored beside this file (`make man` writes it from the commands, a test compares it).
    Where the command was edited since, it does not count; installers write both within a minute.
    """
    if not arguments or arguments in ([option] for option in HELP_OPTIONS):
        name, source = "wss", "."
    elif len(arguments) == 2 and arguments[1] in HELP_OPTIONS and arguments[0].isprintable():
        name = arguments[0]
        source = name.replace("-", "_") + ".py"
    else:
        return None
    path = os.path.join(_HERE, "help", os.path.basename(name) + ".txt")
    try:
        age = os.stat(os.path.join(_HERE, source)).st_mtime - os.stat(path).st_mtime
        if age > _INSTALLED_WITHIN:
            return None
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None
