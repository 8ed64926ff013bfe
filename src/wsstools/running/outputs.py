"""The kinds of outputs that a step may have: how each is encoded and its record read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import StoredMap
from wsstools.files import npy, png
from wsstools.files.atomic import remove_leftovers
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, Meta, Origin
from wsstools.files.targets import is_taken
from wsstools.formats import label_files, map_files, picture_files
from wsstools.running.claim import claimed
from wsstools.running.settings import RunSettings

Output: TypeAlias = "ProbabilityMap | StoredMap | NDArray[np.uint8]"
Kind: TypeAlias = Literal["prob", "soft", "labels", "scribbles", "picture"]


@dataclass(frozen=True)
class Form:
    """How outputs of one kind are kept: the ending of their files, their writer and reader."""

    suffix: str
    encode: Callable[..., bytes]  # takes an output and its record
    read_meta: Callable[[Path], Meta | None]
    check_sums: Callable[[bytes], None]  # raises whatever it likes at damaged files

    def is_up_to_date(self, target: Path, meta: Meta | None, origin: Origin,
                      inputs: Sequence[InputRecord]) -> bool:  # fmt: skip
        """Whether an output with this record was made so from these inputs, and is undamaged."""
        if not origin.is_up_to_date(meta, inputs):
            return False
        try:
            self.check_sums(read_file(target))
        except Exception:  # damaged bytes raise whatever the decoders stumble over
            return False
        return True


_MAPS = Form(map_files.SUFFIX, map_files.encode_map, map_files.read_meta, npy.check_sums)
_LABELS = Form(label_files.SUFFIX, label_files.encode_labels, label_files.read_meta, png.check_sums)
FORMS: Mapping[Kind, Form] = {
    "prob": _MAPS,
    "soft": _MAPS,
    "labels": _LABELS,
    "scribbles": _LABELS,
    "picture": Form(
        picture_files.SUFFIX, picture_files.encode_picture, picture_files.read_meta, png.check_sums
    ),
}


@contextlib.contextmanager
def writing_outputs(folder: Path, origin: Origin, form: Form, run: RunSettings) -> Iterator[None]:
    """A folder that is ours while outputs of this form are written; what killed runs left is gone.

    UsageError if it holds another run's outputs, or another run writes to it.
    """
    with claimed(folder, origin, run):
        if not run.overwrite:
            _refuse_foreign_outputs(origin, form, folder, is_recursive=run.recursive)
        if run.dry_run:
            yield
            return
        remove_leftovers(folder, is_recursive=run.recursive)
        try:
            yield
        finally:  # workers of an earlier, killed run may have ended meanwhile
            remove_leftovers(folder, is_recursive=run.recursive)


def _refuse_foreign_outputs(
    origin: Origin, form: Form, folder: Path, *, is_recursive: bool = False
) -> None:
    """Look at an output of each kind: a folder belongs to one step with one set of options.

    UsageError if it is another run's.
    """
    forms = {other.suffix: other for other in (*FORMS.values(), form)}
    for suffix, first in _first_files(folder, tuple(forms), is_recursive=is_recursive).items():
        if suffix == form.suffix and not is_taken(first, overwrite=False):
            continue
        meta = forms[suffix].read_meta(first)
        # files of others, and pictures for the eye, may be beside outputs of another ending
        if suffix == form.suffix or (meta is not None and meta["kind"] != picture_files.KIND):
            origin.refuse_other_run(first, meta)


def _first_files(folder: Path, suffixes: Sequence[str], *, is_recursive: bool) -> dict[str, Path]:
    """Of each ending the first file in a folder, hidden ones apart; none if it is missing."""
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        if not is_recursive:
            folders.clear()
        for suffix in suffixes:
            first = min((n for n in names if n.endswith(suffix) and n[0] != "."), default=None)
            if first is not None:
                found[suffix] = min(Path(place, first), found.get(suffix, Path(place, first)))
    return found
