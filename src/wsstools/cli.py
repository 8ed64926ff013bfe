"""Builds `wss` from the modules in commands/, turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsstools import __version__, commands
from wsstools.commands._options import expanded
from wsstools.errors import UsageError, WssError, one_line, os_error_line

PIPELINE = (
    "rf-predict",
    "local-predict",
    "train",
    "global-predict",
    "fuse",
    "regularize",
    "argmax",
    "score",
    "eval-gap",
)
"""Commands that help lists first, in the order in which they work; the others follow by name."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_INTERRUPTED = 130
_TERMINATED = 143


def command_names() -> list[str]:
    """Names of all commands: every module in commands/ that does not start with `_` is one."""
    found = {
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(commands.__path__)
        if not module.name.startswith("_")
    }
    return [name for name in PIPELINE if name in found] + sorted(found - set(PIPELINE))


def load_command(name: str) -> TyperCommand:
    """The command of that name: the function of that name in the module of that name."""
    identifier = name.replace("-", "_")
    module = importlib.import_module(f"{commands.__name__}.{identifier}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, context_settings=CONTEXT)(expanded(getattr(module, identifier)))
    command = typer.main.get_command(app)
    command.name = name
    return command  # type: ignore[return-value]


class _Commands(TyperGroup):
    """The commands, each imported only when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return command_names()

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        return load_command(cmd_name) if cmd_name in command_names() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in command_names() and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], command_names(), 1)
            hint = f"did you mean {close[0]!r}?" if close else "wss --help lists the commands"
            raise UsageError(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=CONTEXT,
)


def _print_version(value: bool) -> None:
    if value:
        print(f"wss {__version__}")
        raise typer.Exit()


@app.callback()
def wss(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error.")
    ] = False,
) -> None:
    """From scribbles to segmentation networks, one step at a time.

    Every step reads folders of files that are joined by name and writes one folder. A folder may
    be a single file, or - for paths on standard input; where standard output is a pipe, each
    finished path is printed, so that steps run side by side:

    \b
      wss rf-predict images/ scribbles/ -o local/ |
        wss regularize --potts --images images/ - -o smooth/ |
        wss argmax - -o labels/

    wss COMMAND --help explains a command; man wss-COMMAND says more.
    """


def run(arguments: list[str]) -> int:
    """Run `wss` with these arguments; gives the exit code.

    0: done; 1: an image or the command failed; 2: wrong usage; 130: interrupted; 143: terminated.
    """
    if "--debug" in arguments:  # may stand anywhere, and reaches the workers
        arguments = [argument for argument in arguments if argument != "--debug"]
        os.environ["WSS_DEBUG"] = "1"
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    prefix = f"wss {name}" if name in command_names() else "wss"
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(arguments, prog_name="wss", standalone_mode=True)
    except WssError as error:
        if error.exit_code:
            _complain(prefix, error, str(error))
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - python flushes it at exit
        return 0
    except OSError as error:
        _complain(prefix, error, os_error_line(error))
        return 1
    except (KeyboardInterrupt, SystemExit) as error:
        code = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else error.code
        if code in (_INTERRUPTED, _TERMINATED):
            print(f"{prefix}: interrupted; the same command goes on from here", file=sys.stderr)
        return code if isinstance(code, int) else int(code is not None)
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}"
        _complain(prefix, error, f"{one_line(text)} (--debug shows where; please report it)")
        return 1
    return 0


def _terminate(*_: Any) -> None:
    raise SystemExit(_TERMINATED)


def _complain(prefix: str, error: BaseException, text: str) -> None:
    if os.environ.get("WSS_DEBUG"):
        traceback.print_exception(error)
    print(f"{prefix}: error: {one_line(text)}", file=sys.stderr)
