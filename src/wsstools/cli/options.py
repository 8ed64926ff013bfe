"""Options that commands share, and how a group of them becomes part of a command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Optional, get_type_hints

import typer

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
