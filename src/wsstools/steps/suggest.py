"""Where to draw the next strokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, class_name
from wsstools.core.maps import ProbabilityMap
from wsstools.core.palette import voc_palette
from wsstools.core.scribbles.settings import SuggestionSettings
from wsstools.core.scribbles.suggestions import Suggestion, suggested_places
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import write_atomic
from wsstools.files.provenance import Origin, files_record
from wsstools.files.targets import recorded_output_file
from wsstools.formats import label_files
from wsstools.formats.picture_files import KIND, SUFFIX, encode_picture, read_meta
from wsstools.running.join import Input, check_joins, stream_among
from wsstools.running.messages import say
from wsstools.running.settings import JobSettings, RunSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import image_input, label_input, map_input
from wsstools.view.settings import GRID_COLUMNS
from wsstools.view.sheet import contact_sheet
from wsstools.view.strokes.suggestions import FORMS, formatted, marked_places

T = TypeVar("T")
_MOST_SHOWN = 48
"""Images in a sheet."""


def suggestions(
    maps: Sequence[str],
    *,
    scribbles: str | None = None,
    settings: SuggestionSettings = SuggestionSettings(),
    run: JobSettings = JobSettings(),
) -> list[tuple[str, Suggestion]]:
    """Places for strokes in all images, the best first.

    Parameters
    ----------
    maps : sequence of str
        Folders, files, or one of them `-`, of one annotator each.
    scribbles : str or None
        What is drawn already; an image may have none.
    settings : SuggestionSettings
    run : JobSettings

    Raises
    ------
    DataError
        If there is no map, or no place left.
    SomeFailed
        If an image failed.
    """
    inputs = [map_input(place, run) for place in maps]
    stream = stream_among(inputs)
    if stream is not None:
        stream.read_whole()
    check_joins(inputs)
    find = partial(_find, settings=settings)
    stems = run.choose(inputs[0].source.stems)
    parts = [(inputs, list(stems))]
    if scribbles is not None:
        parts = with_and_without(inputs, label_input(scribbles, run, role="scribbles"), stems)
    found = [
        (stem, place)
        for read, chosen in parts
        if chosen
        for stem, places in map_images("suggest", find, read, run.of(chosen))
        for place in places
    ]
    if not found:
        raise DataError("no place for a stroke: every pixel is certain, or has a stroke near it")
    return sorted(found, key=lambda entry: (-entry[1].gain, entry[0]))


def suggest(
    maps: Sequence[str],
    *,
    images: str | None = None,
    scribbles: str | None = None,
    settings: SuggestionSettings = SuggestionSettings(),
    top: int = 20,
    sheet: str | Path | None = None,
    form: str = "table",
    run: RunSettings = RunSettings(),
) -> None:
    """Print the best of `suggestions`, and draw them where `sheet` is given.

    Parameters
    ----------
    images : str or None
        What the sheet shows.
    top : int
        How many places; 0: all.
    sheet : str, Path or None
        PNG file.
    form : str
        `table`, `csv`, `json`, or `names`: of the images, one a line.
    run : RunSettings

    Raises
    ------
    UsageError
        If options contradict each other, or `sheet` is another file.
    """
    if form not in FORMS:
        raise UsageError(f"--format {form}: expected {', '.join(FORMS)}")
    drawing = None
    if sheet is not None:
        if images is None:
            raise UsageError("--sheet needs --images")
        origin = Origin("suggest", {"top": top, **asdict(settings)})
        path = recorded_output_file(
            sheet,
            [images, *maps, *([] if scribbles is None else [scribbles])],
            origin,
            endings=[SUFFIX],
            read_meta=read_meta,
            overwrite=run.overwrite,
            is_recursive=run.recursive,
        )
        drawing = _Sheet(images, scribbles, path, origin)
    found = suggestions(maps, scribbles=scribbles, settings=settings, run=run)
    best = found[: top or None]
    places = [place for place in (scribbles, *maps) if place is not None]
    names = label_files.find_class_names(*places)
    if drawing is not None:
        drawing.write(best, names, run)
    print(formatted(best, names, form))


def _find(
    *contents: ProbabilityMap | NDArray[np.uint8], settings: SuggestionSettings
) -> list[Suggestion]:
    """The places of one image, from its maps, and its scribbles if it has some."""
    maps = [content for content in contents if isinstance(content, ProbabilityMap)]
    scribbles = [content for content in contents if not isinstance(content, ProbabilityMap)]
    return suggested_places(maps, *scribbles, settings=settings)


@dataclass(frozen=True)
class _Sheet:
    """A picture of the images with the best places."""

    images: str
    scribbles: str | None
    path: Path
    origin: Origin

    def write(
        self, best: Sequence[tuple[str, Suggestion]], names: Sequence[str] | None, run: RunSettings
    ) -> None:
        """Draw the images in the order of their best places."""
        places: dict[str, list[tuple[int, Suggestion]]] = {}
        for rank, (stem, place) in enumerate(best, start=1):
            places.setdefault(stem, []).append((rank, place))
        stems = list(places)[:_MOST_SHOWN]
        shown = image_input(self.images, run)
        read = self._read(shown, stems, run)
        cells = [marked_places(*read[stem], places[stem]) for stem in stems]
        strokes = [scribbles for _, scribbles in read.values() if scribbles is not None]
        drawn = sorted({int(c) for one in strokes for c in np.unique(one)} - {IGNORE_LABEL})
        palette = voc_palette()
        pixels = contact_sheet(
            in_rows(cells),
            captions=in_rows(stems),
            legend=[(class_name(names, c), palette[c]) for c in drawn],
        )
        record = files_record("image", [shown.source.find(stem) for stem in stems])
        meta = self.origin.record(kind=KIND, stem=self.path.stem, inputs=[record])
        write_atomic(self.path, encode_picture(pixels, meta))
        say(f"{len(stems)} images, written to {self.path}", "suggest")

    def _read(
        self, shown: Input, stems: Sequence[str], run: RunSettings
    ) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8] | None]]:
        """Images and their scribbles, if they have some."""
        parts = [([shown], list(stems))]
        if self.scribbles is not None:
            parts = with_and_without(
                [shown], label_input(self.scribbles, run, role="scribbles"), stems
            )
        return {
            stem: both
            for inputs, chosen in parts
            if chosen
            for stem, both in map_images("suggest", _both, inputs, run.of(chosen))
        }


def with_and_without(
    inputs: Sequence[Input], further: Input, stems: Sequence[str]
) -> list[tuple[list[Input], list[str]]]:
    """Inputs with and without a further one, each with those of the images that it is for."""
    return [
        ([*inputs, further], [stem for stem in stems if stem in further.source]),
        ([*inputs], [stem for stem in stems if stem not in further.source]),
    ]


def in_rows(items: Sequence[T]) -> list[Sequence[T]]:
    """They, in rows of a grid."""
    return [items[k : k + GRID_COLUMNS] for k in range(0, len(items), GRID_COLUMNS)]


def _both(
    image: NDArray[np.uint8], scribbles: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    return image, scribbles
