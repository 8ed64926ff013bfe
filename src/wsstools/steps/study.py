"""Measuring a study: all folders of labels against the ground truth, image by image."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsstools.cli.options import RunOptions

if TYPE_CHECKING:
    from wsstools.core.evaluation.measuring import Counts
    from wsstools.core.evaluation.study import Key
    from wsstools.running.sources import Selection, Source

Folders = dict["Key", tuple[str, ...]]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes
    ----------
    val, pfa, train : dict of Key to folders
        Folders of labels, several for several seeds: on the validation images, and on the
        training images the labels trained on and the network's.
    gt, train_gt : str
        Ground truth of both sets of images.
    train_selection : Selection or None
        Which images are the training images; None takes all that the folders hold.
    widths : tuple of int
        Of the bands around borders.
    void_is_border : bool
        Whether unlabelled pixels of the ground truth have bands around them too.
    n_resamples, seed : int
        Of the bootstrap; 0 resamples give no intervals.
    against : Key or None
        The strategy that the others are compared with; None takes the best of each group.
    """

    val: Folders
    pfa: Folders
    train: Folders
    gt: str
    train_gt: str
    train_selection: Selection | None
    widths: tuple[int, ...] = ()
    void_is_border: bool = False
    n_resamples: int = 0
    seed: int = 0
    against: Key | None = None


@dataclass(frozen=True)
class Found:
    """Counts of one set of images, and what JSON tells of each folder."""

    counts: Counts
    folders: Mapping[Key, list[dict[str, Any]]]
    stems: Sequence[str]


@dataclass
class _Images:
    """What has been counted so far: per image the class ids that occur and their pixels."""

    stems: list[str] = field(default_factory=list)
    found: list[tuple[Any, Any]] = field(default_factory=list)


def measured_study(plan: Plan, run: RunOptions) -> Any:
    """The Study that a plan gives."""
    import numpy as np

    from wsstools.core.evaluation.measuring import differences, measured_rows, parts_of, resample
    from wsstools.core.evaluation.study import Study
    from wsstools.formats.label_files import find_class_names

    names = find_class_names(plan.gt)
    val = counted(plan.val, plan.gt, run, run.selection(), plan.widths, plan.void_is_border)
    _tell_absent(val.counts, names)
    on_train = _train_part(plan, run)

    def resampled(found: Found, stream: int) -> Any:
        if not plan.n_resamples or not found.stems:
            return None
        _check_images(found.stems)
        rng = np.random.default_rng([plan.seed, stream])
        return resample(found.counts, rng, plan.n_resamples)

    drawn = resampled(val, 0)
    scored = parts_of(on_train.counts, resampled=resampled(on_train, 1))
    rows = measured_rows(
        val.counts,
        plan.widths,
        drawn,
        pfa={key: scored[_part_key("pfa", key)] for key in plan.pfa},
        train={key: scored[_part_key("train", key)] for key in plan.train},
    )
    facts = {
        "images": {"val": list(val.stems), "train": list(on_train.stems)},
        "bootstrap": {"resamples": plan.n_resamples, "seed": plan.seed, "level": 0.95}
        if plan.n_resamples
        else None,
        "bands": {"widths": list(plan.widths), "void_is_border": plan.void_is_border},
        "classes": names,
        "labels": [
            {
                "group": row.key.group,
                "name": row.key.name,
                "val": val.folders.get(row.key, []),
                "pfa": on_train.folders.get(_part_key("pfa", row.key), []),
                "train": on_train.folders.get(_part_key("train", row.key), []),
            }
            for row in rows
        ],
    }
    compared = [] if drawn is None else differences(rows, drawn, plan.against)
    return Study(rows, compared, names, facts)


def _train_part(plan: Plan, run: RunOptions) -> Found:
    """Counts on the training images, of all their folders in one pass."""
    import numpy as np

    from wsstools.core.evaluation.measuring import Counts

    folders = {
        _part_key(part, key): places
        for part, entries in (("pfa", plan.pfa), ("train", plan.train))
        for key, places in entries.items()
    }
    if not folders:
        return Found(Counts(np.zeros(0, np.int64), {}), {}, ())
    return counted(folders, plan.train_gt, run, plan.train_selection or _all_images(run))


def _part_key(part: str, key: Key) -> Key:
    """PFA and predictions of one strategy are two strategies while they are counted."""
    from wsstools.core.evaluation.study import Key

    return Key(f"{part}/{key.group}", key.name)


def _all_images(run: RunOptions) -> Selection:
    from wsstools.running.sources import Selection

    return Selection(null=run.null)


