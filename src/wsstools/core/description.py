"""What a file is, in words and facts, and the record of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """What a file is."""

    file: str
    what: str  # in words, such as "a probability map"
    facts: Mapping[str, str]  # label to text
    meta: Mapping[str, object] | None = None  # the record of how it was made, as JSON values
