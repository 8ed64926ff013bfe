"""The pictures of an image, one for each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsstools.steps.columns import DIFF, ENTROPY, HEAT, PLAIN, Column

OPACITY = 0.6
_BLANK = 205  # grey, so that pale pictures have edges on white


@dataclass(frozen=True)
class Look:
    """How the pictures of an image are drawn.

    Attributes
    ----------
    columns : tuple of Column
        After the image.
    has_image, has_gt : bool
        Whether the first content is the image (else it is grey), and the last the ground truth.
    opacity : float, 0..1
        Of labels over the image.
    cell_width : int or None
        Width of the pictures; None leaves them as they are.
    """

    columns: tuple[Column, ...]
    has_image: bool = True
    has_gt: bool = False
    opacity: float = OPACITY
    cell_width: int | None = None


@dataclass(frozen=True)
class Drawn:
    """The pictures of an image.

    Attributes
    ----------
    pictures : list of (h, w, 3) uint8
        The image, if there is one, and one per column.
    notes : list of str
        What there is to say of each.
    classes, marks : frozenset of int
        Class ids and marks (`wsstools.view.differences`) that are to be seen.
    """

    pictures: list[Any]
    notes: list[str]
    classes: frozenset[int]
    marks: frozenset[int]


def draw_pictures(*contents: Any, look: Look) -> Drawn:
    """The pictures of an image; `contents` as `column_inputs` lists them.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    import numpy as np

    from wsstools.view.sheet import fit

    rest = list(contents)
    gt = rest.pop() if look.has_gt else None
    image = rest.pop(0).round().astype(np.uint8) if look.has_image else _blank(rest[0])
    pictures, notes = ([image], [""]) if look.has_image else ([], [])
    classes: set[int] = set()
    marks: set[int] = set()
    for column in look.columns:
        own = [rest.pop(0) for _ in column.folders]
        for content in own:
            if content.shape != image.shape[:2]:
                kind = "image" if look.has_image else look.columns[0].name
                raise ValueError(
                    f"{column.name} has shape {content.shape}, {kind} {image.shape[:2]} (H, W)"
                )
        picture, note = _picture(column, own, image, gt, look, classes, marks)
        pictures.append(picture)
        notes.append(note)
    if look.cell_width is not None:
        pictures = [fit(picture, look.cell_width) for picture in pictures]
    return Drawn(pictures, notes, frozenset(classes), frozenset(marks))


def legend_of(
    drawn: Sequence[Drawn], columns: Sequence[Column], names: Sequence[str] | None
) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Swatches of the classes and marks that occur, and the scales, as a sheet takes them."""
    from wsstools.core.labels import class_name
    from wsstools.core.palette import voc_palette
    from wsstools.view.differences import MARK_COLOURS, mark_names
    from wsstools.view.scales import INFERNO

    palette = voc_palette()
    classes = sorted(frozenset().union(*(one.classes for one in drawn)))
    marks = sorted(frozenset().union(*(one.marks for one in drawn)))
    pairs = [column.folders for column in columns if column.view == DIFF]
    told = mark_names(*(_tail(folder) for folder in pairs[0])) if len(pairs) == 1 else mark_names()
    swatches: list[tuple[str, Any]] = [(class_name(names, c), palette[c]) for c in classes]
    swatches += [(told[mark], MARK_COLOURS[mark]) for mark in marks if mark in MARK_COLOURS]
    views = {column.view for column in columns}
    scales: list[tuple[str, Any]] = []
    if HEAT in views:
        scales.append(("probability", INFERNO))
    if ENTROPY in views:
        scales.append(("entropy, 1 where all classes are equally probable", INFERNO))
    return swatches, scales


def _tail(folder: str) -> str:
    return Path(folder).name or folder


def _blank(content: Any) -> Any:
    import numpy as np

    return np.full((*content.shape[-2:], 3), _BLANK, np.uint8)


def _picture(
    column: Column,
    contents: Sequence[Any],
    image: Any,
    gt: Any,
    look: Look,
    classes: set[int],
    marks: set[int],
) -> tuple[Any, str]:
    """The picture of one column and its note; what is to be seen joins `classes` and `marks`."""
    from wsstools.core.maps import normalized_entropy
    from wsstools.view import differences
    from wsstools.view.scales import scale_colours

    if column.view == PLAIN:
        return _plain(column, contents[0], image, gt, look, classes)
    if column.view == HEAT:
        return scale_colours(contents[0].of_class(column.class_id)), ""
    if column.view == ENTROPY:
        return scale_colours(normalized_entropy(contents[0])), ""
    first, *others = [_labels(content) for content in contents]
    if not others:
        found = differences.error_marks(first, gt)
        counted = (found != differences.LEFT_OUT).sum()
        share = (found == differences.WRONG).sum() / max(counted, 1)
        note = f"{share:.1%} wrong"
    elif gt is None:
        found = differences.difference_marks(first, others[0])
        note = f"{(found == differences.DIFFERENT).mean():.1%} differ"
    else:
        found = differences.difference_marks(first, others[0], gt)
        note = f"{100 * (_accuracy(others[0], gt) - _accuracy(first, gt)):+.1f}"
    marks.update(set(found.ravel().tolist()))
    return differences.draw_marks(image, found), note.replace("%", " %")


def _plain(
    column: Column, content: Any, image: Any, gt: Any, look: Look, classes: set[int]
) -> tuple[Any, str]:
    from wsstools.core.labels import IGNORE_LABEL
    from wsstools.core.palette import voc_palette
    from wsstools.view import overlay

    palette = voc_palette()
    labels = _labels(content)
    classes.update(set(labels.ravel().tolist()) - {IGNORE_LABEL})
    is_map = labels is not content
    is_strokes = not is_map and overlay.are_scribbles(labels)
    note = ""
    if gt is not None and column.is_scored and not is_strokes:
        note = f"{100 * _accuracy(labels, gt):.1f} % right"
    if is_map:
        return overlay.colour_map(content.probs, content.classes, palette), note
    if is_strokes:
        width = image.shape[1] if look.cell_width is None else look.cell_width
        grow = overlay.stroke_growth(labels.shape, width)
        return overlay.overlay_scribbles(image, labels, palette, grow=grow), note
    return overlay.overlay_labels(image, labels, palette, look.opacity), note


def _labels(content: Any) -> Any:
    """Labels as they are, of a map the most probable ones."""
    from wsstools.core.map_operations import argmax_labels
    from wsstools.core.maps import ProbabilityMap

    return argmax_labels(content) if isinstance(content, ProbabilityMap) else content


def _accuracy(labels: Any, gt: Any) -> float:
    from wsstools.core.labels import IGNORE_LABEL

    if labels.shape != gt.shape:
        raise ValueError(f"labels have shape {labels.shape}, ground truth {gt.shape} (H, W)")
    valid = gt != IGNORE_LABEL
    return float((labels == gt)[valid].mean()) if valid.any() else float("nan")
