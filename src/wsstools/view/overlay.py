"""Labels, scribbles and probabilities as colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.strokes import grow_scribbles
from wsstools.view.settings import IMAGE_WIDTH

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
THUMBNAIL = 200  # pixels; strokes grow by one pixel for each so many of the longer side
MOST_SCRIBBLED = 0.2  # share of the pixels; strokes rarely reach a tenth


def colour_labels(labels: NDArray[np.integer], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour of each pixel's class, (H, W, 3) uint8; row i of the palette is that of class i.

    It raises ValueError if `labels` is not (H, W) or an id has no row in the palette.
    """
    if labels.ndim != 2:
        raise ValueError(f"labels has shape {labels.shape}, expected (H, W)")
    if labels.size and not 0 <= labels.min() <= labels.max() < len(palette):
        raise ValueError(
            f"labels are in {labels.min()}..{labels.max()}, the palette has {len(palette)} colours"
        )
    colours: NDArray[np.uint8] = palette[labels]
    return colours


def overlay_labels(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    alpha: float = 0.6,
) -> NDArray[np.uint8]:
    """The image tinted with the colours of its classes, (H, W, 3) uint8.

    It is pale grey where the labels, (H, W), are 255. `alpha`, 0..1, is the opacity of the
    colours; larger shows less of the image.
    """
    _check_pair(image, labels)
    mixed = (1 - alpha) * image + alpha * colour_labels(labels, palette)
    grey = 0.5 * 255 + 0.5 * image @ np.array(GREY_WEIGHTS)
    return _to_bytes(np.where((labels == IGNORE_LABEL)[:, :, None], grey[:, :, None], mixed))


def overlay_scribbles(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    *,
    grow: float | None = None,
    lighten: float = 0.45,
) -> NDArray[np.uint8]:
    """The scribbles in full colour on the lightened image, (H, W, 3) uint8.

    Strokes are `grow` pixels thicker on each side; None grows them with the size of the image, so
    that they are seen in a thumbnail. `lighten`, 0..1: larger is paler.
    """
    _check_pair(image, scribbles)
    strokes = grow_scribbles(scribbles, stroke_growth(scribbles.shape) if grow is None else grow)
    is_stroke = strokes != IGNORE_LABEL
    result = _to_bytes(image + lighten * (255.0 - image))
    result[is_stroke] = colour_labels(strokes, palette)[is_stroke]
    return result


def stroke_growth(shape: tuple[int, ...], width: int = IMAGE_WIDTH) -> int:
    """How many pixels strokes grow on each side to be seen in a picture of that width in pixels."""
    return round(max(shape) / THUMBNAIL * IMAGE_WIDTH / width)


def colour_map(
    probs: NDArray[np.floating], classes: ArrayLike, palette: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The expected colour of each pixel, (H, W, 3) uint8: uncertainty shows as a mixture.

    `probs` has shape (K, H, W) and sums to 1 over K; `classes`, (K,), are the ids of the planes.
    """
    classes = np.asarray(classes)
    if probs.ndim != 3 or len(probs) != len(classes):
        raise ValueError(f"probs has shape {probs.shape}, expected ({len(classes)}, H, W)")
    return _to_bytes(np.tensordot(probs, palette[classes].astype(np.float64), axes=(0, 0)))


def _check_pair(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image has shape {image.shape}, expected (H, W, 3)")
    if labels.shape != image.shape[:2]:
        raise ValueError(f"labels has shape {labels.shape}, the image {image.shape[:2]}")


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


def are_scribbles(labels: NDArray[np.uint8]) -> bool:
    """Whether labels, (H, W), are strokes: less than a fifth of the pixels carries a class."""
    return bool((labels != IGNORE_LABEL).mean() < MOST_SCRIBBLED)
