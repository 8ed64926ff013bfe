"""Parameters of a step: default, meaning and range in one place, from which an option is made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OptionText:
    """What a command's help says of a parameter, and what it may be.

    Attributes
    ----------
    help : str
        One sentence.
    flags : tuple of str
        The option's names; empty: the name of the field, with dashes.
    metavar : str or None
        What the help calls the value.
    min, max : float or None
        Least and largest value.
    envvar : str or None
        Environment variable that gives the value where the option does not.
    kind : type or None
        The type of the value on the command line; None: that of the field.
    shows_default : bool
        The help names the default by itself; False where `help` does.
    """

    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    envvar: str | None = None
    kind: Any = None
    shows_default: bool = True


OPTION = "option"
"""Key of a field's metadata under which its OptionText is."""
ON_COMMAND_LINE = "on_command_line"
"""Key of a field's metadata: the value it has in a command, where it is no option."""


def parameter(default: Any, help: str, *flags: str, **texts: Any) -> Any:
    """A dataclass field that is an option of the commands that take the dataclass.

    Parameters
    ----------
    default : object
        The default, on the command line and in Python.
    help : str
        What it means; for a weight, which way a larger one pushes.
    *flags : str
        Names of the option; by default the field's.
    **texts
        Further attributes of OptionText.
    """
    return dataclasses.field(default=default, metadata={OPTION: OptionText(help, flags, **texts)})
