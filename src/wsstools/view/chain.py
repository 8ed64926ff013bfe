"""The chain of steps behind a file, as an indented text."""

from __future__ import annotations

from typing import cast

from wsstools.core.description import Description
from wsstools.errors import printable
from wsstools.files.provenance import Meta

_SHOWN_DIGITS = 12


def chain_text(described: Description) -> str:
    """What a file is, and the chain of steps in its record, for a person."""
    lines = [f"{described.file}: {described.what}"]
    lines += [f"  {key}: {value}" for key, value in described.facts.items()]
    if described.meta is None:
        lines.append("  it carries no record of how it was made")
    else:
        lines.append("  made by")
        lines += _steps(cast(Meta, described.meta), "    ")
    return "\n".join(map(printable, lines))


def _steps(meta: Meta, indent: str) -> list[str]:
    options = " ".join(f"{key}={_short(value)}" for key, value in meta["options"].items())
    lines = [f"{indent}wss {meta['step']} {options}  [version {meta['version']}]"]
    if meta.get("result"):
        result = ", ".join(f"{key} {_short(value)}" for key, value in meta["result"].items())
        lines.append(f"{indent}  result: {result}")
    for entry in meta["inputs"]:
        digest = entry["blake2b"][:_SHOWN_DIGITS]
        lines.append(f"{indent}  {entry['role']}: {entry['name']}  (blake2b {digest}...)")
        if "made_by" in entry:
            lines += _steps(entry["made_by"], indent + "    ")
    return lines


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace(" ", "")
