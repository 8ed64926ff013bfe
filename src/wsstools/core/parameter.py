"""Parameters of a step: default, meaning and range in one place, from which an option is made."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Optional, TypeVar, get_type_hints

B = TypeVar("B")


@dataclass(frozen=True)
class OptionText:
    """What a command's help says of a parameter, and what it may be."""

    help: str  # one sentence
    flags: tuple[str, ...] = ()  # the option's names; empty: the name of the field, with dashes
    metavar: str | None = None  # what the help calls the value
    min: float | None = None
    max: float | None = None
    envvar: str | None = None  # environment variable that gives the value where the option does not
    kind: object = None  # the type of the value on the command line; None: that of the field
    shows_default: bool = True  # the help names the default by itself; False where `help` does
    choices: tuple[str, ...] = ()  # values that a shell completes; others may be possible


LARGEST = 3.4028234663852886e38
"""The largest number of float32."""
OPTION = "option"
"""Key of a field's metadata under which its OptionText is."""
ON_COMMAND_LINE = "on_command_line"
"""Key of a field's metadata: the value it has in a command, where it is no option."""


def parameter(  # the type of a field is that of its default
    default: Any,  # noqa: ANN401
    help: str,
    *flags: str,
    metavar: str | None = None,
    min: float | None = None,
    max: float | None = None,
    envvar: str | None = None,
    kind: object = None,
    shows_default: bool = True,
    choices: Iterable[str] = (),
) -> Any:  # noqa: ANN401
    """A parameter of a command, or a dataclass field that is one wherever the dataclass is taken.

    `help` says for a weight which way a larger one pushes; the others are those of OptionText.
    """
    text = OptionText(help, flags, metavar, min, max, envvar, kind, shows_default, tuple(choices))
    return dataclasses.field(default=default, metadata={OPTION: text})


def range_problem(text: OptionText, value: object) -> str | None:
    """What is expected where a value is outside of the range of its parameter; None: it is inside.

    Infinity is in no range, nor is what float32 cannot hold.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if text.min is not None and not value >= text.min:  # nor is a value that is no number
        return f"expected at least {text.min:g}"
    if text.max is not None and not value <= text.max:
        return f"expected at most {text.max:g}"
    if text.min is not None and isinstance(value, float) and value > LARGEST:
        return f"expected at most {LARGEST:.2g}"
    return None


def documented(kind: type[B]) -> type[B]:
    """The dataclass with its parameters' help in its docstring, as numpydoc has it.

    A value outside of its range is a ValueError, as of `ranged`.
    """
    lines = ["", "", "Attributes", "----------"]
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if OPTION in field.metadata:
            lines += [f"{field.name} : {field.type}, default {field.default!r}"]
            lines += [f"    {field.metadata[OPTION].help}"]
    kind.__doc__ = f"{kind.__doc__ or ''}" + "\n    ".join(lines) + "\n"
    return ranged(kind)


def ranged(kind: type[B]) -> type[B]:
    """The dataclass, of which a value outside of its parameter's range is a ValueError."""
    unchecked = kind.__init__

    @functools.wraps(unchecked)
    def checked(self: B, *values: object, **named: object) -> None:
        unchecked(self, *values, **named)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            text: OptionText | None = field.metadata.get(OPTION)
            problem = text and range_problem(text, getattr(self, field.name))
            if problem:
                raise ValueError(f"{field.name}: {problem}")

    setattr(kind, "__init__", checked)  # noqa: B010 - mypy takes it for a method of its own
    return kind


class Given:
    """Parameters of which some were given: base of what `optional_copy` makes."""

    def given(self) -> dict[str, Any]:
        """Those that were given, by their names."""
        return {
            field.name: value
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, field.name)) is not None
        }


def optional_copy(
    *kinds: type,
    default_text: Callable[[dataclasses.Field[object]], str] | None = None,
    kind: type | None = None,
    metavar: str | None = None,
    without: tuple[str, ...] = (),
) -> Callable[[type[B]], type[B]]:
    """Make a subclass of Given a dataclass with parameters of others, any of which may be left out.

    Of parameters with one name the first counts. `default_text` gives what the help says of a
    field's default; `kind` and `metavar` are those of the values on the command line, where they
    are not the field's; fields in `without` are left out.
    """
    fields: dict[str, tuple[str, object, object]] = {}
    for one in kinds:
        hints = get_type_hints(one)
        for field in dataclasses.fields(one):
            if field.name in without or field.name in fields:
                continue
            text: OptionText = field.metadata[OPTION]
            stated = shown(field.default) if default_text is None else default_text(field)
            changed = dataclasses.replace(
                text,
                help=f"{text.help} Default: {stated}.",
                metavar=metavar or text.metavar,
                shows_default=False,
            )
            fields[field.name] = (
                field.name,
                Optional[kind or hints[field.name]],
                dataclasses.field(default=None, metadata={OPTION: changed}),
            )

    def copied(base: type[B]) -> type[B]:
        made = dataclasses.make_dataclass(
            base.__name__, fields.values(), bases=(base,), frozen=True
        )
        made.__doc__ = base.__doc__
        return made

    return copied


def option_name(field: str) -> str:
    """The option of a field: `--sigma-alpha` of `sigma_alpha`, `--lambda` of `lambda_`."""
    return "--" + field.rstrip("_").replace("_", "-")


def option_of(kinds: Iterable[type], name: str) -> str:
    """The option of a field, in the first of these dataclasses that has it."""
    for kind in kinds:
        for field in dataclasses.fields(kind):
            if field.name == name and OPTION in field.metadata:
                text: OptionText = field.metadata[OPTION]
                return text.flags[0] if text.flags else option_name(name)
    return option_name(name)


def shown(value: object) -> str:
    """A default as the help shows it."""
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
