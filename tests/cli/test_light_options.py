"""Values of options that are made without pydantic are those that Typer makes."""

from __future__ import annotations

import math

import pytest
import typer

from wsstools.cli.main import command_names, load_command

WORDS = (
    "", " ", "a", "a/b c", "-", "0", "1", "-1", "+1", "7", "007", " 7", "7 ", "1_000", "\u0663",
    "0.5", "-0.25", ".5", "5.", "2.0", "1e3", "1e-3", "nan", "inf", "-inf", "0x10", "true",
    "9" * 18, "9" * 19, "9" * 400, "1." + "3" * 30, 0, 1, 3, 0.5, None, True,
)  # fmt: skip


def made(process, context, value):
    """The value and its kind, or the error."""
    try:
        found = process(context, value)
    except Exception as error:
        return type(error).__name__, str(error)
    return type(found).__name__, "nan" if found != found else found


@pytest.mark.parametrize("name", command_names())
def test_each_parameter_makes_of_a_word_what_typer_makes_of_it(name):
    command = load_command(name)
    with typer.Context(command) as context:
        for parameter in command.params:
            of_typer = type(parameter).process_value.__get__(parameter)
            many = parameter.nargs == -1 or getattr(parameter, "multiple", False)
            for word in WORDS:
                value = (word, "b") if many and word is not None else word
                if value is True and not getattr(parameter, "is_flag", False):
                    continue  # no command line gives it
                if many and not isinstance(word, (str, type(None))):
                    continue
                expected = made(of_typer, context, value)
                assert made(parameter.process_value, context, value) == expected, parameter.name


def test_numbers_that_are_given_are_numbers():
    command = load_command("argmax")
    with typer.Context(command) as context:
        values = {p.name: p.process_value(context, "1") for p in command.params if p.name == "jobs"}
        shares = [p.process_value(context, "0.25") for p in command.params if p.name == "min_prob"]
    assert values == {"jobs": 1} and math.isclose(*shares, 0.25)
