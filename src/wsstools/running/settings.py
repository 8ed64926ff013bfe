"""How a step runs: which images, by which workers. Standard library only, so help is instant."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Optional, TypeVar, Union

from wsstools.core.parameter import ON_COMMAND_LINE, documented, parameter
from wsstools.errors import UsageError
from wsstools.files.limits import LARGEST_PICTURE, read_file
from wsstools.files.names import NameRule, is_heading
from wsstools.files.text import decode_names

STANDARD_INPUT = "-"
S = TypeVar("S", bound="Selection")


@documented
@dataclass(frozen=True)
class NameSettings:
    """How names of images follow from those of files."""

    suffix: Union[Sequence[str], str, None] = parameter(
        None,
        "Leave these ends of names, such as _leftImg8bit,_gtFine_labelIds, out when files are "
        "joined; where names in a folder end so, only these files count.",
        metavar="TEXT,...",
        kind=Optional[str],
    )
    recursive: bool = parameter(
        False, "Take files in subfolders too, and keep the subfolders of outputs."
    )

    @cached_property
    def rule(self) -> NameRule:
        """How names of images follow from those of files."""
        texts = self.suffix.split(",") if isinstance(self.suffix, str) else self.suffix or ()
        return NameRule(tuple(text for text in texts if text), self.recursive)


@documented
@dataclass(frozen=True)
class Selection(NameSettings):
    """Which of the stems a step takes."""

    # the stems in their order, or a file of them; None takes all
    ids: Union[Sequence[str], str, None] = parameter(
        None,
        "Take only the names in FILE, one per line; - reads standard input.",
        metavar="FILE",
        kind=Optional[str],
    )
    # `(i, n)` or `"i/n"`: the i-th of n shares (i from 1): every n-th stem
    shard: Union[tuple[int, int], str, None] = parameter(
        None, "Take the I-th of N shares, for job arrays.", metavar="I/N", kind=Optional[str]
    )
    null: bool = parameter(False, "Paths in pipes end with NUL instead of newline.", "--null", "-0")
    # print the path of each finished output where standard output is not a terminal
    prints_paths: bool = dataclasses.field(default=False, metadata={ON_COMMAND_LINE: True})

    def __post_init__(self) -> None:
        _ = self.share  # a wrong one is an error before any file is read

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """What `ids` names, None for all; UsageError if its file names none."""
        if self.ids is None:
            return None
        return read_ids(self.ids) if isinstance(self.ids, str) else tuple(self.ids)

    @cached_property
    def wanted_names(self) -> frozenset[str] | None:
        """All that `ids` may mean, None for all."""
        if self.names is None:
            return None
        return frozenset(name for line in self.names for name in self.rule.listed_names(line))

    @cached_property
    def share(self) -> tuple[int, int]:
        """The number of the share and the number of shares; (1, 1) is all."""
        if isinstance(self.shard, str):
            return parse_shard(self.shard)
        part, parts = self.shard or (1, 1)
        if not 1 <= part <= parts:
            raise UsageError(f"shard {self.shard}: expected (I, N) with 1 <= I <= N")
        return part, parts

    def choose(self, stems: Sequence[str]) -> Sequence[str]:
        """What it takes of these stems; the given ids instead of them, where there are any."""
        part, parts = self.share
        if self.names is None:
            return stems[part - 1 :: parts]
        known = set(stems)
        chosen = [
            line
            if line in known
            else next((name for name in self.rule.listed_names(line) if name in known), line)
            for line in self.names
        ]
        return list(dict.fromkeys(chosen))[part - 1 :: parts]

    def takes_position(self, position: int) -> bool:
        """Whether the stem at this position (from 0) belongs to the share."""
        part, parts = self.share
        return position % parts == part - 1

    def of_all(self: S) -> S:
        """The same for all stems."""
        return dataclasses.replace(self, ids=None, shard=None)

    def of(self: S, stems: Sequence[str]) -> S:
        """The same for these stems."""
        return dataclasses.replace(self, ids=tuple(stems), shard=None)


@documented
@dataclass(frozen=True)
class JobSettings(Selection):
    """Which images, and by which workers."""

    # on a cluster: how many tasks are under way at least, where it is to have more workers later
    jobs: int = parameter(0, "Workers; 0: one per core.", "--jobs", "-j", metavar="N", min=0)
    backend: str = parameter(
        "loky",
        "Workers are loky (processes), threading or dask.",
        metavar="NAME",
        choices=("loky", "threading", "dask"),
    )
    max_pixels: int = parameter(
        LARGEST_PICTURE,
        "Take pictures of up to N pixels; larger ones fail.",
        metavar="N",
        min=1,
    )
    scheduler: Optional[str] = parameter(
        None,
        "With --backend dask: address of the scheduler of a cluster, or the file that it "
        "wrote; default: a cluster on this machine.",
        metavar="ADDRESS",
    )


@documented
@dataclass(frozen=True)
class RunSettings(JobSettings):
    """How a step that writes a folder runs; nothing here changes the bytes of an output."""

    overwrite: bool = parameter(False, "Replace outputs that another step or other options made.")
    dry_run: bool = parameter(
        False, "Write nothing; count what would be made; exit with 1 if anything would."
    )


def read_ids(path: str) -> tuple[str, ...]:
    """The lines of a list of names; empty ones, those that start with `#` and a heading apart."""
    data = sys.stdin.buffer.read() if path == STANDARD_INPUT else read_file(path)
    lines = [line.strip() for line in decode_names(data, path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    ids = tuple(dict.fromkeys(lines[1:] if lines and is_heading(lines[0]) else lines))
    if not ids:
        raise UsageError(f"--ids {path}: no stem in it (expected one per line)")
    return ids


def parse_shard(text: str) -> tuple[int, int]:
    """`"3/8"` as (3, 8)."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard {text}: expected I/N with 1 <= I <= N, such as 3/8")
    return int(part), int(parts)