def counted(
    folders: Folders,
    gt: str,
    run: RunOptions,
    selection: Selection,
    widths: Sequence[int] = (),
    void_is_border: bool = False,
    command: str = "eval-gap",
) -> Found:
    """Pixels of each class in each folder, region and image; the ground truth is read once.

    Raises
    ------
    DataError
        If the folders hold different images.
    SomeFailed
        If an image failed.
    """
    from functools import partial

    from wsstools.errors import DataError
    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.step import collect

    places = [place for several in folders.values() for place in several]
    sources = [run.source(place, label_files.SUFFIXES, "labels") for place in places]
    if selection.ids is None:
        _check_same_images(sources)
    inputs = [Input("labels", source, label_files.decode_labels) for source in sources]
    truth = run.source(gt, label_files.SUFFIXES, "ground truth")
    inputs.append(Input("gt", truth, label_files.decode_labels))
    count = partial(_count, places=places, widths=tuple(widths), void_is_border=void_is_border)
    images = _Images()
    for stem, found in collect(command, count, inputs, selection, run.pool()):
        images.stems.append(stem)
        images.found.append(found)
    if not images.stems:
        raise DataError("no image to score")
    counts = _joined(folders, images)
    return Found(counts, _folder_facts(folders, counts, images.stems, sources), images.stems)


def _check_images(stems: Sequence[str]) -> None:
    from wsstools.core.evaluation.bootstrap import MIN_IMAGES
    from wsstools.errors import UsageError

    if len(stems) < MIN_IMAGES:
        raise UsageError(f"--bootstrap resamples images, and there is only {len(stems)}")


def _check_same_images(sources: Sequence[Source]) -> None:
    from wsstools.errors import DataError

    folders = [source for source in sources if not source.is_stream]
    for source in folders[1:]:
        first = folders[0]
        if source.stems != first.stems:
            odd = sorted(set(source.stems) ^ set(first.stems))
            raise DataError(
                f"{source.argument} and {first.argument} hold different images: {len(odd)} are "
                f"in one only, such as {odd[0]!r} (--ids chooses the images)"
            )


def _count(
    *decoded: Any, places: Sequence[str], widths: Sequence[int], void_is_border: bool
) -> Any:
    """The class ids of one image, (U,), and their pixels by folder and region, (F, R, 3, U)."""
    import numpy as np

    from wsstools.core.evaluation.metrics import class_counts
    from wsstools.core.evaluation.trimap import border_distance, within_band
    from wsstools.core.labels import IGNORE_LABEL

    *labels, gt = decoded
    for place, found in zip(places, labels, strict=True):
        if found.shape != gt.shape:
            raise ValueError(f"{place}: labels have shape {found.shape}, ground truth {gt.shape}")
    truths = [gt]
    if widths:
        distance = border_distance(gt, max(widths), void_is_border=void_is_border)
        truths += [within_band(gt, distance, width) for width in widths]
    counts = np.stack([[class_counts(found, truth) for truth in truths] for found in labels])
    counts = counts[..., :IGNORE_LABEL]  # what the labels leave open is a miss, and no class
    occur = np.flatnonzero(counts.any(axis=(0, 1, 2)))
    return occur, counts[..., occur]


def _joined(folders: Folders, images: _Images) -> Counts:
    """The pixels of all images by strategy, for the class ids that occur in any."""
    import numpy as np

    from wsstools.core.evaluation.measuring import Counts

    classes = np.unique(np.concatenate([occur for occur, _ in images.found]))
    n_folders, n_regions = images.found[0][1].shape[:2]
    joined = np.zeros((n_folders, n_regions, len(images.stems), 3, len(classes)), np.int64)
    for position, (occur, pixels) in enumerate(images.found):
        joined[:, :, position][..., np.searchsorted(classes, occur)] = pixels
    ends = np.cumsum([len(several) for several in folders.values()])
    return Counts(classes, dict(zip(folders, np.split(joined, ends[:-1]), strict=True)))


def _folder_facts(
    folders: Folders, counts: Counts, stems: Sequence[str], sources: Sequence[Source]
) -> dict[Key, list[dict[str, Any]]]:
    """Of each folder: where it is, what its first file tells of itself, and the images' scores."""
    from wsstools.core.evaluation.measuring import WHOLE, image_scores
    from wsstools.formats.description import describe, is_described

    facts: dict[Key, list[dict[str, Any]]] = {}
    opened = iter(sources)
    for key, pixels in counts.of.items():
        facts[key] = []
        for of_seed in pixels:
            source = next(opened)
            first = None if source.is_stream else str(source.find(stems[0]))
            mious, accuracies = image_scores(of_seed[WHOLE])
            facts[key].append(
                {
                    "folder": source.argument,
                    "first": describe(first) if first and is_described(first) else None,
                    "images": {
                        stem: {"miou": float(miou), "pixel_accuracy": float(accuracy)}
                        for stem, miou, accuracy in zip(stems, mious, accuracies, strict=True)
                    },
                }
            )
    return facts


def _tell_absent(counts: Counts, names: Sequence[str] | None) -> None:
    """Say which classes are left out of whose mean."""
    from wsstools.core.evaluation.measuring import parts_of
    from wsstools.core.labels import class_name

    told: dict[str, list[str]] = {}
    for key, part in parts_of(counts).items():
        size = len(names) if names else int(counts.classes.max(initial=-1)) + 1
        absent = ", ".join(class_name(names, c) for c in range(size) if c not in part.iou)
        if absent:
            told.setdefault(absent, []).append(str(key))
    for absent, rows in told.items():
        print(
            f"wss eval-gap: {', '.join(rows)}: left out of the mean, in neither ground truth nor "
            f"labels: {absent}",
            file=sys.stderr,
        )
