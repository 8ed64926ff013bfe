"""The map file: probabilities of the classes that can occur, compressed, with their record."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.maps import ProbabilityMap, checked_map
from wsstools.errors import DataError
from wsstools.io.provenance import Decoded, Meta, parse_record

SUFFIX = ".npz"
SUFFIXES = (".npz", ".npy")
GRID = 1024
"""Probabilities are rounded to multiples of 1/1024: exact in float16, off by at most 1/2048,
and far more compressible than free float16."""
_DEFLATE_LEVEL = 1
_FOREIGN_KEYS = ("probs", "probabilities", "arr_0")


def encode_map(probability_map: ProbabilityMap, meta: Meta) -> bytes:
    """The bytes of a map file. Classes whose probability rounds to 0 everywhere are left out."""
    members = {
        **_stored_arrays(probability_map),
        "n_classes": np.int16(probability_map.n_classes),
        "meta": np.array(json.dumps(meta, sort_keys=True)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATE_LEVEL
    ) as archive:
        for key, value in members.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy")  # its date is fixed: the same bytes each time
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def as_stored(probability_map: ProbabilityMap) -> ProbabilityMap:
    """The map as it comes back from its file: what a step that reads the file works on."""
    return checked_map(**_stored_arrays(probability_map), n_classes=probability_map.n_classes)


def decode_map(data: bytes, name: str) -> Decoded:
    """The map in a file: one of ours, or a dense (C, H, W) array of somebody else's.

    Parameters
    ----------
    data : bytes
        Content of a `.npz` with `probs`, `classes`, `n_classes`, `meta`; of a `.npz` with a dense
        array under `probs`, `probabilities` or `arr_0`; or of a `.npy` with such an array.
    name : str
        The file's name, for messages.

    Returns
    -------
    Decoded
        `value` is a ProbabilityMap; `note` says what was taken from a foreign file.

    Raises
    ------
    DataError
        If it is no such file, or the probabilities are not probabilities.
    """
    try:
        if data[:6] == b"\x93NUMPY":
            return _foreign(_array(io.BytesIO(data), len(data)), "the array")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            keys = {entry[:-4] for entry in archive.namelist() if entry.endswith(".npy")}
            if {"probs", "classes", "n_classes"} <= keys:
                return _ours(archive, "meta" in keys)
            key = next((key for key in _FOREIGN_KEYS if key in keys), None)
            if key is None:
                raise ValueError(
                    f"it holds {', '.join(sorted(keys)) or 'nothing'}; expected one of "
                    + ", ".join(_FOREIGN_KEYS)
                )
            return _foreign(_member(archive, key), f"its array {key!r}")
    except (
        ValueError,
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        OSError,
        NotImplementedError,
    ) as error:
        raise DataError(f"{name}: not a map: {error}") from error


def read_meta(path: Path) -> Meta | None:
    """The record in a map file, or None if the file carries none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return parse_record(str(_member(archive, "meta")[()]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _stored_arrays(probability_map: ProbabilityMap) -> dict[str, NDArray]:
    rounded = np.rint(probability_map.probs * np.float32(GRID))
    kept = rounded.any(axis=(1, 2))
    return {
        "probs": (rounded[kept] / np.float32(GRID)).astype(np.float16),
        "classes": probability_map.classes[kept].astype(np.int16),
    }


def _ours(archive: zipfile.ZipFile, has_meta: bool) -> Decoded:
    probability_map = checked_map(
        _member(archive, "probs"), _member(archive, "classes"), int(_member(archive, "n_classes"))
    )
    meta = parse_record(str(_member(archive, "meta")[()])) if has_meta else None
    return Decoded(probability_map, meta)


def _foreign(probs: NDArray, what: str) -> Decoded:
    if probs.ndim != 3 or probs.dtype.kind != "f":
        raise ValueError(f"{what} is {probs.dtype} {probs.shape}, expected floats (C, H, W)")
    n_classes = len(probs)
    probability_map = checked_map(probs, np.arange(n_classes), n_classes)
    return Decoded(probability_map, note=f"took {what} as a dense map of {n_classes} classes")


def _member(archive: zipfile.ZipFile, key: str) -> NDArray:
    entry = archive.getinfo(f"{key}.npy")
    with archive.open(entry) as file:
        return _array(io.BytesIO(file.read()), entry.file_size)


def _array(file: io.BytesIO, size: int) -> NDArray:
    """Read a `.npy`, refusing one whose header claims more than the file holds."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"unknown .npy version {version}")
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
    claimed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if claimed > size:
        raise ValueError(f"its header claims {claimed} bytes, the file holds {size}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)
