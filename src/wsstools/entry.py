"""The program `wss`. Help is printed from stored text, so that it comes at once."""

import os
import sys

HELP_OPTIONS = ("--help", "-h")
_INSTALLED_WITHIN = 60  # seconds
_HERE = os.path.dirname(__file__)


def main() -> None:
    """Run `wss` with the arguments of the process."""
    arguments = sys.argv[1:]
    text = stored_help(arguments)
    if text is not None and "_WSS_COMPLETE" not in os.environ:
        sys.stdout.write(text)
        return
    from wsstools.cli import run

    sys.exit(run(arguments))


def stored_help(arguments: "list[str]") -> "str | None":
    """The help that `wss ... --help` asks for, or None if it must be made.

    It is stored beside this file (`make man` writes it from the commands, a test compares it).
    Where the command was edited since, it does not count; installers write both within a minute.
    """
    if not arguments or arguments in ([option] for option in HELP_OPTIONS):
        name, source = "wss", "commands"
    elif len(arguments) == 2 and arguments[1] in HELP_OPTIONS and arguments[0].isprintable():
        name = arguments[0]
        source = os.path.join("commands", name.replace("-", "_") + ".py")
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
