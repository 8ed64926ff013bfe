"""`wss info`: what a file is and how it was made."""

from __future__ import annotations

from typing import Annotated, List

import typer

from wsstools.cli.options import AsJson


def info(
    files: Annotated[
        List[str],
        typer.Argument(metavar="FILE...", help="Maps, labels, models, parameters, comparisons."),
    ],
    as_json: AsJson = False,
) -> None:
    """Print what a file of ours is, such as a map or a model, and the chain of steps behind it.

    \b
    Example:
      wss info labels/patient1_frame1_z0000.png
    """
    from wsstools.steps.info import print_info

    print_info(files, as_json=as_json)
