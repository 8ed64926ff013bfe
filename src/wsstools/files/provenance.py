"""What a file was made from: the record that every output carries, and what follows from it.

The record holds nothing that varies between equal runs (no time, no path, no number of jobs), so
that the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeAlias, TypedDict, TypeGuard, TypeVar

from wsstools import __version__
from wsstools.errors import UsageError
from wsstools.files.limits import LARGEST_RECORD, read_file

T_co = TypeVar("T_co", covariant=True)
_NONE = object()
_LETTER = 4
"""Bytes of a letter in numpy's files."""
MOST_STEPS = 100
"""Steps one after the other in a record: more are near the depth at which Python gives up."""
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class _InputFile(TypedDict):
    role: str
    name: str
    blake2b: str


class InputRecord(_InputFile, total=False):
    """One input of a step; `made_by` is its own record, where it carries one."""

    made_by: Meta


class _Made(TypedDict):
    kind: str
    stem: str
    step: str
    version: str
    options: dict[str, Json]
    inputs: list[InputRecord]


class Meta(_Made, total=False):
    """The record of an output; `revision` is absent where it is 1."""

    revision: int
    result: dict[str, Json]


@dataclass(frozen=True)
class Decoded(Generic[T_co]):
    """The content of a file, the record it carries and a note for the user, if there is one."""

    value: T_co
    meta: Meta | None = None
    note: str | None = None

    def noted(self, *notes: str | None) -> Decoded[T_co]:
        """The same with more notes."""
        return replace(self, note="; ".join(filter(None, (self.note, *notes))) or None)


@dataclass(frozen=True)
class Origin:
    """What an output is made by: a step, its revision and its options."""

    step: str
    options: Mapping[str, Json]  # every option that changes the output's bytes
    # A commit that changes the bytes of the outputs raises it; those of another are stale.
    revision: int = 1
    # Options that earlier versions had, and their defaults; an output made with those counts.
    removed: Mapping[str, Json] = field(default_factory=dict)
    # Options of later versions that a record leaves out where they have these values: the bytes of
    # outputs without them are as they were.
    unrecorded: Mapping[str, Json] = field(default_factory=dict)

    def record(
        self,
        *,
        kind: str,
        stem: str,
        inputs: Sequence[InputRecord],
        result: Mapping[str, Json] | None = None,
    ) -> Meta:
        """The record of an output: what it is, which step made it, how and from what."""
        record: Meta = {
            "kind": kind,
            "stem": stem,
            "step": self.step,
            "version": __version__,
            "options": {
                key: value
                for key, value in self.options.items()
                if key not in self.unrecorded or value != self.unrecorded[key]
            },
            "inputs": list(inputs),
        }
        if self.revision > 1:
            record["revision"] = self.revision
        if result:
            record["result"] = dict(result)
        return record

    def refuse_other_run(self, target: Path, meta: Meta | None) -> None:
        """Raise UsageError if an existing output with this record is not this run's to replace."""
        why = self.difference(meta)
        if why:
            raise UsageError(
                f"{target} exists and it was {why}; write to another place, or give --overwrite"
            )

    def is_up_to_date(self, meta: Meta | None, inputs: Sequence[InputRecord]) -> bool:
        """Whether an output with this record was made by this step from these inputs."""
        return (
            meta is not None
            and self.difference(meta) is None
            and {**self.unrecorded, **meta["options"]}.keys() - self.removed.keys()
            == self.options.keys()
            and meta.get("revision", 1) == self.revision
            and _identity(meta["inputs"]) == _identity(inputs)
        )

    def difference(self, meta: Meta | None) -> str | None:
        """How an output with this record differs from this run's, or None if it does not.

        An option that it lacks is one that the version which made it did not record.
        """
        if meta is None:
            return "not made by wss, or is damaged"
        if meta["step"] != self.step:
            return f"made by wss {meta['step']}"
        differing = {
            key: value
            for key, value in sorted({**self.unrecorded, **meta["options"]}.items())
            if value != {**self.removed, **self.options}.get(key, _NONE)
        }
        if differing:
            shown = (
                _changed(key, value, self.options.get(key)) for key, value in differing.items()
            )
            return f"made with other options: {', '.join(shown)}"
        return None


def _is_nested(value: Json) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(entry, list) for entry in value)
    )


def _changed(name: str, before: Json, now: Json) -> str:
    """How an option differs, as a user would write it; of nested values that they do."""
    if any(_is_nested(value) for value in (before, now)):
        return f"{name} (others)"
    shown = ["none" if value is None else repr(value) for value in (before, now)]
    return f"{name} {shown[0]} (now {shown[1]})"


def digest(data: bytes) -> str:
    """BLAKE2b of a file's bytes, 128 bits, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def input_record(role: str, name: str, data_digest: str, meta: Meta | None = None) -> InputRecord:
    """One input of a step: its role, file name and digest, and its own record if it has one."""
    record: InputRecord = {"role": role, "name": name, "blake2b": data_digest}
    if meta is not None:
        record["made_by"] = meta
    return record


def set_record(
    role: str, names: Sequence[str], digests: Sequence[str], meta: Meta | None = None
) -> InputRecord:
    """Many files as one input: the first name, one digest over all, the record of the first."""
    shown = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
    lines = (f"{Path(name).stem}\0{d}\n" for name, d in zip(names, digests, strict=True))
    return input_record(
        role, shown, digest("".join(lines).encode("utf-8", "surrogateescape")), meta
    )


def files_record(role: str, paths: Sequence[Path], meta: Meta | None = None) -> InputRecord:
    """Many files as one input, read for their digests; see `set_record`."""
    digests = [digest(read_file(path)) for path in paths]
    return set_record(role, [path.name for path in paths], digests, meta)


def record_text(meta: Meta) -> str:
    """The record as the text that a file carries; ValueError if no reader would take so much."""
    if not _is_shallow(meta):
        raise ValueError(
            f"the record of how it was made has more than {MOST_STEPS} steps one after the other"
        )
    try:
        text = json.dumps(meta, sort_keys=True)
    except RecursionError:
        raise ValueError("the record of how it was made is nested too deep") from None
    if _LETTER * len(text) > LARGEST_RECORD:
        raise ValueError(f"the record of how it was made has {len(text):,} letters, expected fewer")
    return text


def parse_record(text: str) -> Meta | None:
    """The record in a text, or None if it is none of ours."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(value) and _is_record(value) else None


def _is_shallow(value: object) -> bool:
    """Whether records in each other, if it is one, are at most MOST_STEPS."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MOST_STEPS:
            return False
        inputs = [one.get("inputs") for one in level if isinstance(one, dict)]
        entries = [entry for some in inputs if isinstance(some, list) for entry in some]
        level = [one["made_by"] for one in entries if isinstance(one, dict) and "made_by" in one]
    return True


def _is_record(value: object) -> TypeGuard[Meta]:
    if not isinstance(value, dict):
        return False
    inputs = value.get("inputs")
    return (
        all(isinstance(value.get(key), str) for key in ("kind", "stem", "step", "version"))
        and isinstance(value.get("options"), dict)
        and isinstance(value.get("result", {}), dict)
        and isinstance(value.get("revision", 1), int)
        and isinstance(inputs, list)
        and all(_is_input_record(entry) for entry in inputs)
    )


def _is_input_record(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in ("role", "name", "blake2b"))
        and ("made_by" not in entry or _is_record(entry["made_by"]))
    )


def _identity(inputs: Sequence[InputRecord]) -> list[tuple[str, str]]:
    return [(entry["role"], entry["blake2b"]) for entry in inputs]
