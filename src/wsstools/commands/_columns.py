"""Columns of pictures: how a command names them, and how they are read and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsstools.commands._options import SelectOptions

if TYPE_CHECKING:
    from wsstools.io.sources import Source

ENTROPY, WRONG, DIFFER, LABELS = "entropy", "wrong", "differ", "labels"
VIEWS = (ENTROPY, WRONG, DIFFER, LABELS)
COLUMN_HELP = (
    "Further columns: folders of scribbles, labels or maps. VIEW shows them otherwise: a class "
    "(name or id) its probability in maps, entropy how unsure maps are, labels the plain colours "
    "of labels, wrong the pixels of labels that differ from --gt, differ (with NAME=DIR,DIR) those "
    "where the second folder differs from the first."
)


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Attributes
    ----------
    name : str
        Its title.
    view : str or int or None
        One of VIEWS, or the id of a class; None shows scribbles, labels and maps as they are.
    sources : tuple of Source
        Its folder; two for `differ`.
    """

    name: str
    view: str | int | None
    sources: tuple[Source, ...]

    def holds(self, stem: str) -> bool:
        """Whether there is a file for that image."""
        return all(stem in source for source in self.sources)


@dataclass(frozen=True)
class Scene:
    """What the pictures of one image are drawn from.

    Attributes
    ----------
    stem : str
        Its name.
    image : (H, W, 3) uint8
        RGB.
    gt : (H, W) uint8 or None
        Ground truth, if it was asked for.
    palette : (N, 3) uint8
        Colours of the classes.
    opacity : float
        Of labels over the image.
    """

    stem: str
    image: Any
    gt: Any
    palette: Any
    opacity: float


@dataclass(frozen=True)
class Drawn:
    """A picture, the classes whose colours it has, and the labels that it shows, if only those."""

    picture: Any
    classes: frozenset[int]
    labels: Any = None


def parse_columns(
    texts: Sequence[str], names: Sequence[str] | None, select: SelectOptions
) -> list[Column]:
    """The columns that [VIEW:]NAME=DIR texts name.

    Raises
    ------
    UsageError
        If a text is of another form, a name stands twice or a view is none.
    """
    from wsstools.errors import UsageError
    from wsstools.io import labelfile, mapfile

    columns: list[Column] = []
    for text in texts:
        view, name, places = _parts(text, names)
        if name in [column.name for column in columns]:
            raise UsageError(f"{text}: expected NAME=DIR with a name of its own")
        suffixes: tuple[str, ...] = labelfile.SUFFIXES
        what = "labels"
        if isinstance(view, int) or view == ENTROPY:
            suffixes, what = mapfile.SUFFIXES, "map"
        elif view is None:
            suffixes, what = (*mapfile.SUFFIXES, *labelfile.SUFFIXES), "map or label file"
        columns.append(
            Column(name, view, tuple(select.source(place, suffixes, what) for place in places))
        )
    return columns


def folders_of(texts: Sequence[str]) -> list[str]:
    """The folders that the texts name, as far as they have the form."""
    return [place for text in texts for place in text.partition("=")[2].split(",")]


def draw_column(column: Column, scene: Scene) -> Drawn:
    """The picture of one image in a column.

    Raises
    ------
    DataError
        If a file is damaged, or of another size than the image.
    """
    from wsstools.core.labels import IGNORE_LABEL
    from wsstools.io import mapfile
    from wsstools.view import doubt, mistakes, overlay

    paths = [source.find(scene.stem) for source in column.sources]
    if paths[0].suffix.lower() in mapfile.SUFFIXES:
        found = mapfile.decode_map(paths[0].read_bytes(), str(paths[0])).value
        if isinstance(column.view, int):
            return Drawn(
                doubt.probability_picture(found.probs, found.classes, column.view), frozenset()
            )
        if column.view == ENTROPY:
            return Drawn(doubt.entropy_picture(found.probs, found.n_classes), frozenset())
        picture = overlay.colour_map(found.probs, found.classes, scene.palette)
        return Drawn(picture, frozenset(found.classes.tolist()))
    labels = [read_labels(path, scene.image) for path in paths]
    last = labels[-1]
    if column.view == WRONG:
        picture = mistakes.mistakes_picture(scene.image, last, scene.gt, scene.palette)
        shown = last[(last != scene.gt) & (scene.gt != IGNORE_LABEL)]
    elif column.view == DIFFER:
        picture = mistakes.difference_picture(scene.image, labels[0], last, scene.palette)
        return Drawn(picture, _ids(last[labels[0] != last]))
    elif column.view == LABELS:
        picture, shown = overlay.colour_labels(last, scene.palette), last
    elif overlay.are_scribbles(last):
        return Drawn(overlay.overlay_scribbles(scene.image, last, scene.palette), _ids(last))
    else:
        picture = overlay.overlay_labels(scene.image, last, scene.palette, scene.opacity)
        shown = last
    return Drawn(picture, _ids(shown), last)


def read_image(path: Path) -> Any:
    """An image as RGB, (H, W, 3) uint8."""
    from wsstools.io.imagefile import decode_image

    return decode_image(path.read_bytes(), str(path)).value.round().astype("uint8")


def read_labels(path: Path, image: Any) -> Any:
    """Labels of an image, (H, W) uint8.

    Raises
    ------
    DataError
        If they are of another size than the image.
    """
    from wsstools.errors import DataError
    from wsstools.io import labelfile

    labels = labelfile.decode_labels(path.read_bytes(), str(path)).value
    if labels.shape != image.shape[:2]:
        raise DataError(f"{path}: shape {labels.shape}, the image has {image.shape[:2]} (H, W)")
    return labels


def _ids(labels: Any) -> frozenset[int]:
    import numpy as np

    from wsstools.core.labels import IGNORE_LABEL

    return frozenset(np.unique(labels).tolist()) - {IGNORE_LABEL}


def _parts(text: str, names: Sequence[str] | None) -> tuple[str | int | None, str, list[str]]:
    """View, name and folders."""
    from wsstools.errors import UsageError

    left, _, places = text.partition("=")
    before, colon, name = left.rpartition(":")
    if not (name and places):
        raise UsageError(f"{text}: expected NAME=DIR or VIEW:NAME=DIR")
    view = _view(before, names, text) if colon else None
    if view != DIFFER:
        return view, name, [places]
    pair = places.split(",")
    if len(pair) != 2 or not all(pair):
        raise UsageError(f"{text}: expected two folders, {DIFFER}:NAME=DIR,DIR")
    return view, name, pair


def _view(text: str, names: Sequence[str] | None, column: str) -> str | int:
    from wsstools.errors import UsageError

    if text in (names or ()):
        return list(names or ()).index(text)
    if text in VIEWS:
        return text
    if text.isascii() and text.isdecimal():
        return int(text)
    classes = f" or a class ({', '.join(names)})" if names else ", or a class id"
    raise UsageError(f"{column}: no view {text!r}; expected {', '.join(VIEWS)}{classes}")
