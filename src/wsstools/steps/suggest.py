"""Where to draw the next strokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

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
from wsstools.running.join import Input, stream_among
from wsstools.running.messages import say
from wsstools.running.settings import STANDARD_INPUT, JobSettings, RunSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import image_input, label_input, map_input
from wsstools.view.settings import GRID_COLUMNS
from wsstools.view.sheet import contact_sheet, in_rows
from wsstools.view.strokes.suggestions import FORMS, formatted, marked_places

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
        _check_stream(run)
        stream.read_whole()
    find = partial(_find, settings=settings)
    drawn = None if scribbles is None else label_input(scribbles, run, role="scribbles")
    known = dict.fromkeys(stem for entry in inputs for stem in entry.source.stems)
    stems = run.choose(list(known) if len(inputs) == 1 else sorted(known))
    parts = _by_what_they_have(inputs, drawn, stems)
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
    if STANDARD_INPUT in (scribbles, images):
        raise UsageError("- is for MAPS: expected folders of scribbles and images")
    if sheet is not None:
        if images is None:
            raise UsageError("--sheet needs --images")
        if run.dry_run:
            raise UsageError("--dry-run: nothing but --sheet is written")
        image_input(images, run)  # refused before the work
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
        for stem in stems:
            image, size = read[stem][0], places[stem][0][1].size
            if image.shape[:2] != size:
                raise DataError(f"{stem}: the image has shape {image.shape[:2]}, the maps {size}")
        cells = [marked_places(*read[stem], places[stem]) for stem in stems]
        strokes = [scribbles for _, scribbles in read.values() if scribbles is not None]
        drawn = sorted({int(c) for one in strokes for c in np.unique(one)} - {IGNORE_LABEL})
        palette = voc_palette()
        pixels = contact_sheet(
            in_rows(cells, GRID_COLUMNS),
            captions=in_rows(stems, GRID_COLUMNS),
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
        drawn = None
        if self.scribbles is not None:
            drawn = label_input(self.scribbles, run, role="scribbles")
        parts = _by_what_they_have([shown], drawn, stems)
        return {
            stem: both
            for inputs, chosen in parts
            if chosen
            for stem, both in map_images("suggest", _both, inputs, run.of(chosen))
        }


def _check_stream(run: JobSettings) -> None:
    """Raise UsageError where paths on standard input cannot be read before the work begins."""
    if run.ids == STANDARD_INPUT:
        raise UsageError("--ids - and MAPS - cannot both be standard input")
    if run.recursive:
        raise UsageError("--recursive needs folders of maps, not -")


def _by_what_they_have(
    needed: Sequence[Input], further: Input | None, stems: Sequence[str]
) -> list[tuple[list[Input], list[str]]]:
    """The inputs that have files of the same images, each time with those images.

    An image needs a file of one of the first inputs, whichever; one that has none is taken with
    all of them, so that it fails by name.
    """
    parts: dict[tuple[int, ...], list[str]] = {}
    for stem in stems:
        have = tuple(k for k, entry in enumerate(needed) if stem in entry.source)
        extra = () if further is None or stem not in further.source else (len(needed),)
        parts.setdefault((have or tuple(range(len(needed)))) + extra, []).append(stem)
    every = [*needed, *([] if further is None else [further])]
    return [([every[k] for k in chosen], names) for chosen, names in parts.items()]


def _both(
    image: NDArray[np.uint8], scribbles: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    return image, scribbles
