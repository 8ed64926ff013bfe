"""`wss weights`: where pretrained weights come from, and fetching them."""

from __future__ import annotations

from typing import List, Optional

import typer

from wsstools.cli.options import AsJson
from wsstools.core.parameter import parameter


def weights(
    action: str = typer.Argument("list", metavar="ACTION", help="list, where, fetch or verify."),
    names: Optional[List[str]] = typer.Argument(
        None, metavar="NAME", help="Names from the list, or paper."
    ),
    weights_dir: Optional[str] = parameter(
        None,
        "Folder to look into before torch's cache, and to fetch to instead of it.",
        metavar="DIR",
        envvar="WSS_WEIGHTS",
    ),
    as_json: AsJson = False,
) -> None:
    """Show where the weights of published networks come from, and fetch them.

    list prints what each file is for, its address and where it is on this machine. where NAME
    prints its path. fetch NAME downloads it, or copies it from torch's cache to --weights-dir; a
    right file there is kept. verify compares the files on this machine with the published
    checksums. Nothing is needed for --filters gabor and --init random. Files of one's own go to
    --filters FILE and --init FILE.

    \b
    Example:
      wss weights fetch paper --weights-dir weights/
      wss rf-predict images/ scribbles/ --filters paper --weights-dir weights/ -o local/
    """
    from wsstools.steps.weights import weights

    weights(action, names or [], weights_dir=weights_dir, as_json=as_json)
