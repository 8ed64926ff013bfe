"""What a file was made from: the record that every output carries, and what follows from it.

The record holds nothing that varies between equal runs (no time, no path, no number of jobs), so
that the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsstools import __version__
from wsstools.errors import UsageError

Meta = dict[str, Any]


@dataclass(frozen=True)
class Decoded:
    """The content of a file, the record it carries and what there is to say of it."""

    value: Any
    meta: Meta | None = None
    note: str | None = None


def digest(data: bytes) -> str:
    """BLAKE2b of a file's bytes, 128 bits, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def input_record(role: str, name: str, data_digest: str, meta: Meta | None = None) -> Meta:
    """One input of a step: its role, file name and digest, and its own record if it has one."""
    record: Meta = {"role": role, "name": name, "blake2b": data_digest}
    if meta is not None:
        record["made_by"] = meta
    return record


def set_record(
    role: str, names: Sequence[str], digests: Sequence[str], meta: Meta | None = None
) -> Meta:
    """Many files as one input: the first name, one digest over all, the record of the first."""
    told = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
    lines = (f"{Path(name).stem}\0{d}\n" for name, d in zip(names, digests, strict=True))
    return input_record(role, told, digest("".join(lines).encode("utf-8", "surrogateescape")), meta)


def files_record(role: str, paths: Sequence[Path], meta: Meta | None = None) -> Meta:
    """Many files as one input, read for their digests; see `set_record`."""
    digests = [digest(path.read_bytes()) for path in paths]
    return set_record(role, [path.name for path in paths], digests, meta)


def output_record(
    *,
    kind: str,
    stem: str,
    step: str,
    options: Mapping[str, Any],
    inputs: Sequence[Meta],
    result: Mapping[str, Any] | None = None,
) -> Meta:
    """The record of an output: what it is, which step made it, how and from what."""
    record: Meta = {
        "kind": kind,
        "stem": stem,
        "step": step,
        "version": __version__,
        "options": dict(options),
        "inputs": list(inputs),
    }
    if result:
        record["result"] = dict(result)
    return record


def parse_record(text: str) -> Meta | None:
    """The record in a text, or None if it is none of ours."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if _is_record(value) else None


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    inputs = value.get("inputs")
    return (
        all(isinstance(value.get(key), str) for key in ("kind", "stem", "step", "version"))
        and isinstance(value.get("options"), dict)
        and isinstance(value.get("result", {}), dict)
        and isinstance(inputs, list)
        and all(_is_input_record(entry) for entry in inputs)
    )


def _is_input_record(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in ("role", "name", "blake2b"))
        and ("made_by" not in entry or _is_record(entry["made_by"]))
    )


def made_by_other_run(meta: Meta | None, step: str, options: Mapping[str, Any]) -> str | None:
    """Why an existing output is not this run's to replace, or None if it is."""
    if meta is None:
        return "it was not made by wss"
    if meta["step"] != step:
        return f"it was made by wss {meta['step']}"
    theirs, ours = meta["options"], dict(options)
    differing = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
    if differing:
        told = ", ".join(f"{k} {theirs.get(k)!r} (now {ours.get(k)!r})" for k in differing)
        return f"it was made with other options: {told}"
    return None


def refuse_other_run(
    target: Path, meta: Meta | None, step: str, options: Mapping[str, Any]
) -> None:
    """Raise UsageError if an existing output with this record is not this run's to replace."""
    why = made_by_other_run(meta, step, options)
    if why:
        raise UsageError(f"{target} stands already and {why}; write elsewhere, or give --overwrite")


def is_current(
    meta: Meta | None, step: str, options: Mapping[str, Any], inputs: Sequence[Meta]
) -> bool:
    """Whether an output was made by this step, options and version from these inputs."""
    return (
        meta is not None
        and made_by_other_run(meta, step, options) is None
        and meta["version"] == __version__
        and _identity(meta["inputs"]) == _identity(inputs)
    )


def _identity(inputs: Sequence[Meta]) -> list[tuple[str, str]]:
    return [(entry["role"], entry["blake2b"]) for entry in inputs]
