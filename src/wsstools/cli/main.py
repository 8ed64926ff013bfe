"""Builds `wss` from the modules beside it, turns errors into one line and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pkgutil
import re
import signal
import sys
import traceback
from functools import partial
from types import FrameType
from typing import Annotated, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from wsstools import __version__, cli
from wsstools.cli.options import expanded, processed_lightly, with_light_flags
from wsstools.cli.renaming import NamedCommand
from wsstools.core.system import INTERRUPTIONS
from wsstools.core.threads import (
    check_address_space,
    check_threads,
    memory_limit,
    n_threads_of_libraries,
)
from wsstools.errors import (
    OutputsToMake,
    UsageError,
    WssError,
    memory_error_line,
    one_line,
    os_error_line,
)
from wsstools.running.bars import print_line
from wsstools.running.messages import ClosedPipe
from wsstools.running.quiet import quiet_libraries
from wsstools.running.signals import BY_SIGNAL, end_by

PIPELINE = (
    "demo",
    "demo-data",
    "slices",
    "scribbles",
    "curate",
    "suspects",
    "suggest",
    "weights",
    "rf-predict",
    "local-predict",
    "train",
    "global-predict",
    "export",
    "adjust-prior",
    "fuse",
    "tune",
    "regularize",
    "superpixels",
    "argmax",
    "denoise",
    "volumes",
    "score",
    "compare",
    "eval-gap",
    "report",
    "show",
    "stats",
    "info",
    "recipe",
)
"""Commands in the order in which they work, as help lists them; new ones follow by name."""
NO_COMMANDS = ("entry", "main", "options", "renaming")
"""Modules of `wsstools.cli` that are no command."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_ANYWHERE = {("--debug",): "WSS_DEBUG", ("--quiet", "-q"): "WSS_QUIET"}
"""Options that may be anywhere on the line, and the variables by which workers see them."""
_PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "scikit-image", "torch", "pillow")
"""Those whose versions may change the bytes of outputs."""
_ParserError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)
"""Whatever Typer finds wrong on a command line; it has no name outside of Typer."""
_WORDS = (
    (r"^Invalid value for '([^']+)'(?: / '[^']+')*: ", r"\1: "),
    (r"Input should be a valid integer.*|'(.*)' is not a valid integer", "expected a whole number"),
    (r"Input should be a valid number.*|'(.*)' is not a valid float", "expected a number"),
    (r"Input should be greater than or equal to ", "expected at least "),
    (r"Input should be less than or equal to ", "expected at most "),
    (r"^Missing (?:option|argument) '([^']+)'.*", r"\1 is missing"),
    (r"^Option '([^']+)' requires an argument", r"\1 needs a value"),
    (r"^Got unexpected extra arguments? ?(?:\(s\) )?\((.*)\)$", r"\1: not expected"),
    (r"^No such option: ", "no option "),
)
"""What Typer says of a command line, and how we say it."""
_INTERRUPTED = BY_SIGNAL + signal.SIGINT


def command_names() -> list[str]:
    """Names of all commands: every module of `wsstools.cli` but those in NO_COMMANDS is one."""
    found = {
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(cli.__path__)
        if module.name not in NO_COMMANDS and not module.name.startswith("_")
    }
    return [name for name in PIPELINE if name in found] + sorted(found - set(PIPELINE))


def load_command(name: str) -> TyperCommand:
    """The command of that name: the function of that name in the module of that name."""
    identifier = name.replace("-", "_")
    module = importlib.import_module(f"{cli.__name__}.{identifier}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    function = expanded(getattr(module, identifier))
    app.command(name, cls=NamedCommand, context_settings=CONTEXT)(function)
    command = typer.main.get_command(app)
    command.name = name
    options = inspect.signature(function).parameters
    for parameter in command.params:
        if parameter.name in options:
            process = processed_lightly(parameter.process_value, options[parameter.name])
            parameter.process_value = process  # type: ignore[method-assign]
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _no_type  # type: ignore[attr-defined]
        limits = getattr(parameter, "min", None), getattr(parameter, "max", None)
        words = partial(_range_in_words, *limits)
        parameter._get_number_range_help_str = words  # type: ignore[attr-defined]
    return cast(TyperCommand, command)


def _no_type(ctx: object) -> None:
    """What help says of the type of an argument: nothing, as it would be one of Python's."""


def _range_in_words(low: float | None, high: float | None) -> str | None:
    """The range of a number in help, which Typer writes as `0<=x<=1`."""
    if low is None:
        return None if high is None else f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


class _Commands(TyperGroup):
    """The commands, each imported only when it is asked for."""

    def get_params(self, ctx: object) -> list[TyperOption]:  # type: ignore[override]
        return with_light_flags(super().get_params(ctx))  # type: ignore[arg-type]

    def list_commands(self, ctx: object) -> list[str]:
        return command_names()

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        return load_command(cmd_name) if cmd_name in command_names() else None

    def invoke(self, ctx: object) -> object:
        try:
            return super().invoke(cast(typer.Context, ctx))
        except BrokenPipeError as error:  # typer would exit with 1
            raise ClosedPipe("standard output was closed") from error

    def resolve_command(
        self, ctx: object, args: list[str]
    ) -> tuple[str | None, TyperCommand | None, list[str]]:
        if args and args[0] not in command_names() and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], command_names(), 1)
            hint = f"did you mean {close[0]!r}?" if close else "wss --help lists the commands"
            raise UsageError(f"no command {args[0]!r}; {hint}")
        found = super().resolve_command(cast(typer.Context, ctx), args)
        return cast("tuple[str | None, TyperCommand | None, list[str]]", found)


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=CONTEXT,
)


