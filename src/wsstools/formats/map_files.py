"""The map file: probabilities of the classes that can occur, compressed, with their record."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wsstools.core.arrays import AnyArray
from wsstools.core.maps import MOST_CLASSES, SUM_TOLERANCE, ProbabilityMap
from wsstools.core.stored_maps import StoredMap, as_map, checked_stored_map
from wsstools.files import npy
from wsstools.files.atomic import write_atomic
from wsstools.files.damage import reading
from wsstools.files.limits import LARGEST_RECORD, check_map, check_pixels, open_file, read_file
from wsstools.files.provenance import Decoded, Meta, Origin, parse_record, record_text

SUFFIX = ".npz"
SUFFIXES = (".npz", ".npy")
_MOST_IDS = 8 * MOST_CLASSES
"""Bytes of class ids, eight each."""
_FOREIGN_KEYS = ("probs", "probabilities", "softmax", "arr_0")
"""The second is nnU-Net's, the third that of its first version."""


def encode_map(probability_map: ProbabilityMap | StoredMap, meta: Meta) -> bytes:
    """The bytes of a map file. Classes whose probability rounds to 0 everywhere are left out."""
    stored = as_stored(probability_map)
    return encode_arrays(
        {
            "probs": stored.values,
            "classes": stored.classes.astype(np.int16),
            "n_classes": np.int16(stored.n_classes),
            "meta": np.array(record_text(meta)),
        }
    )


def encode_arrays(members: Mapping[str, AnyArray | np.generic]) -> bytes:
    """The bytes of a compressed `.npz`, the same each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in members.items():
            npy.write_member(archive, key, np.asanyarray(value))
    return buffer.getvalue()


def as_stored(probability_map: ProbabilityMap | StoredMap) -> StoredMap:
    """The map as it comes back from its file: what a step that reads the file works on."""
    if isinstance(probability_map, ProbabilityMap):
        probability_map = StoredMap.of(probability_map)
    return probability_map.held()


def decode_map(data: bytes, name: str) -> Decoded[ProbabilityMap]:
    """The map in a file, see `decode_stored_map`, as probabilities of all its pixels."""
    found = decode_stored_map(data, name)
    return Decoded(found.value.whole(), found.meta, found.note)


def decode_stored_map(data: bytes, name: str) -> Decoded[StoredMap]:
    """The map in a file: one of ours, or a dense (C, H, W) array of somebody else's, with a note.

    That is a `.npy`, or in a `.npz` the array `probs`, `probabilities`, `softmax` or `arr_0`; an
    axis of length 1 before or after the classes does not count. DataError if it is no such file, or
    the probabilities are not probabilities.
    """
    with reading(name, "not a map: "):
        if data.startswith(npy.MAGIC):
            _check_foreign(npy.read_header(io.BytesIO(data)), "the array")
            return _foreign(npy.read_array(data), "the array")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            keys = set(npy.member_keys(archive))
            if {"probs", "classes", "n_classes"} <= keys:
                return _ours(archive, "meta" in keys)
            npy.check_sums(data)  # a damaged one of ours could pass for somebody else's
            key = next((key for key in _FOREIGN_KEYS if key in keys), None)
            if key is None:
                raise ValueError(
                    f"it holds {', '.join(sorted(keys)) or 'nothing'}; expected one of "
                    + ", ".join(_FOREIGN_KEYS)
                )
            _check_foreign(npy.member_header(archive, key), f"its array {key!r}")
            return _foreign(npy.read_member(archive, key), f"its array {key!r}")


def read_map(path: str | Path) -> ProbabilityMap:
    """The map in a file, of ours or a dense one; see `decode_map`.

    Raises
    ------
    DataError
        If it is no map.
    """
    return decode_map(read_file(path), str(path)).value


def write_map(
    path: str | Path, probs: ProbabilityMap | AnyArray, *, made_by: str = "python"
) -> None:
    """Write a map of any model as the steps read it; the file is whole or absent.

    Parameters
    ----------
    path : str or Path
        The file, which ends in `.npz`; its stem joins the map to its image.
    probs : ProbabilityMap or (C, H, W) array, class probabilities; they sum to 1 over the classes
    made_by : str
        What made it, for its record.

    Raises
    ------
    ValueError
        If they are no probabilities, or the name does not end in `.npz`.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "a.npz"
    >>> write_map(place, np.full((2, 4, 6), 0.5))
    >>> read_map(place).shape
    (4, 6)
    """
    path, probability_map = Path(path), as_map(probs)
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: a map file ends in {SUFFIX}")
    meta = Origin(made_by, {}).record(kind="prob", stem=path.stem, inputs=[])
    write_atomic(path, encode_map(probability_map, meta))


def read_meta(path: Path) -> Meta | None:
    """The record in a map file, or None if the file carries none that can be read."""
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            return read_record(archive)
    except Exception:  # damaged bytes raise whatever zipfile and zlib stumble over
        return None


def _ours(archive: zipfile.ZipFile, has_meta: bool) -> Decoded[StoredMap]:
    classes, n_classes = (
        npy.read_member(archive, key, most_bytes=_MOST_IDS) for key in ("classes", "n_classes")
    )
    if not all(ids.dtype.kind in "iu" for ids in (classes, n_classes)) or n_classes.shape != ():
        raise ValueError("its classes and their number are no integers")
    if max(classes.max(initial=0), n_classes) > MOST_CLASSES:  # before they lose bits
        raise ValueError(f"its class ids reach beyond {MOST_CLASSES}")
    stored = checked_stored_map(_probs(archive, "probs"), classes, int(n_classes))
    return Decoded(stored, read_record(archive) if has_meta else None)


def _foreign(probs: AnyArray, what: str) -> Decoded[StoredMap]:
    planes = probs.reshape(_plane_shape(probs.shape))
    n_classes = len(planes)
    try:
        stored = checked_stored_map(planes, np.arange(n_classes), n_classes)
    except ValueError as error:
        if _sums_to_1(planes, axis=-1):
            raise ValueError(
                f"the sums of {what} of shape {probs.shape} are 1 over the last axis: it is "
                "(H, W, C), expected (C, H, W) (save probs.transpose(2, 0, 1))"
            ) from error
        raise
    return Decoded(stored, note=f"took {what} as a dense map of {n_classes} classes")


def _plane_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) of (1, C, H, W), a batch of one image, or (C, 1, H, W), nnU-Net's of a picture."""
    if len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    return (shape[0], *shape[2:]) if len(shape) == 4 and shape[1] == 1 else shape


