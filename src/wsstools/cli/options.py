"""Options that commands share, and how a group of them becomes part of a command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, List, Optional, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperOption

from wsstools.core.evaluation.settings import FIGURE_FORMATS
from wsstools.core.parameter import (
    ON_COMMAND_LINE,
    OPTION,
    OptionText,
    option_name,
    parameter,
    range_problem,
)
from wsstools.errors import UsageError

_NUMBERS = {int: re.compile(r"-?[0-9]{1,18}"), float: re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")}
"""How plain numbers are written."""
_NONE = type(None)
_WORDS = List[str]
FOLDER_HELP = "folder, a single file, or - for paths on standard input"

Images = Annotated[str, typer.Argument(metavar="IMAGES", help=f"Images: {FOLDER_HELP}.")]
ImagesOption = Annotated[
    str, typer.Option("--images", metavar="DIR", help="The images, joined with the maps by name.")
]
Potts = Annotated[bool, typer.Option("--potts", help="Potts model (total variation).")]
Crf = Annotated[bool, typer.Option("--crf", help="Fully connected CRF.")]
Maps = Annotated[str, typer.Argument(metavar="MAPS", help=f"Probability maps: {FOLDER_HELP}.")]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to; made if missing.")
]
NClasses = Annotated[
    Optional[int],
    typer.Option(
        "--n-classes",
        metavar="N",
        min=1,
        max=255,
        help="Number of classes; default: the lines of classes.txt in or beside the folder "
        "of scribbles or labels.",
    ),
]
Folds = Annotated[
    Optional[int],
    typer.Option(
        "--folds",
        metavar="K",
        min=2,
        help="Predict each stroke, and what is around it, by a model that did not learn from it: "
        "one of K, each without a K-th of the strokes (long ones are cut). It takes up to K times "
        "as long.",
    ),
]
WeightsDir = Annotated[
    Optional[str],
    typer.Option(
        "--weights-dir",
        metavar="DIR",
        envvar="WSS_WEIGHTS",
        help="Folder to look into for published weights before downloading them.",
    ),
]
Scribbles = Annotated[
    str, typer.Argument(metavar="SCRIBBLES", help="Scribbles: folder or file of index PNGs.")
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of everything left to chance.")
]
ScribblesOrPipe = Annotated[
    str, typer.Argument(metavar="SCRIBBLES", help=f"Scribbles: {FOLDER_HELP}.")
]
FORM = parameter("table", "table, csv or json.", "--format", metavar="FORM", choices=FIGURE_FORMATS)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def expanded(function: Callable[..., None]) -> Callable[..., None]:
    """The function as Typer takes it: with an option for each `parameter` of the signature.

    A dataclass of settings is spread into options, one per field, after the function's own; the
    call gathers them again.
    """
    hints = get_type_hints(function, include_extras=True)
    own, spread = [], []
    groups: dict[str, tuple[Callable[..., object], list[str], dict[str, object]]] = {}
    for one in inspect.signature(function).parameters.values():
        kind = hints[one.name]
        if isinstance(one.default, dataclasses.Field):
            own.append(_option(one.name, kind, one.default))
            continue
        if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            own.append(one.replace(annotation=kind))
            continue
        options = list(_options(kind))
        fixed = {
            field.name: field.metadata[ON_COMMAND_LINE]
            for field in dataclasses.fields(kind)
            if ON_COMMAND_LINE in field.metadata
        }
        groups[one.name] = (kind, [option.name for option in options], fixed)
        spread += options

    @functools.wraps(function)
    def gathered(**values: object) -> None:
        for kind, names, _ in groups.values():
            _check_ranges(kind, {name: values[name] for name in names})
        gathered_groups = {
            name: kind(**{field: values.pop(field) for field in names}, **fixed)
            for name, (kind, names, fixed) in groups.items()
        }
        function(**values, **gathered_groups)

    ordered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own + spread]
    gathered.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    gathered.__annotations__ = {p.name: p.annotation for p in ordered}
    del gathered.__wrapped__
    return gathered


def processed_lightly(
    process: Callable[..., object], option: inspect.Parameter
) -> Callable[..., object]:
    """What makes a value of the words that are given for an option or argument.

    `process` is Typer's, which loads pydantic for that, and takes 0.1 s. Words, and plain numbers
    within their range, are the same without it; it gets all else, and so says what is wrong.
    """
    is_annotated = get_origin(option.annotation) is Annotated
    hint, info = (
        get_args(option.annotation) if is_annotated else (option.annotation, option.default)
    )
    kinds = [kind for kind in get_args(hint) if kind is not _NONE]
    kind, *others = kinds if _NONE in get_args(hint) else [hint]
    low = -math.inf if info.min is None else info.min
    high = math.inf if info.max is None else info.max

    def processed(context: object, value: object) -> object:
        if others or (value is None and kind is hint):
            return process(context, value)
        if value is None:
            return () if kind == _WORDS else None
        if kind is str and isinstance(value, str):
            return value
        if kind == _WORDS and isinstance(value, tuple) and value:
            return list(value)
        if kind in _NUMBERS:
            is_plain = type(value) in (int, kind) or _NUMBERS[kind].fullmatch(str(value))
            if is_plain and low <= kind(value) <= high:
                return kind(value)
        return process(context, value)

    return processed


def with_light_flags(parameters: list[TyperOption]) -> list[TyperOption]:
    """Parameters of a command of Typer's, of which the flags are processed only where given.

    They are those for help and completion, which it adds by itself, and `wss`'s own.
    """
    for one in parameters:
        if getattr(one, "is_flag", False) and "process_value" not in vars(one):  # not an argument
            process = functools.partial(_processed_if_given, one.process_value)
            one.process_value = process  # type: ignore[method-assign]
    return parameters


def _processed_if_given(process: Callable[..., object], context: object, value: object) -> object:
    return process(context, value) if value else value


def _check_ranges(kind: Callable[..., object], values: Mapping[str, object]) -> None:
    """Raise UsageError at a value that Typer lets pass, as it does infinity."""
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        text: OptionText | None = field.metadata.get(OPTION)
        problem = None if text is None else range_problem(text, values.get(field.name))
        if text is not None and problem is not None:
            option = text.flags[0] if text.flags else option_name(field.name)
            raise UsageError(f"{option}: {problem} (--help lists the options)")


def _options(kind: type) -> Iterator[inspect.Parameter]:
    """The options of a dataclass, one per field."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if ON_COMMAND_LINE not in field.metadata:
            yield _option(field.name, hints[field.name], field)


def _option(name: str, annotation: object, field: dataclasses.Field[object]) -> inspect.Parameter:
    """The option that `parameter` describes; a field without is annotated as one."""
    if OPTION in field.metadata:
        text: OptionText = field.metadata[OPTION]
        option = typer.Option(
            *(text.flags or [option_name(name)]),
            help=text.help,
            metavar=text.metavar,
            min=text.min,
            max=text.max,
            envvar=text.envvar,
            show_default=text.shows_default,
            autocompletion=_completion(text.choices) if text.choices else None,
        )
        annotation = Annotated[text.kind or annotation, option]
    is_required = field.default is dataclasses.MISSING
    default = inspect.Parameter.empty if is_required else field.default
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    """What a shell offers for a value that is typed in part; nothing fits: it offers files."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def numbers(option: str, text: str | None) -> list[float] | None:
    """The numbers of an option that takes several, with commas between them.

    UsageError if a part is no number.
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text}: expected numbers such as 1,2") from None
