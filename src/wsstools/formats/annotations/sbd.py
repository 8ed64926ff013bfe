"""The class labels of the Semantic Boundaries Dataset: one MATLAB file an image."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.annotation import Annotation, areas_of_labels
from wsstools.core.scribbles.class_names import VOC_CLASSES
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.content import Content
from wsstools.formats.annotations.matlab import read_field

_VARIABLE, _FIELD = "GTcls", "Segmentation"


def decode_sbd(content: Content) -> Decoded[Annotation]:
    """The labels in a file of the folder `cls`, as an Annotation.

    The variable `GTcls` is a struct whose field `Segmentation` is a label map (H, W) of the classes
    of PASCAL VOC: 0 is the background, and nothing is left out.

    DataError if the file is damaged, holds no such label map, or a label is no class of PASCAL VOC.

    References
    ----------
    Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011; the README of its data.
    """
    name = content.name
    with reading(name, "not a readable MATLAB file: ", errors=ValueError):
        labels = read_field(content.data, _VARIABLE, _FIELD)
        if labels is not None:
            check_pixels(*labels.shape[:2])
    if labels is None:
        raise DataError(f"{name}: no label map {_VARIABLE}.{_FIELD} (the files in cls/ hold it)")
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or not labels.size:
        raise DataError(f"{name}: {_VARIABLE}.{_FIELD} is no (H, W) map of integers")
    ignore = labels == IGNORE_LABEL
    known = labels[~ignore]
    if known.size and not 0 <= known.min() <= known.max() < len(VOC_CLASSES):
        raise DataError(
            f"{name}: labels are {known.min()} to {known.max()}, expected classes 0 to "
            f"{len(VOC_CLASSES) - 1} of PASCAL VOC"
        )
    areas = areas_of_labels(cast("NDArray[np.integer]", labels), ignore)
    return Decoded(Annotation(areas, labels.shape, VOC_CLASSES))
