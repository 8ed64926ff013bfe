"""Label pictures and label layers of other programs, in which any value may mean unlabelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL, is_mask
from wsstools.core.scribbles.annotation import Annotation, areas_of_labels
from wsstools.core.scribbles.colours import ColourTable
from wsstools.core.scribbles.remapping import Remapping, remapped
from wsstools.errors import DataError
from wsstools.files import npy, tiff
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels
from wsstools.files.pillow import first_of, opened
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.colour_pictures import decode_colours, frequent_colours
from wsstools.formats.annotations.content import Content
from wsstools.formats.label_files import read_indices

_OF_COLOURS = "expected class indices"
"""What `read_indices` says of a picture that is whole, but in colours."""
_MOST_CLASSES = 64
"""More are hardly in one image; the edge of a smooth line takes most values up to 255."""
_OF_PALETTES = (b"\x89PNG", b"BM", b"GIF8")
"""How pictures begin that have palettes, TIFF apart."""


@dataclass(frozen=True)
class Values:
    """What the values in pictures and layers mean, where it is not what the format says.

    Attributes
    ----------
    unlabelled : int or None
        The value that carries no class.
    first : int or None
        The value of class 0.
    remapping : Remapping or None
        The ids that replace those that follow from the values.
    colours : ColourTable or None
        The classes of the colours of pictures.
    """

    unlabelled: int | None = None
    first: int | None = None
    remapping: Remapping | None = None
    colours: ColourTable | None = None


def decode_picture(content: Content, values: Values = Values()) -> Decoded[Annotation]:
    """A palette or grey picture of class ids from 0, if not given; 255 is unlabelled in any case.

    With `values.colours` it is a picture of these. DataError if the file is no such picture, or
    another value is no class id.
    """
    if values.colours is not None:
        return decode_colours(content.data, content.name, values.colours)
    try:
        found = read_indices(content.data, content.name)
    except DataError as error:
        is_whole = _OF_COLOURS in str(error)  # a damaged file is not read again
        colours = frequent_colours(content.data) if is_whole else ""
        if not colours:
            raise
        raise DataError(
            f"{error}; its colours are {colours}: a table of those that are classes is given by "
            "--colours FILE"
        ) from None
    unlabelled = IGNORE_LABEL if values.unlabelled is None else values.unlabelled
    ignore = np.isin(found.value, [IGNORE_LABEL, unlabelled])
    annotation = _annotation(found.value, ignore, values.first or 0, values, content.name)
    as_they_are = values == Values() and found.meta is None
    note = _doubts(content.data, found.value, len(annotation.marks)) if as_they_are else None
    return Decoded(annotation, found.meta, found.note).noted(note)


def _doubts(data: bytes, labels: NDArray[np.integer], n_classes: int) -> str | None:
    """What makes it doubtful that the values in a picture of others are class ids from 0."""
    transparent, has_palette = _palette(data)
    n_transparent = int(np.isin(labels, transparent).sum()) if transparent else 0
    if n_transparent:
        return (
            f"{n_transparent} transparent pixels have a class; --unlabelled {transparent[0]} makes "
            "them unlabelled, --colours gives the classes of colours"
        )
    if not has_palette and is_mask(labels):
        return "a mask of 0 and 255, which is unlabelled; --remap 255=1 makes it class 1"
    if not (labels == IGNORE_LABEL).any():
        return "every pixel has a class; where one value is unlabelled, --unlabelled says so"
    if n_classes > _MOST_CLASSES:
        return f"{n_classes} values, each a class; are the strokes drawn with smooth edges?"
    return None


def _palette(data: bytes) -> tuple[list[int], bool]:
    """The wholly transparent indices of a picture, and whether it has a palette."""
    if not data.startswith(_OF_PALETTES):
        return [], False
    with opened(data) as picture:
        alpha = picture.info.get("transparency") if picture.mode == "P" else None
        if isinstance(alpha, bytes):
            return [index for index, value in enumerate(alpha) if value == 0], True
        return [] if alpha is None else [alpha], picture.mode == "P"


def decode_napari(content: Content, values: Values = Values()) -> Decoded[Annotation]:
    """A labels layer of napari or ilastik, as TIFF or NPY: 0 is unlabelled, 1 the first class.

    DataError if the file holds no single (H, W) layer of integers, or a label is no class id.
    """
    read = _read_layer(content.data, content.name)
    layer = _one_picture(read.value, content.name)
    if values.unlabelled is None and values.first is None:
        _check_meaning(layer, content.name)
    ignore = np.equal(layer, 0 if values.unlabelled is None else values.unlabelled)
    first = 1 if values.first is None else values.first
    return Decoded(_annotation(layer, ignore, first, values, content.name), note=read.note)


def _read_layer(data: bytes, name: str) -> Decoded[AnyArray]:
    with reading(name, "not a readable layer: "):
        if data.startswith(npy.MAGIC):
            return Decoded(npy.read_array(data))
        if data.startswith(tiff.MAGIC):
            values, n_pictures = tiff.read_values(data)
            return Decoded(values, note=first_of(n_pictures))
    return cast("Decoded[AnyArray]", read_indices(data, name))


def _one_picture(values: AnyArray, name: str) -> NDArray[np.integer]:
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    while values.ndim > 2 and values.shape[-1] == 1:  # ilastik's channel
        values = values[..., 0]
    if values.ndim != 2:
        raise DataError(
            f"{name}: holds a layer of shape {values.shape}, expected one (H, W) picture "
            "(save each picture of a stack as a file; --colours FILE reads colours)"
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
            "(--source-format picture), or a layer in which 0 is unlabelled (--unlabelled 0)?"
        )


def _annotation(
    stored: NDArray[np.integer], ignore: NDArray[np.bool_], first: int, values: Values, name: str
) -> Annotation:
    with reading(name, errors=ValueError):
        check_pixels(*stored.shape)
    if 0 in stored.shape:
        raise DataError(f"{name}: holds a picture of shape {stored.shape}")
    labels: NDArray[np.integer] = stored
    if values.remapping is not None:
        labels = stored.astype(np.int64) - first
        labels[ignore] = IGNORE_LABEL
        labels = cast("NDArray[np.int64]", remapped(labels, values.remapping))
        ignore, first = labels == IGNORE_LABEL, 0
    held = np.unique(labels[~ignore]).astype(np.int64) - first
    if held.size and not 0 <= held[0] <= held[-1] < IGNORE_LABEL:
        odd = held[0] if held[0] < 0 else held[-1]
        raise DataError(
            f"{name}: the value {odd + first} is no class (class 0 is {first}, at most "
            f"{first + IGNORE_LABEL - 1} is read; --unlabelled and --first-class say otherwise, "
            "--remap changes ids)"
        )
    ids = labels.astype(np.uint8) - np.uint8(first % 256)  # modulo 256; all that count are below
    return Annotation(areas_of_labels(ids, ignore), labels.shape)
