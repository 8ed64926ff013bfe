"""The class labels of the Semantic Boundaries Dataset: one MATLAB file an image."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from wsstools.core.annotation import VOC_CLASSES, Annotation, areas_of_labels
from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError
from wsstools.io.provenance import Decoded

MAT_MAGIC = b"MATLAB 5.0 MAT-file"
_VARIABLE, _FIELD = "GTcls", "Segmentation"


def decode_sbd(data: bytes, name: str) -> Decoded:
    """The labels in a file of the folder `cls`, as an Annotation.

    The variable `GTcls` is a struct whose field `Segmentation` is a label map (H, W) of the classes
    of PASCAL VOC: 0 is the background, and nothing is left out.

    Raises
    ------
    DataError
        If the file is damaged, holds no such label map, or a label is no class of PASCAL VOC.

    References
    ----------
    Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011; the README of its data.
    """
    from scipy.io import loadmat

    try:
        held = loadmat(io.BytesIO(data), variable_names=[_VARIABLE])
    except Exception as error:  # the decoder raises whatever it likes at damaged files
        raise DataError(f"{name}: not a readable MATLAB file: {error}") from error
    labels = _segmentation(held.get(_VARIABLE), name)
    ignore = labels == IGNORE_LABEL
    known = labels[~ignore]
    if known.size and not 0 <= known.min() <= known.max() < len(VOC_CLASSES):
        raise DataError(
            f"{name}: labels are {known.min()} to {known.max()}, expected classes 0 to "
            f"{len(VOC_CLASSES) - 1} of PASCAL VOC"
        )
    return Decoded(Annotation(areas_of_labels(labels, ignore), labels.shape, VOC_CLASSES))


def _segmentation(struct: Any, name: str) -> Any:
    fields = getattr(getattr(struct, "dtype", None), "names", None) or ()
    if _FIELD not in fields or struct.size != 1:
        raise DataError(f"{name}: no label map {_VARIABLE}.{_FIELD} (the files in cls/ hold it)")
    labels = struct[_FIELD].item()
    if not (isinstance(labels, np.ndarray) and labels.ndim == 2 and labels.dtype.kind in "iu"):
        raise DataError(f"{name}: {_VARIABLE}.{_FIELD} is no (H, W) map of integers")
    return labels
