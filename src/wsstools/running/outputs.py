"""The kinds of outputs that a step may have: how each is encoded and its record read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.maps import ProbabilityMap
from wsstools.files.provenance import Meta
from wsstools.formats import label_files, map_files, picture_files

Output: TypeAlias = "ProbabilityMap | NDArray[np.uint8]"
Kind: TypeAlias = Literal["prob", "soft", "labels", "scribbles", "picture"]


@dataclass(frozen=True)
class Form:
    """How outputs of one kind are kept: the ending of their files, their writer and reader."""

    suffix: str
    encode: Callable[..., bytes]  # takes an output and its record
    read_meta: Callable[[Path], Meta | None]


_MAPS = Form(map_files.SUFFIX, map_files.encode_map, map_files.read_meta)
_LABELS = Form(label_files.SUFFIX, label_files.encode_labels, label_files.read_meta)
FORMS: Mapping[Kind, Form] = {
    "prob": _MAPS,
    "soft": _MAPS,
    "labels": _LABELS,
    "scribbles": _LABELS,
    "picture": Form(picture_files.SUFFIX, picture_files.encode_picture, picture_files.read_meta),
}
