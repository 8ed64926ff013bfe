"""`wss info`: what a file is and how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, List

import typer

from wsstools.cli.options import AsJson


def info(
    files: Annotated[
        List[str],
        typer.Argument(metavar="FILE...", help="Maps, labels, models, parameters, comparisons."),
    ],
    as_json: AsJson = False,
) -> None:
    """Print what a file of ours is, a map or a model say, and how it was made.

    The chain of all steps behind it is told.

    \b
    Example:
      wss info labels/scene-01.png
    """
    import json

    from wsstools.view.chain import chain_text

    described = [_described(file) for file in files]
    if as_json:
        print(json.dumps(described if len(described) > 1 else described[0], indent=2))
    else:
        print("\n\n".join(chain_text(entry) for entry in described))


def _described(file: str) -> dict[str, Any]:
    from wsstools.errors import naming
    from wsstools.files.provenance import parse_record
    from wsstools.formats.description import describe, is_described
    from wsstools.nn.models.model_files import read_model_header

    if is_described(file):
        return describe(file)
    with naming(file):
        header = read_model_header(Path(file).read_bytes())
    facts = {
        "architecture": header["arch"],
        "classes": f"{header['n_classes']}: {', '.join(header['class_names'])}",
    }
    return {"file": file, "what": "a model", "facts": facts, "meta": parse_record(header["meta"])}
