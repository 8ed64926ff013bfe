"""The folders of nnU-Net: names of files, and dataset.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError
from wsstools.files.limits import read_file
from wsstools.files.names import named_examples
from wsstools.files.provenance import Json
from wsstools.files.text import decode_text

DATASET_FILE = "dataset.json"
IMAGES_FOLDER, LABELS_FOLDER = "imagesTr", "labelsTr"
BACKGROUND, IGNORE = "background", "ignore"
_MAKER_KEY, _MAKER = "made_by", "wss volumes"
_ID = re.compile(r"[0-9]{1,9}")
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


@dataclass(frozen=True)
class LabelNames:
    """What dataset.json says of labels: the names of the classes from 0, and the ignore label.

    `why_unnamed` says why there are no names.
    """

    names: tuple[str, ...] | None
    ignore: int | None
    why_unnamed: str | None = None


def channels_of(names: Iterable[str]) -> dict[str, dict[int, str]]:
    """Cases, and the names of their channels, of the names of files without endings.

    `a_0000` and `a_0001` are channels of the case `a`. A name is that of a channel only where
    channel 0 of its case is there, so that `scan_2019` stays a case.
    """
    found: dict[str, dict[int, str]] = {}
    held = set(names)
    for name in sorted(held):
        match = _CHANNEL.fullmatch(name)
        if match and f"{match['case']}_0000" in held:
            found.setdefault(match["case"], {})[int(match["channel"])] = name
        else:
            found.setdefault(name, {})[0] = name
    return found


def find_label_names(place: str) -> LabelNames | None:
    """What the dataset.json in a folder or beside it says of its labels, or None without one.

    DataError if it is damaged.
    """
    folder = Path(place) if Path(place).is_dir() else Path(place).parent
    for candidate in (folder / DATASET_FILE, folder.parent / DATASET_FILE):
        if candidate.is_file():
            return read_label_names(candidate)
    return None


def read_label_names(path: Path) -> LabelNames:
    """What a dataset.json says of its labels; DataError if it is damaged.

    Where labels are regions, which overlap (`regions_class_order` says which covers which), their
    names are not those of the values in a file.
    """
    return _label_names(_labels(path), path)


def encode_dataset(
    names: Sequence[str], channels: Sequence[str], n_cases: int, *, has_ignored: bool
) -> bytes:
    """The bytes of the dataset.json of cases whose classes, from 0, have these names.

    nnU-Net wants class 0 to be called background. `has_ignored`: voxels without a class have the
    label after the last class.
    """
    labels: dict[str, Json] = {BACKGROUND: 0}
    for class_id, name in enumerate(names[1:], 1):
        is_taken = name in labels or name == IGNORE
        labels[f"{name} {class_id}" if is_taken else name] = class_id
    if has_ignored:
        labels[IGNORE] = len(names)
    content: dict[str, Json] = {
        "channel_names": {str(k): name for k, name in enumerate(channels)},
        "labels": labels,
        "numTraining": n_cases,
        "file_ending": ".nii.gz",
        _MAKER_KEY: _MAKER,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def is_ours(path: Path) -> bool:
    """Whether a dataset.json was written here."""
    content = _content(path)
    return content.get(_MAKER_KEY) == _MAKER


def _content(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(decode_text(read_file(path), str(path)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected an object")
    return content


def _labels(path: Path) -> dict[str, object]:
    """The ids of the labels by their names; of regions, lists of ids."""
    labels = _content(path).get("labels")
    if not isinstance(labels, dict):
        raise DataError(f"{path}: expected an object called labels")
    is_first_version = all(isinstance(value, str) for value in labels.values())
    if is_first_version and all(_ID.fullmatch(key) for key in labels):
        return {str(name): int(key) for key, name in labels.items()}
    return labels


def _label_names(labels: Mapping[str, object], path: Path) -> LabelNames:
    ignore = labels.get(IGNORE)
    if ignore is not None and type(ignore) is not int:
        raise DataError(f"{path}: its ignore label is {ignore!r}, expected a whole number")
    ids = {name: value for name, value in labels.items() if name != IGNORE}
    by_id = {value: name for name, value in ids.items() if type(value) is int}
    is_plain = sorted(by_id) == list(range(len(ids))) and 0 < len(ids) <= IGNORE_LABEL
    if is_plain:
        return LabelNames(tuple(by_id[k] for k in range(len(ids))), ignore)
    regions = [name for name, value in ids.items() if isinstance(value, list)]
    why = (
        f"labels are regions, which overlap ({named_examples(regions)})"
        if regions
        else "the ids of labels are not 0, 1, 2, ..."
    )
    return LabelNames(None, ignore, f"{path}: {why}")
