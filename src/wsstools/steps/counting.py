"""Pixels of each class in several folders of labels on the same images, or in files of counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.measuring import WHOLE
from wsstools.core.evaluation.metrics import (
    IN_GT,
    class_counts,
    hits_and_unions,
    mean_iou,
    pixel_accuracy,
)
from wsstools.core.evaluation.study import ImageScore, LabelFolder
from wsstools.core.evaluation.trimap import border_distance, within_band
from wsstools.core.labels import check_class_ids, check_sizes
from wsstools.errors import DataError, UsageError
from wsstools.files.damage import reading
from wsstools.formats import label_files
from wsstools.formats.studies.counts import Occurring, is_counts, read_counts
from wsstools.running.join import check_predictions
from wsstools.running.settings import JobSettings
from wsstools.running.sources import Source
from wsstools.running.tasks import map_images
from wsstools.steps.info import info
from wsstools.steps.inputs import check_same_images, check_truth, label_input, of_known_classes


@dataclass(frozen=True)
class CountedFolders:
    """What was counted in F folders of labels on the same N images, in R regions of each."""

    stems: Sequence[str]
    folders: Sequence[LabelFolder]
    classes: NDArray[np.int64]  # (C,), the ids that occur in any
    pixels: NDArray[np.int64]  # (F, R, N, 3, C), see core.evaluation.metrics.class_counts


def count_labels(
    places: Sequence[str],
    gt: str | None,
    run: JobSettings,
    widths: Sequence[int] = (),
    *,
    void_is_border: bool = False,
    ids_option: str = "--ids",
) -> CountedFolders:
    """Pixels of each class in each folder or file of counts, region and image.

    The ground truth is read once, and needed for folders alone; files have no bands.
    """
    files = {place: read_counts(place) for place in places if is_counts(place)}
    if files and widths:
        raise UsageError(f"--band needs folders of labels; {next(iter(files))} is a file of counts")
    folders = [place for place in places if place not in files]
    inputs = [label_input(place, run) for place in folders]
    truth = None if gt is None else label_input(gt, run, role="gt")
    in_folders: Mapping[str, Occurring] = {}
    if inputs:
        if gt is None or truth is None:
            raise UsageError(f"give --gt, the ground truth of {folders[0]}")
        read = [*inputs, truth]
        _check_folders([entry.source for entry in read], run, ids_option)
        count = partial(_count, places=folders, widths=tuple(widths), void_is_border=void_is_border)
        known = [of_known_classes(entry, gt) for entry in read]
        in_folders = dict(map_images("eval-gap", count, known, run))
    stems = list(in_folders or run.choose(list(next(iter(files.values()), ()))))
    if not stems:
        raise DataError("no image to score")
    are_chosen = run.names is not None or run.shard is not None
    for place, found in files.items():
        _check_images(place, found, stems, are_chosen=are_chosen, option=ids_option)
    if gt is not None:
        _check_classes(files, gt)
    of_places = [
        {stem: Occurring(one.classes, one.pixels[None]) for stem, one in files[place].items()}
        if place in files
        else {stem: one.of(folders.index(place)) for stem, one in in_folders.items()}
        for place in places
    ]
    classes = np.unique(np.concatenate([part[s].classes for part in of_places for s in stems]))
    pixels = np.zeros((len(places), 1 + len(widths), len(stems), 3, len(classes)), np.int64)
    for i, part in enumerate(of_places):
        for k, stem in enumerate(stems):
            pixels[i, :, k][..., np.searchsorted(classes, part[stem].classes)] = part[stem].pixels
    _check_same_truth(places, stems, pixels[:, WHOLE, :, IN_GT])
    where = gt if folders and gt else places[0]
    check_truth(classes[pixels[0, WHOLE, :, IN_GT].any(axis=0)], where, "eval-gap")
    sources = dict(zip(folders, [entry.source for entry in inputs], strict=True))
    measured = [
        _label_folder(place, sources.get(place), stems, of_place[WHOLE])
        for place, of_place in zip(places, pixels, strict=True)
    ]
    return CountedFolders(stems, measured, classes, pixels)


def _check_folders(sources: Sequence[Source], run: JobSettings, option: str) -> None:
    """Raise DataError unless all folders hold the same images, those of the ground truth."""
    *labels, truth = sources
    if run.names is None:
        check_same_images([source for source in labels if not source.is_stream])
    for source in labels:
        check_predictions(truth, source, run, option=option)


def _check_images(
    place: str, found: Collection[str], stems: Sequence[str], *, are_chosen: bool, option: str
) -> None:
    """Raise DataError unless a file of counts holds the images; no others if none are chosen."""
    odd = sorted(set(stems) - set(found) if are_chosen else set(stems) ^ set(found))
    if odd:
        how = f"such as {odd[0]!r}" if are_chosen else f"such as {odd[0]!r} ({option} chooses them)"
        what = "has no counts of" if are_chosen else "holds other images; they differ in"
        raise DataError(f"{place} {what} {len(odd)}, {how}")


def _check_classes(files: Mapping[str, Mapping[str, Occurring]], gt: str) -> None:
    """Raise DataError if counts are of a class that the classes.txt of the ground truth lacks."""
    names_file = label_files.find_classes_file(gt)
    if names_file is None:
        return
    n_classes = len(label_files.read_class_names(names_file))
    for place, images in files.items():
        for stem, found in images.items():
            with reading(f"{place}: {stem}", errors=ValueError):
                check_class_ids(found.classes, n_classes, str(names_file))


def _check_same_truth(
    places: Sequence[str], stems: Sequence[str], truth: NDArray[np.int64]
) -> None:
    """Raise DataError if places were counted against different ground truth (F, N, C)."""
    for place, found in zip(places, truth, strict=True):
        differ = (found != truth[0]).any(axis=-1)
        if differ.any():
            stem = stems[int(differ.argmax())]
            raise DataError(f"{places[0]} and {place} have different ground truth of {stem}")


def _count(
    *decoded: NDArray[np.uint8],
    places: Sequence[str],
    widths: Sequence[int],
    void_is_border: bool,
) -> Occurring:
    *labels, gt = decoded
    for place, found in zip(places, labels, strict=True):
        check_sizes(found, gt, what=f"{place}: labels")
    truths = [gt]
    if widths:
        distance = border_distance(gt, max(widths), void_is_border=void_is_border)
        truths += [within_band(gt, distance, width) for width in widths]
    counts = [[class_counts(found, truth) for truth in truths] for found in labels]
    return Occurring.among(np.stack(counts))


def _label_folder(
    place: str, source: Source | None, stems: Sequence[str], counts: NDArray[np.int64]
) -> LabelFolder:
    """A place, what its folder's first file is, and the images' scores from counts (N, 3, C)."""
    mious = mean_iou(*hits_and_unions(counts), empty=np.nan)
    scored = map(ImageScore, mious.tolist(), pixel_accuracy(counts).tolist())
    is_listed = source is not None and not source.is_stream
    first = info(str(source.find(stems[0]))) if source is not None and is_listed else None
    return LabelFolder(place, first, dict(zip(stems, scored, strict=True)))
