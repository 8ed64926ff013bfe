"""A command and its step have the same defaults."""

from __future__ import annotations

import dataclasses
import importlib
import inspect

import pytest
from typer.models import ArgumentInfo

from wsstools.cli.main import command_names


def defaults(function: object) -> dict[str, object]:
    """The defaults of a function, those of its settings among them."""
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        default = parameter.default
        if isinstance(default, (dataclasses.Field, ArgumentInfo)):
            default = default.default
        if dataclasses.is_dataclass(default):
            found |= dataclasses.asdict(default)
        elif default not in (parameter.empty, dataclasses.MISSING):
            found[parameter.name] = default
    return found


@pytest.mark.parametrize("name", command_names())
def test_a_command_has_the_defaults_of_its_step(name):
    identifier = name.replace("-", "_")
    command = getattr(importlib.import_module(f"wsstools.cli.{identifier}"), identifier)
    step = importlib.import_module(f"wsstools.steps.{identifier}")
    ours, theirs = defaults(command), {}
    for function in vars(step).values():
        if inspect.isfunction(function) and function.__module__ == step.__name__:
            theirs |= defaults(function)
    shared = ours.keys() & theirs.keys()
    nothing = (None, ())
    differing = {k for k in shared if ours[k] != theirs[k] and ours[k] not in nothing}
    assert not differing, {k: (ours[k], theirs[k]) for k in differing}


def test_there_are_shared_defaults_to_compare():
    from wsstools.cli.argmax import argmax as command
    from wsstools.steps.argmax import argmax as step

    assert defaults(command)["min_prob"] == defaults(step)["min_prob"] == 0
