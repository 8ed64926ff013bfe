"""Old names of options, and names of arguments: what a command line says in today's options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from typer.core import TyperCommand, TyperOption

from wsstools.cli.options import with_light_flags
from wsstools.errors import UsageError
from wsstools.running.messages import say

RENAMED: dict[str, Mapping[str, str]] = {
    "demo-data": {"--train": "--n-train", "--val": "--n-val"},
    "eval-gap": {"--train": "--train-labels"},
    "global-predict": {"--restrict-to": "--scribbles", "--floor": "--drop-below"},
    "regularize": {"--iterations": "--crf-iterations"},
    "scribbles": {"--format": "--source-format", "--colors": "--colours"},
    "tune": {"--iterations": "--crf-iterations"},
}
"""Options of the version before by their commands, and their names now; help does not list them."""
_TakesValue: TypeAlias = Callable[[str], bool]
NAMED_ARGUMENTS = ("images", "scribbles", "maps", "labels", "gt")
"""Arguments that may also be given by their names: `--gt DIR` in place of the second one, say."""


class NamedCommand(TyperCommand):
    """A command that also takes the old names of its options, and its arguments by name."""

    def get_params(self, ctx: object) -> list[TyperOption]:  # type: ignore[override]
        """Its parameters, and the flag that asks for help."""
        return with_light_flags(super().get_params(ctx))  # type: ignore[arg-type]

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Parse a command line after it has been written with the names that hold now."""
        name = self.name or ""
        renamed = with_new_names(name, args, RENAMED.get(name, {}), self._takes_value)
        named = [
            parameter.name or ""
            for parameter in self.params
            if parameter.param_type_name == "argument" and parameter.nargs == 1
        ]
        in_order = with_arguments_in_order(renamed, named, self._takes_value)
        return super().parse_args(ctx, in_order)  # type: ignore[arg-type]

    def _takes_value(self, option: str) -> bool:
        """Whether a word after an option, such as `--out` or `-o`, is its value."""
        return any(
            option in (*parameter.opts, *parameter.secondary_opts)
            and not getattr(parameter, "is_flag", False)
            for parameter in self.params
            if parameter.param_type_name == "option"
        )


def with_new_names(
    command: str,
    words: Sequence[str],
    renamed: Mapping[str, str],
    takes_value: _TakesValue,
) -> list[str]:
    """The words of a command line with options by the names that they have now.

    A note on standard error says which were replaced.
    """
    found: list[str] = []
    is_value = False
    for position, word in enumerate(words):
        if word == "--":
            return [*found, *words[position:]]
        option, equals, value = word.partition("=")
        if not is_value and option in renamed:
            say(f"{option} is now {renamed[option]}; the old name is going to be removed", command)
            word = renamed[option] + equals + value
        found.append(word)
        is_value = not is_value and takes_value(word)
    return found


def with_arguments_in_order(
    words: Sequence[str], arguments: Sequence[str], takes_value: _TakesValue
) -> list[str]:
    """The words of a command line with arguments that were given by name in their places.

    Parameters
    ----------
    words : sequence of str
    arguments : sequence of str
        Names of the arguments of one word, in their order.
    takes_value : function of str
        Whether the word after an option is its value.

    Raises
    ------
    UsageError
        If an argument is given twice or not at all, where one is given by name.
    """
    names = {f"--{name}": name for name in arguments if name in NAMED_ARGUMENTS}
    names = {option: name for option, name in names.items() if not takes_value(option)}
    options: list[str] = []
    by_place: list[str] = []
    by_name: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word == "--":
            by_place += rest
        elif option in names:
            value = value if equals else next(rest, "")
            if not value:
                raise UsageError(f"{option} needs a value")
            if names[option] in by_name:
                raise UsageError(f"{option} is given twice")
            by_name[names[option]] = value
        elif word.startswith("-") and word != "-":
            options.append(word)
            options += [next(rest, "")] if takes_value(word) else []
        else:
            by_place.append(word)
    if not by_name:
        return list(words)
    placed = iter(by_place)
    ordered = [by_name[name] if name in by_name else next(placed, None) for name in arguments]
    missing = [name for name, value in zip(arguments, ordered, strict=True) if value is None]
    if missing:
        raise UsageError(f"{missing[0].upper()} is missing")
    return [*options, "--", *(value for value in ordered if value is not None), *placed]
