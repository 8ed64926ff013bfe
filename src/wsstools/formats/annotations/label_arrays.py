"""Label pictures and label layers of other programs, in which any value may mean unlabelled."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.annotation import Annotation, areas_of_labels
from wsstools.errors import DataError
from wsstools.files import npy, tiff
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels
from wsstools.files.provenance import Decoded
from wsstools.formats.label_files import read_indices


def decode_picture(
    data: bytes, name: str, *, unlabelled: int | None = None, first: int | None = None
) -> Decoded[Annotation]:
    """A palette or grey picture of class ids from 0, if not given; 255 is unlabelled in any case.

    DataError if the file is no such picture, or another value is no class id.
    """
    found = read_indices(data, name)
    left_out = {IGNORE_LABEL, IGNORE_LABEL if unlabelled is None else unlabelled}
    ignore = np.isin(found.value, list(left_out))
    return Decoded(_annotation(found.value, ignore, first or 0, name), found.meta)


def decode_napari(
    data: bytes, name: str, *, unlabelled: int | None = None, first: int | None = None
) -> Decoded[Annotation]:
    """A labels layer of napari, as TIFF or NPY: 0 is unlabelled, 1 the first class, if not given.

    DataError if the file holds no single (H, W) layer of integers, a label is no class id, or 255
    is among few others and nothing says what it means.
    """
    values = _one_picture(_read_layer(data, name), name)
    if unlabelled is None and first is None:
        _check_meaning(values, name)
    ignore = np.equal(values, 0 if unlabelled is None else unlabelled)
    return Decoded(_annotation(values, ignore, 1 if first is None else first, name))


def _read_layer(data: bytes, name: str) -> AnyArray:
    with reading(name, "not a readable layer: "):
        if data.startswith(npy.MAGIC):
            return npy.read_array(data)
        if data.startswith(tiff.MAGIC):
            return tiff.read_values(data)
    return read_indices(data, name).value


def _one_picture(values: AnyArray, name: str) -> NDArray[np.integer]:
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        raise DataError(
            f"{name}: holds a layer of shape {values.shape}, expected one (H, W) picture "
            "(save each picture of a stack as a file)"
        )
    if values.dtype.kind not in "iub":
        raise DataError(f"{name}: values are {values.dtype}, expected integers")
    return cast("NDArray[np.integer]", values)


def _check_meaning(values: NDArray[np.integer], name: str) -> None:
    """Refuse what may be a layer, or a picture of class ids in which 255 is unlabelled."""
    held = np.unique(values)
    if IGNORE_LABEL in held and IGNORE_LABEL - 1 not in held and held[-1] == IGNORE_LABEL:
        few, more = ", ".join(map(str, held[:-1][:4])), ", ..." if held.size > 5 else ""
        raise DataError(
            f"{name}: holds the values {few}{more} and 255: class ids of which 255 is unlabelled "
            "(--format picture), or a layer in which 0 is unlabelled (--unlabelled 0)?"
        )


def _annotation(
    values: NDArray[np.integer], ignore: NDArray[np.bool_], first: int, name: str
) -> Annotation:
    with reading(name, errors=ValueError):
        check_pixels(*values.shape)
    if 0 in values.shape:
        raise DataError(f"{name}: holds a picture of shape {values.shape}")
    is_small = values.dtype.itemsize == 1 and abs(first) < 2**15
    labels = values.astype(np.int32 if is_small else np.int64)
    labels -= first
    taken = labels[~ignore]
    if taken.size and not 0 <= taken.min() <= taken.max() < IGNORE_LABEL:
        odd = taken.min() if taken.min() < 0 else taken.max()
        raise DataError(
            f"{name}: the value {odd + first} is no class (class 0 is {first}, at most "
            f"{first + IGNORE_LABEL - 1} is read; --unlabelled and --first-class say otherwise)"
        )
    return Annotation(areas_of_labels(labels, ignore), labels.shape)
