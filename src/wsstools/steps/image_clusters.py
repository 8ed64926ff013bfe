"""The clusters that images belong to, as `--clusters` or `--volumes` says: patients, sequences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.errors import DataError, UsageError
from wsstools.files.names import NameRule
from wsstools.formats.studies.clusters import read_clusters

ClusterOf = Callable[[str], "str | None"]
"""The cluster of the image of this name, if it has one."""


def cluster_rule(text: str, rule: NameRule, *, option: str = "--clusters") -> ClusterOf:
    """What `option` means: the lines of a file, or a regular expression.

    The first group of the expression, or else its whole match, in an image's name is the cluster.
    """
    if Path(text).is_file():
        return read_clusters(text, rule).get
    try:
        pattern = re.compile(text)
    except re.error as error:
        why = f"neither a file nor a regular expression: {error}"
        raise UsageError(f"{option} {text}: {why}") from error

    def matched(name: str) -> str | None:
        match = pattern.search(name)
        return None if match is None else match[min(pattern.groups, 1)] or None

    return matched


def cluster_numbers(names: Sequence[str], cluster_of: ClusterOf, text: str) -> NDArray[np.int64]:
    """The number of each image's cluster, (N,), 0..K-1 in the order of their first images.

    DataError names the first image that has none; `text` is what `--clusters` was given.
    """
    numbers: dict[str, int] = {}
    found = []
    for name in names:
        cluster = cluster_of(name)
        if cluster is None:
            raise DataError(f"{name}: no cluster by --clusters {text}")
        found.append(numbers.setdefault(cluster, len(numbers)))
    return np.array(found, np.int64)
