"""What a file is, in words and facts, and the record of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """What a file is.

    Attributes
    ----------
    file : str
        Its path.
    what : str
        In words, such as "a probability map".
    facts : mapping of str to str
        Label to text.
    meta : mapping or None
        The record of how it was made, as JSON values.
    """

    file: str
    what: str
    facts: Mapping[str, str]
    meta: Mapping[str, object] | None = None
