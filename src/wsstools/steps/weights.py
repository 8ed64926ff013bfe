"""Published weights: where they come from, and bringing them here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wsstools.errors import DataError, UsageError
from wsstools.nn.models.pretrained import (
    PRETRAINED,
    TOGETHER,
    check_pretrained,
    fetch_pretrained,
    find_pretrained,
    torch_cache,
)
from wsstools.running.bars import Bar
from wsstools.running.messages import say

_LISTED = ("purpose", "file", "url", "sha256", "megabytes")
ACTIONS = ("list", "where", "fetch", "verify")


def weights(
    action: str = "list",
    names: Sequence[str] = (),
    *,
    weights_dir: str | None = None,
    as_json: bool = False,
) -> None:
    """List, find, fetch or verify the weights of published networks, and print the result.

    Parameters
    ----------
    action : str
        One of ACTIONS.
    names : sequence of str
        Names from the list, or `paper`; empty: all of them.
    weights_dir : str or None
        Folder to look into before torch's cache, and to fetch to instead of it.
    as_json : bool
        The list as JSON.

    Raises
    ------
    UsageError
        If there is no such action or name.
    DataError
        If a file is missing, cannot be downloaded, or is wrong.
    """
    if action not in ACTIONS:
        raise UsageError(f"no action {action!r}; there are {', '.join(ACTIONS)}")
    if as_json and action != "list":
        raise UsageError(f"--json goes with list, not with {action}")
    chosen = [one for name in names for one in TOGETHER.get(name, (name,))]
    for name in chosen:
        if name not in PRETRAINED:
            known = ", ".join([*PRETRAINED, *TOGETHER])
            raise UsageError(f"no weights are called {name!r}; there are {known}")
    if not chosen and action in ("where", "fetch"):
        raise UsageError(f"{action} needs a NAME; wss weights list shows them")
    if action == "list":
        _list(chosen or list(PRETRAINED), weights_dir, as_json)
    elif action == "where":
        print("\n".join(str(path) for path in [_found(name, weights_dir) for name in chosen]))
    elif action == "fetch":
        _fetch(chosen, weights_dir)
    else:
        _verify(chosen, weights_dir)


def _list(names: Sequence[str], weights_dir: str | None, as_json: bool) -> None:
    entries = [(name, PRETRAINED[name], find_pretrained(name, weights_dir)) for name in names]
    if as_json:
        listed = [
            {
                "name": name,
                **{key: getattr(known, key) for key in _LISTED},
                "path": None if path is None else str(path),
            }
            for name, known, path in entries
        ]
        print(json.dumps(listed, indent=2))
        return
    for name, known, path in entries:
        print(f"{name:<18}{known.megabytes:4.0f} MB  {known.purpose}")
        print(f"  from  {known.url}")
        print(f"  here  {path or 'no'}\n")
    for name, members in TOGETHER.items():
        print(f"{name} is {' and '.join(members)}; gabor is built in.")


def _found(name: str, weights_dir: str | None) -> Path:
    path = find_pretrained(name, weights_dir)
    if path is None:
        places = " and ".join(str(place) for place in (weights_dir, torch_cache()) if place)
        raise DataError(
            f"{name}: {PRETRAINED[name].file} is not in {places}; "
            f"wss weights fetch {name} brings it"
        )
    return path


def _fetch(names: Sequence[str], weights_dir: str | None) -> None:
    for name in names:
        with Bar(f"wss weights {name}", round(PRETRAINED[name].megabytes)) as bar:
            lines: list[str] = []

            def began(text: str, lines: list[str] = lines, bar: Bar = bar) -> None:
                lines.append(f"wss weights: {text}")
                bar.print(lines[-1])

            path = fetch_pretrained(name, weights_dir, began=began, advance=bar.advance)
        if not lines:
            say(f"{name} is up to date", "weights")
        print(path, flush=True)


def _verify(names: Sequence[str], weights_dir: str | None) -> None:
    if names:
        paths = {name: _found(name, weights_dir) for name in names}
    else:
        places = {name: find_pretrained(name, weights_dir) for name in PRETRAINED}
        paths = {name: path for name, path in places.items() if path is not None}
    if not paths:
        say("none of the files is on this machine", "weights")
    wrong = []
    for name, path in paths.items():
        try:
            check_pretrained(name, path)
        except DataError as error:
            wrong.append(name)
            say(f"{name}: {error}", "weights")
        else:
            print(f"{name}: right: {path}", flush=True)
    if wrong:
        raise DataError(f"{len(wrong)} of {len(paths)} files are wrong: {', '.join(wrong)}")
