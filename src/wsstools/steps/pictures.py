"""The pictures of an image, one for each column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import class_counts, pixel_accuracy
from wsstools.core.labels import IGNORE_LABEL, class_name
from wsstools.core.map_operations import argmax_labels
from wsstools.core.maps import ProbabilityMap, normalized_entropy
from wsstools.core.palette import PALETTES
from wsstools.steps.columns import DIFF, ENTROPY, ERRORS, HEAT, PLAIN, Column, Content
from wsstools.view import differences, overlay
from wsstools.view.scales import INFERNO, Scale, scale_colours
from wsstools.view.sheet import fit

_BLANK = 205  # grey, so that pale pictures have edges on white


@dataclass(frozen=True)
class Look:
    """How the pictures of an image are drawn.

    `has_image` and `has_gt` say whether the first content is the image (else it is grey) and the
    last the ground truth. A width of None leaves the pictures as they are.
    """

    columns: tuple[Column, ...]
    has_image: bool
    has_gt: bool
    opacity: float
    cell_width: int | None
    palette: str = "voc"


@dataclass(frozen=True)
class Picture:
    """A picture, (h, w, 3) uint8, and what there is to say of it.

    The note above it is empty for none; `classes` and `marks` (`wsstools.view.differences`) are
    those that are to be seen.
    """

    pixels: NDArray[np.uint8]
    note: str = ""
    classes: frozenset[int] = frozenset()
    marks: frozenset[int] = frozenset()


def draw_pictures(*contents: Content, look: Look) -> list[Picture]:
    """The image, if there is one, and a picture for each column.

    The contents are the (H, W, 3) image, then maps and (H, W) labels, as `column_inputs` lists
    them.
    """
    rest = list(contents)
    gt = rest.pop() if look.has_gt else None
    if look.has_image:
        image = np.asarray(rest.pop(0)).round().astype(np.uint8)
    else:
        image = np.full((*rest[0].shape[-2:], 3), _BLANK, np.uint8)
    pictures = [Picture(image)] if look.has_image else []
    for column in look.columns:
        own = [rest.pop(0) for _ in column.folders]
        for content in own:
            if content.shape != image.shape[:2]:
                kind = "image" if look.has_image else look.columns[0].name
                raise ValueError(
                    f"{column.name} has shape {content.shape}, {kind} {image.shape[:2]} (H, W)"
                )
        pictures.append(_picture(column, own, image, None if gt is None else _labels(gt), look))
    if look.cell_width is None:
        return pictures
    return [replace(one, pixels=fit(one.pixels, look.cell_width)) for one in pictures]


def swatches(
    pictures: Iterable[Picture],
    columns: Sequence[Column],
    names: Sequence[str] | None,
    palette_name: str = "voc",
) -> Iterator[tuple[str, NDArray[np.uint8] | tuple[int, int, int]]]:
    """Names and colours of the classes and the marks that are to be seen in pictures."""
    pictures = list(pictures)
    palette = PALETTES[palette_name]()
    for c in sorted(frozenset().union(*(one.classes for one in pictures))):
        yield class_name(names, c), palette[c]
    pairs = [column.folders for column in columns if column.view == DIFF]
    # With several pairs, what is the first and what the second is another in each.
    known = [Path(folder).name or folder for folder in pairs[0]] if len(pairs) == 1 else []
    meanings = differences.mark_names(*known)
    for mark in sorted(frozenset().union(*(one.marks for one in pictures))):
        if mark in differences.MARK_COLOURS:
            yield meanings[mark], differences.MARK_COLOURS[mark]


def scales(columns: Sequence[Column]) -> Iterator[tuple[str, Scale]]:
    """Names of the colour scales of columns."""
    views = {column.view for column in columns}
    if HEAT in views:
        yield "probability", INFERNO
    if ENTROPY in views:
        yield "entropy, 1 where all classes are equally probable", INFERNO


def _picture(
    column: Column,
    contents: Sequence[Content],
    image: NDArray[np.uint8],
    gt: NDArray[np.uint8] | None,
    look: Look,
) -> Picture:
    content = contents[0]
    if column.view == PLAIN:
        return _plain(column, content, image, gt, look)
    if column.view == HEAT and isinstance(content, ProbabilityMap) and column.class_id is not None:
        return Picture(scale_colours(content.of_class(column.class_id)))
    if column.view == ENTROPY and isinstance(content, ProbabilityMap):
        return Picture(scale_colours(normalized_entropy(content)))
    labels = _labels(content)
    if column.view == ERRORS and gt is not None:
        marks = differences.error_marks(labels, gt)
        counted = (marks != differences.LEFT_OUT).sum()
        share = (marks == differences.WRONG).sum() / max(counted, 1)
        note = f"{100 * share:.1f} % wrong"
    else:
        second = _labels(contents[1])
        marks = differences.difference_marks(labels, second, gt)
        if gt is None:
            note = f"{100 * (marks == differences.DIFFERENT).mean():.1f} % differ"
        else:
            note = f"{100 * (_accuracy(second, gt) - _accuracy(labels, gt)):+.1f}"
    seen = frozenset(marks.ravel().tolist())
    return Picture(differences.draw_marks(image, marks), note, marks=seen)


def _plain(
    column: Column,
    content: Content,
    image: NDArray[np.uint8],
    gt: NDArray[np.uint8] | None,
    look: Look,
) -> Picture:
    palette = PALETTES[look.palette]()
    labels = _labels(content)
    is_map = isinstance(content, ProbabilityMap)
    is_strokes = not is_map and overlay.are_scribbles(labels)
    note = ""
    if gt is not None and column.is_scored and not is_strokes:
        note = f"{100 * _accuracy(labels, gt):.1f} % right"
    if isinstance(content, ProbabilityMap):
        pixels = overlay.colour_map(content.probs, content.classes, palette)
    elif is_strokes:
        width = image.shape[1] if look.cell_width is None else look.cell_width
        grow = overlay.stroke_growth(labels.shape, width)
        pixels = overlay.overlay_scribbles(image, labels, palette, grow=grow)
    else:
        pixels = overlay.overlay_labels(image, labels, palette, look.opacity)
    return Picture(pixels, note, frozenset(labels.ravel().tolist()) - {IGNORE_LABEL})


def _labels(content: Content) -> NDArray[np.uint8]:
    """Labels as they are, of a map the most probable ones."""
    return argmax_labels(content) if isinstance(content, ProbabilityMap) else content


def _accuracy(labels: NDArray[np.uint8], gt: NDArray[np.uint8]) -> float:
    return float(pixel_accuracy(class_counts(labels, gt)))