def _print_version(value: bool) -> None:
    if value:
        import platform
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as package_version

        versions = [f"python {platform.python_version()}"]
        for name in _PACKAGES:
            with contextlib.suppress(PackageNotFoundError):
                versions.append(f"{name} {package_version(name)}")
        print(f"wss {__version__}")
        print(f"{', '.join(versions)}; {platform.machine()}")
        raise typer.Exit()


@app.callback()
def wss(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version, and those of the packages that matter for the bytes.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but results and errors.")
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

    0: done; 1: an image or the command failed; 2: wrong usage; 130, 143, 129: interrupted,
    terminated, the terminal went away.
    """
    before = set(os.environ)
    prefix = "wss"
    try:
        for options, variable in _ANYWHERE.items():
            if not set(options).isdisjoint(arguments):
                arguments = [argument for argument in arguments if argument not in options]
                os.environ[variable] = "1"
        quiet_libraries()
        name = next((argument for argument in arguments if not argument.startswith("-")), "")
        prefix = f"wss {name}" if name in command_names() else "wss"
        return _flushed(_exit_code(arguments, prefix), prefix)
    except (KeyboardInterrupt, SystemExit) as error:  # before the command began, or at its end
        return _ended(error, prefix)
    finally:
        for variable in _ANYWHERE.values():
            if variable not in before:
                os.environ.pop(variable, None)


def _exit_code(arguments: list[str], prefix: str) -> int:
    try:
        if prefix != "wss":
            _check_surroundings()
        code = app(arguments or ["--help"], prog_name="wss", standalone_mode=False)
        if code == _INTERRUPTED:  # Typer has made a code of KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except _ParserError as error:
        _complain(prefix, error, _in_our_words(error))
        return UsageError.exit_code
    except WssError as error:
        if error.exit_code and not isinstance(error, OutputsToMake):
            _complain(prefix, error, str(error))
        return error.exit_code
    except OSError as error:
        _complain(prefix, error, os_error_line(error) + _limit_hint(error))
        return 1
    except MemoryError as error:
        _complain(prefix, error, memory_error_line(error))
        return 1
    except (KeyboardInterrupt, SystemExit) as error:
        return _ended(error, prefix)
    except Exception as error:
        hint = _limit_hint(error)
        if hint and isinstance(error, ImportError):
            _complain(prefix, error, f"{error}{hint}")
            return 1
        text = f"unexpected {type(error).__name__}: {error}"
        _complain(prefix, error, f"{one_line(text)} (--debug shows where; please report it)")
        return 1


def _ended(error: KeyboardInterrupt | SystemExit, prefix: str) -> int:
    code = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else error.code
    if code in [BY_SIGNAL + number for number in INTERRUPTIONS]:
        print_line(f"{prefix}: interrupted; the same command goes on from here")
    return code if isinstance(code, int) else int(code is not None)


def _check_surroundings() -> None:
    """WssError where no command can work, before libraries say so in their way."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise WssError("the working folder was deleted; change to another one") from None
    if "numpy" in sys.modules:
        return
    # OpenBLAS would end the process.
    check_address_space()
    number = n_threads_of_libraries()
    check_threads(number, "numpy and scipy start", "with OPENBLAS_NUM_THREADS=1 none")


def _limit_hint(error: Exception) -> str:
    """That a library may not have been loaded for want of memory, where memory is limited."""
    limit = memory_limit()
    is_of_library = isinstance(error, ImportError) or "shared object" in str(error)
    return f" (too little memory? {limit})" if limit and is_of_library else ""


def _in_our_words(error: typer.BadParameter) -> str:
    """What Typer found wrong on the command line, as an error of ours has it."""
    text = one_line(error.format_message()).rstrip(".")
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text  # MAPS stays
    return f"{text} (--help lists the options)"


def handle_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the run tidily; a second one ends it at once.

    Those that are ignored, as SIGHUP is under nohup, stay ignored.
    """
    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _: FrameType | None) -> None:
    restore_signals()
    end_by(number)


def restore_signals() -> None:
    """From now on those signals end the process at once."""
    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _flushed(code: int, prefix: str) -> int:
    """The exit code when all that was printed has arrived, which Python would find out too late."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - python flushes it at exit
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        if not code:
            _complain(prefix, error, f"standard output: {error.strerror}")
        code = code or 1
    try:
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    return code


def _complain(prefix: str, error: BaseException, text: str) -> None:
    if os.environ.get("WSS_DEBUG"):
        traceback.print_exception(error)
    print_line(f"{prefix}: error: {one_line(text)}")
