"""The parameters of a regularizer that `wss tune` found, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from wsstools.errors import DataError
from wsstools.files.limits import read_file
from wsstools.files.provenance import Json, Meta, parse_record

SUFFIX = ".json"
FUSION = "fusion"
"""The method of a file that says how maps are pooled; other methods are regularizers."""
COMPARISON = "comparison"
"""The kind of a file that says how two sets of labels compare."""
_RECORD_KEY = "made_by"


def encode_params(method: str, parameters: Mapping[str, Json], meta: Meta) -> bytes:
    """The bytes of a file that names the method, gives its parameters and carries the record."""
    content = {"method": method, **parameters, _RECORD_KEY: meta}
    return (json.dumps(content, indent=2) + "\n").encode()


def read_params(path: str) -> tuple[str, dict[str, object]]:
    """The method in a file, and its parameters as they are there.

    DataError if it is no JSON object with a method. Names and values are not looked at.
    """
    try:
        content = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a file of parameters (JSON): {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("method"), str):
        raise DataError(
            f'{path}: expected a JSON object such as {{"method": "potts", "lambda": 5}}'
        )
    parameters = {key: content[key] for key in content if key not in ("method", _RECORD_KEY)}
    return content["method"], parameters


def read_meta(path: Path) -> Meta | None:
    """The record in a file of parameters, or None if it carries none that can be read."""
    try:
        return parse_record(json.dumps(json.loads(read_file(path))[_RECORD_KEY]))
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
