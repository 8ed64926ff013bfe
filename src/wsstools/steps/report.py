"""What a study found, as one HTML page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from wsstools.core.evaluation.study import Study
from wsstools.core.labels import IGNORE_LABEL, class_name
from wsstools.core.palette import voc_palette
from wsstools.errors import DataError, WssError
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.limits import read_file
from wsstools.files.provenance import Decoded, Json, Origin, digest, input_record, record_text
from wsstools.files.targets import recorded_output_file
from wsstools.formats import image_files, label_files, page_files
from wsstools.formats.studies.counts import is_counts
from wsstools.formats.studies.results import decode_study
from wsstools.running.messages import print_path, say
from wsstools.running.settings import STANDARD_INPUT, Selection
from wsstools.running.sources import Source
from wsstools.view.overlay import colour_labels, overlay_labels
from wsstools.view.report.page import report_page
from wsstools.view.report.sheets import (
    IMAGE,
    TRUTH,
    Pictures,
    SheetPlan,
    Sheets,
    sheet_plans,
    thumbnail,
)
from wsstools.view.settings import ReportSettings

T = TypeVar("T")
_ENDINGS = (".html", ".htm")
_LARGEST_FILE = 1 << 28
"""Bytes of a picture that a study may name: it names any path, and may be somebody else's."""


def report(
    study: str,
    out: str | Path,
    *,
    images: str | None = None,
    gt: str | None = None,
    settings: ReportSettings = ReportSettings(),
    run: Selection = Selection(),
) -> None:
    """Write a study as one HTML page.

    Parameters
    ----------
    study : str
        The file that `wss eval-gap --json` printed, or `-`.
    out : str or Path
        The HTML file.
    images, gt : str or None
        The validation images and their ground truth, for the contact sheets.
    settings : ReportSettings
    run : Selection

    Raises
    ------
    DataError
        If the file holds no study.
    UsageError
        If `out` is an input, or a file of others or of other options.
    """
    is_stream = study == STANDARD_INPUT
    name = "standard input" if is_stream else Path(study).name
    places = (study, images, gt)
    inputs = [place for place in places if place is not None and place != STANDARD_INPUT]
    options: dict[str, Json] = {
        "title": settings.title,
        "sheet_images": settings.sheet_images,
        "images": images is not None,
        "gt": gt is not None,
    }
    origin = Origin("report", options, revision=3)
    target = recorded_output_file(
        out,
        inputs,
        origin,
        read_meta=page_files.read_meta,
        endings=_ENDINGS,
        overwrite=settings.overwrite,
        read=(*image_files.SUFFIXES, *label_files.SUFFIXES),
    )
    data = sys.stdin.buffer.read() if is_stream else read_file(study)
    found = decode_study(data, name if is_stream else study)
    sheets = _sheets(found, settings.sheet_images, images, gt)
    record = input_record("study", name, digest(data))
    sources = {"numbers": f"{name}, blake2b {record['blake2b']}"}
    meta = origin.record(kind="page", stem="report", inputs=[record])
    page = report_page(
        found,
        sheets,
        title=settings.title,
        sources=sources,
        record=record_text(meta),
    ).encode("utf-8", "backslashreplace")
    remove_leftovers(target.parent)
    write_atomic(target, page)
    for one in sheets.pictures.missing:
        say(f"left out: {one}", "report")
    say(f"{len(page) / 1e6:.1f} MB, written to {out}", "report")
    print_path(out, run)


def _sheets(study: Study, count: int, images: str | None, gt: str | None) -> Sheets:
    plans = sheet_plans(study, count)
    if plans:
        pictures = read_pictures(plans, study.class_names, images, gt)
        return Sheets(plans, pictures, "none of their files could be read.")
    if count == 0:
        return Sheets(why_none="no sheets were asked for (--sheet-images 0).")
    if study.measurement is None or not study.measurement.labels:
        return Sheets(why_none="the study holds no images; it was made from given scores.")
    return Sheets(why_none="no strategy differs from its baseline on any image.")


def read_pictures(
    plans: Sequence[SheetPlan], names: Sequence[str] | None, images: str | None, gt: str | None
) -> Pictures:
    """Small pictures of all images and labels of the sheets, and what could not be read.

    `names` are those of the classes; `images` and `gt` are folders.
    """
    palette = voc_palette()
    found: dict[tuple[str, str, str], bytes] = {}
    classes: set[int] = set()
    folders = _Folders()
    image_source = folders.opened(images, image_files.SUFFIXES, "image", "--images")
    truth_source = folders.opened(gt, label_files.SUFFIXES, "ground truth", "--gt")
    for plan in plans:
        sources = {
            column: folders.opened(folder, label_files.SUFFIXES, "labels", str(plan.key))
            for column, folder in plan.folders.items()
        }
        sources[TRUTH] = truth_source
        for stem in plan.stems:
            decoded = folders.read(image_source, stem, image_files.decode_image)
            image = None if decoded is None else decoded.round().astype(np.uint8)
            if image is not None:
                found[plan.key.group, stem, IMAGE] = image_files.encode_jpeg(thumbnail(image))
            for column, source in sources.items():
                labels = folders.read(source, stem, label_files.decode_labels)
                if labels is None:
                    continue
                classes |= set(labels.ravel().tolist())
                if image is not None and labels.shape == image.shape[:2]:
                    drawn = overlay_labels(image, labels, palette)
                else:
                    drawn = colour_labels(labels, palette)
                found[plan.key.group, stem, column] = image_files.encode_jpeg(thumbnail(drawn))
    classes.discard(IGNORE_LABEL)
    columns = [IMAGE] * (image_source is not None) + [TRUTH] * (truth_source is not None)
    legend = [(class_name(names, c), palette[c].tolist()) for c in sorted(classes)]
    return Pictures(found, columns, legend, folders.missing)


class _Folders:
    """Opens folders and reads files; what fails is listed once in `missing`."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def opened(
        self, place: str | None, suffixes: tuple[str, ...], what: str, role: str
    ) -> Source | None:
        """The files of a folder, or None if it is not given or missing."""
        if place is None:
            self._add(f"{what}, which {role} would give")
            return None
        if place == STANDARD_INPUT:
            self._add(f"{what} of {role}, which came from standard input")
            return None
        if is_counts(place):
            self._add(f"{what} of {role}: {place} holds counts, no pictures")
            return None
        try:
            return Source(place, suffixes, what)
        except (WssError, OSError) as error:
            self._add(f"{what} of {role}: {error}")
            return None

    def read(
        self, source: Source | None, stem: str, decode: Callable[[bytes, str], Decoded[T]]
    ) -> T | None:
        """The content of a file, or None if it cannot be read."""
        if source is None:
            return None
        try:
            path = source.find(stem)
            if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
                raise DataError(f"{path}: no regular file of at most {_LARGEST_FILE >> 20} MiB")
            return decode(read_file(path), str(path)).value
        except (WssError, OSError) as error:
            self._add(f"{stem}: {error}")
            return None

    def _add(self, why: str) -> None:
        if why not in self.missing:
            self.missing.append(why)
