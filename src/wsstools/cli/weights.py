"""`wss weights`: where pretrained weights come from, and bringing them here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from wsstools.cli.options import AsJson

ACTIONS = ("list", "where", "fetch", "verify")


def weights(
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help=f"{', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}.")
    ] = "list",
    names: Annotated[
        Optional[List[str]],
        typer.Argument(metavar="NAME", help="Names from the list, or paper."),
    ] = None,
    weights_dir: Annotated[
        Optional[str],
        typer.Option(
            "--weights-dir",
            metavar="DIR",
            envvar="WSS_WEIGHTS",
            help="Folder to look into before torch's cache, and to fetch to instead of it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell where the weights of published networks come from, and fetch them.

    list tells of each file what it is for, its address and where it lies. where NAME prints its
    path. fetch NAME downloads it, or copies it from torch's cache to --weights-dir; what is there
    and right stays. verify compares what is at hand with the published checksums. Nothing is
    needed for --filters gabor and --init random. Files of one's own go to --filters FILE and
    --init FILE.

    \b
    Example:
      wss weights fetch paper --weights-dir weights/
      wss rf-predict images/ scribbles/ --filters paper --weights-dir weights/ -o local/
    """
    from wsstools.errors import UsageError
    from wsstools.nn.models.pretrained import PRETRAINED, TOGETHER

    if action not in ACTIONS:
        raise UsageError(f"no action {action!r}; there are {', '.join(ACTIONS)}")
    if as_json and action != "list":
        raise UsageError(f"--json goes with list, not with {action}")
    chosen = [one for name in names or [] for one in TOGETHER.get(name, (name,))]
    for name in chosen:
        if name not in PRETRAINED:
            known = ", ".join([*PRETRAINED, *TOGETHER])
            raise UsageError(f"no weights are called {name!r}; there are {known}")
    if not chosen and action in ("where", "fetch"):
        raise UsageError(f"{action} needs a NAME; wss weights list shows them")
    if action == "list":
        _list(chosen or list(PRETRAINED), weights_dir, as_json)
    elif action == "where":
        _where(chosen, weights_dir)
    elif action == "fetch":
        _fetch(chosen, weights_dir)
    else:
        _verify(chosen, weights_dir)


def _list(names: list[str], weights_dir: str | None, as_json: bool) -> None:
    import json

    from wsstools.nn.models.pretrained import TOGETHER

    entries = [_entry(name, weights_dir) for name in names]
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    for entry in entries:
        print(f"{entry['name']:<18}{entry['megabytes']:4.0f} MB  {entry['purpose']}")
        print(f"  from    {entry['url']}")
        print(f"  at hand {entry['path'] or 'no'}\n")
    for name, members in TOGETHER.items():
        print(f"{name} is {' and '.join(members)}; gabor is built in.")


def _entry(name: str, weights_dir: str | None) -> dict[str, Any]:
    from wsstools.nn.models.pretrained import PRETRAINED, find_pretrained

    known = PRETRAINED[name]
    path = find_pretrained(name, weights_dir)
    return {
        "name": name,
        "purpose": known.purpose,
        "file": known.file,
        "url": known.url,
        "sha256": known.sha256,
        "megabytes": known.megabytes,
        "path": None if path is None else str(path),
    }


def _where(names: list[str], weights_dir: str | None) -> None:
    paths = [_found(name, weights_dir) for name in names]
    for path in paths:
        print(path)


def _found(name: str, weights_dir: str | None) -> Path:
    from wsstools.errors import DataError
    from wsstools.nn.models.pretrained import PRETRAINED, find_pretrained, torch_cache

    path = find_pretrained(name, weights_dir)
    if path is None:
        places = " and ".join(str(place) for place in (weights_dir, torch_cache()) if place)
        raise DataError(
            f"{name}: {PRETRAINED[name].file} is not in {places}; "
            f"wss weights fetch {name} brings it"
        )
    return path


def _fetch(names: list[str], weights_dir: str | None) -> None:
    from wsstools.nn.models.pretrained import PRETRAINED, fetch_pretrained
    from wsstools.running.bars import Bar

    for name in names:
        steps: list[str] = []
        with Bar(f"wss weights {name}", round(PRETRAINED[name].megabytes)) as bar:

            def began(text: str, name: str = name, bar: Bar = bar, steps: list = steps) -> None:
                steps.append(text)
                bar.print(f"wss weights: {name}: {text}")

            path = fetch_pretrained(name, weights_dir, began=began, advance=bar.advance)
        if not steps:
            print(f"wss weights: {name} is there already and right", file=sys.stderr)
        print(path, flush=True)


def _verify(names: list[str], weights_dir: str | None) -> None:
    from wsstools.errors import DataError
    from wsstools.nn.models.pretrained import PRETRAINED, check_pretrained, find_pretrained

    if names:
        paths = {name: _found(name, weights_dir) for name in names}
    else:
        places = {name: find_pretrained(name, weights_dir) for name in PRETRAINED}
        paths = {name: path for name, path in places.items() if path is not None}
    if not paths:
        print("wss weights: none of the files is at hand", file=sys.stderr)
    wrong = []
    for name, path in paths.items():
        try:
            check_pretrained(name, path)
        except DataError as error:
            wrong.append(name)
            print(f"wss weights: {name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: right: {path}", flush=True)
    if wrong:
        raise DataError(f"{len(wrong)} of {len(paths)} files are wrong: {', '.join(wrong)}")