def _sums_to_1(probs: AnyArray, axis: int) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(probs.sum(axis=axis, dtype=np.float32) - 1)
    return bool((off < SUM_TOLERANCE).all())  # not where one is not a number


def _probs(archive: zipfile.ZipFile, key: str) -> AnyArray:
    _check(npy.member_header(archive, key), f"its array {key!r}")
    return npy.read_member(archive, key)


def _check_foreign(header: npy.Header, what: str) -> None:
    shape = _plane_shape(header.shape)
    if len(shape) == 4 and header.dtype.kind == "f":
        raise ValueError(
            f"{what} is a volume or a batch, {header.shape}, expected (C, H, W) "
            "(wss slices --kind maps makes maps of a volume (C, Z, Y, X))"
        )
    _check(npy.Header(shape, header.dtype), what, header.shape)


def _check(header: npy.Header, what: str, stored: tuple[int, ...] | None = None) -> None:
    """Refuse what cannot be the probabilities of a map before it is read."""
    if len(header.shape) != 3 or header.dtype.kind != "f":
        found = f"{header.dtype} {header.shape if stored is None else stored}"
        raise ValueError(f"{what} is {found}, expected floats (C, H, W)")
    check_pixels(*header.shape[1:])
    check_map(header.n_values)


def read_record(archive: zipfile.ZipFile) -> Meta | None:
    """The record in the archive of a map."""
    return parse_record(str(npy.read_member(archive, "meta", most_bytes=LARGEST_RECORD)[()]))
