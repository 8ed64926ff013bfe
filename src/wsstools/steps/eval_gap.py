"""The gap table: how much of the gap to full supervision each strategy closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import MIN_IMAGES
from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.intervals import Resampled, resample
from wsstools.core.evaluation.measuring import (
    WHOLE,
    Counts,
    differences,
    measured_rows,
    parts_of,
)
from wsstools.core.evaluation.metrics import (
    IN_GT,
    class_counts,
    hits_and_unions,
    mean_iou,
    pixel_accuracy,
)
from wsstools.core.evaluation.settings import GapSettings, StudyFolders
from wsstools.core.evaluation.study import (
    Bootstrap,
    ImageScore,
    Key,
    LabelFolder,
    Measurement,
    Part,
    StrategyLabels,
    Study,
    given_rows,
    groups,
)
from wsstools.core.evaluation.trimap import border_distance, within_band
from wsstools.core.labels import IGNORE_LABEL, check_sizes, class_name
from wsstools.errors import DataError, UsageError
from wsstools.formats.label_files import find_class_names
from wsstools.formats.score_files import read_published, read_scores
from wsstools.formats.study_files import PARTS, Folders, parse_entry, read_study
from wsstools.formats.study_json import encode_study
from wsstools.running.join import check_predictions
from wsstools.running.messages import say
from wsstools.running.settings import JobSettings, Selection
from wsstools.running.sources import Source
from wsstools.running.tasks import map_images
from wsstools.steps.image_clusters import ClusterOf, cluster_numbers, cluster_rule
from wsstools.steps.info import info
from wsstools.steps.inputs import check_same_images, check_truth, label_input, of_known_classes
from wsstools.view.gap_tables import STUDY_FORMATS

_FEW_IMAGES = 20
"""Percentile intervals over fewer images or clusters cover less often than they state."""
Occurring: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64]]"
"""The class ids of an image, (U,), and their pixels by folder and region, (F, R, 3, U)."""


def print_gap(
    folders: StudyFolders,
    strategies: Sequence[str],
    *,
    scores: str | None,
    published: bool,
    settings: GapSettings,
    form: str,
    per_class: bool,
    run: JobSettings,
) -> None:
    """Print the gap table of folders, of given scores or of published ones."""
    if form not in (*STUDY_FORMATS, "json"):
        raise UsageError(f"--format {form}: expected one of {', '.join([*STUDY_FORMATS, 'json'])}")
    has_folders = bool(strategies) or any(vars(folders).values())
    if scores is not None:
        measures = (settings.bootstrap, settings.clusters, settings.against, settings.band)
        if has_folders or any(measures):
            raise UsageError("--scores takes the place of the folders; give one or the other")
        found = Study(given_rows(read_scores(scores)))
    elif published and not has_folders:
        found = Study(())
    else:
        found = eval_gap(folders, strategies, settings=settings, run=run)
    if published:
        found = replace(found, rows=[*found.rows, *given_rows(read_published())])
    if form == "json":
        print(encode_study(found))
    else:
        print(STUDY_FORMATS[form](found, per_class))


def eval_gap(
    folders: StudyFolders,
    strategies: Sequence[str] = (),
    *,
    settings: GapSettings = GapSettings(),
    run: JobSettings = JobSettings(),
) -> Study:
    """The gap table of folders of labels.

    Parameters
    ----------
    folders : StudyFolders
        Ground truth, full supervision, baseline, and labels of the training images.
    strategies : sequence of str
        `NAME=DIR`: labels that the network of a strategy predicts for the validation images;
        `NAME=DIR,DIR` for several seeds, `GROUP/NAME=DIR` for several networks.
    settings : GapSettings
    run : JobSettings

    Raises
    ------
    UsageError
        If arguments are missing or contradict each other.
    DataError
        If the folders hold different images, or there is ground truth without labels.
    SomeFailed
        If an image failed.
    """
    return _measured_study(_plan(folders, strategies, settings, run), run)


@dataclass(frozen=True)
class _StudyPlan:
    """What to measure: of each part (PARTS) the folders of each strategy, one for each seed."""

    parts: Mapping[str, Folders]
    folders: StudyFolders
    gt: str
    widths: tuple[int, ...]
    against: Key | None
    cluster_of: ClusterOf | None
    settings: GapSettings


def _plan(
    folders: StudyFolders, strategies: Sequence[str], settings: GapSettings, run: JobSettings
) -> _StudyPlan:
    given = {part: {} for part in PARTS} if folders.study is None else read_study(folders.study)
    frame = [
        f"{name}={folder}"
        for name, folder in ((FULL, folders.full), (BASELINE, folders.baseline))
        if folder is not None
    ]
    added = ([*frame, *strategies], folders.pfa or [], folders.train or [])
    parts = {part: _with_entries(given[part], one) for part, one in zip(PARTS, added, strict=True)}
    if folders.gt is None or not parts["val"]:
        raise UsageError("give --gt, --full and --baseline (or --study FILE or --scores FILE)")
    _check_frames(parts["val"])
    if settings.void_is_border and settings.band is None:
        raise UsageError("--void-is-border says where bands are; give their widths with --band")
    if settings.against is not None and not settings.bootstrap:
        raise UsageError("--against needs --bootstrap N")
    if settings.clusters is not None and not settings.bootstrap:
        raise UsageError("--clusters needs --bootstrap N")
    group, _, name = (settings.against or "").rpartition("/")
    against = Key(group, name) if settings.against else None
    if against and against not in parts["val"]:
        raise UsageError(f"--against {against}: there is {', '.join(map(str, parts['val']))}")
    cluster_of = None if settings.clusters is None else cluster_rule(settings.clusters, run.rule)
    widths = _widths(settings.band)
    return _StudyPlan(parts, folders, folders.gt, widths, against, cluster_of, settings)


def _with_entries(given: Folders, entries: Sequence[str]) -> Folders:
    """The folders of a study file and of the command line."""
    joined = dict(given)
    for entry in entries:
        key, places = parse_entry(entry)
        if key in joined:
            why = "occurs twice; expected NAME=DIR with a name of its own"
            raise UsageError(f"{entry}: {key} {why}")
        joined[key] = places
    return joined


def _check_frames(val: Folders) -> None:
    for group in groups(val):
        for name in (FULL, BASELINE):
            if Key(group, name) not in val:
                how = f"{group}/{name}=DIR" if group else f"--{name} DIR"
                raise UsageError(f"no labels under the name {Key(group, name)}: give {how}")


def _widths(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--band {text}: expected widths in pixels, such as 1,2,4,8")
    return tuple(sorted({int(part) for part in parts}))


@dataclass(frozen=True)
class CountedFolders:
    """What was counted in F folders of labels on the same N images, in R regions of each."""

    stems: Sequence[str]
    folders: Sequence[LabelFolder]
    classes: NDArray[np.int64]  # (C,), the ids that occur in any
    pixels: NDArray[np.int64]  # (F, R, N, 3, C), see core.evaluation.metrics.class_counts


class _Strategies(NamedTuple):
    """Counts and folders of strategies."""

    counts: Counts
    folders: Mapping[Key, Sequence[LabelFolder]]


def _measured_study(plan: _StudyPlan, run: JobSettings) -> Study:
    settings = plan.settings
    names = find_class_names(plan.gt)
    on_val = count_folders(
        _places(plan.parts["val"]),
        plan.gt,
        run,
        plan.widths,
        void_is_border=settings.void_is_border,
    )
    (val,) = _by_strategy(on_val, plan.parts["val"])
    _report_absent(val.counts, names)
    on_train = _train_part(plan, run)
    pfa, train = _by_strategy(on_train, plan.parts["pfa"], plan.parts["train"])

    val_clusters, train_clusters = (
        plan.cluster_of and cluster_numbers(part.stems, plan.cluster_of, settings.clusters or "")
        for part in (on_val, on_train)
    )
    drawn = _resampled(val.counts, val_clusters, settings, 0)

    def train_scores(part: _Strategies) -> Mapping[Key, Part]:
        drawn = _resampled(part.counts, train_clusters, settings, 1)
        return parts_of(part.counts, resampled=drawn)

    rows = measured_rows(
        val.counts, plan.widths, drawn, pfa=train_scores(pfa), train=train_scores(train)
    )
    measurement = Measurement(
        on_val.stems,
        on_train.stems,
        Bootstrap(
            settings.bootstrap,
            settings.seed,
            val_clusters=_cluster_count(val_clusters),
            train_clusters=_cluster_count(train_clusters),
        )
        if settings.bootstrap
        else None,
        plan.widths,
        settings.void_is_border,
        [
            StrategyLabels(row.key, *(part.folders.get(row.key, ()) for part in (val, pfa, train)))
            for row in rows
        ],
    )
    compared = [] if drawn is None else differences(rows, drawn, plan.against)
    return Study(rows, compared, names, measurement)


def _resampled(
    counts: Counts, clusters: NDArray[np.int64] | None, settings: GapSettings, stream: int
) -> Resampled | None:
    """The resamples of what was counted, warning where there is little to resample."""
    if not settings.bootstrap or not counts.of:
        return None
    n_images = next(iter(counts.of.values())).shape[2]
    number, what = _cluster_count(clusters), "clusters"
    if number is None:
        number, what = n_images, "images"
    if number < MIN_IMAGES:
        raise UsageError(f"--bootstrap resamples {what}, and there is only {number}")
    if number < _FEW_IMAGES:
        say(
            f"warning: intervals by resampling {number} {what} are too narrow; "
            f"trust them from about {_FEW_IMAGES} {what} on",
            "eval-gap",
        )
    rng = np.random.default_rng([settings.seed, stream])
    return resample(counts.of, rng, settings.bootstrap, clusters)


def _cluster_count(clusters: NDArray[np.int64] | None) -> int | None:
    """How many clusters there are; None without any."""
    return None if clusters is None or not clusters.size else int(clusters.max()) + 1


def _train_part(plan: _StudyPlan, run: JobSettings) -> CountedFolders:
    """Counts on the training images, of all their folders in one pass."""
    places = [*_places(plan.parts["pfa"]), *_places(plan.parts["train"])]
    if not places:
        return CountedFolders((), (), np.zeros(0, np.int64), np.zeros(0, np.int64))
    names = Selection(ids=plan.folders.train_ids).names
    run = run.of_all() if names is None else run.of(names)
    truth = plan.folders.train_gt or plan.gt
    return count_folders(places, truth, run, ids_option="--train-ids")


def _places(folders: Folders) -> list[str]:
    return [place for several in folders.values() for place in several]


def _by_strategy(counted: CountedFolders, *parts: Folders) -> Iterator[_Strategies]:
    """What was counted, for each part whose folders were counted one after the other."""
    start = 0
    for folders in parts:
        pixels, measured = {}, {}
        for key, places in folders.items():
            stop = start + len(places)
            pixels[key], measured[key] = counted.pixels[start:stop], counted.folders[start:stop]
            start = stop
        yield _Strategies(Counts(counted.classes, pixels), measured)


def count_folders(
    places: Sequence[str],
    gt: str,
    run: JobSettings,
    widths: Sequence[int] = (),
    *,
    void_is_border: bool = False,
    ids_option: str = "--ids",
) -> CountedFolders:
    """Pixels of each class in each folder, region and image; the ground truth is read once."""
    inputs = [label_input(place, run) for place in places]
    sources = [entry.source for entry in inputs]
    if run.names is None:
        check_same_images([source for source in sources if not source.is_stream])
    inputs.append(label_input(gt, run, role="gt"))
    for source in sources:
        check_predictions(inputs[-1].source, source, run, option=ids_option)
    count = partial(_count, places=places, widths=tuple(widths), void_is_border=void_is_border)
    known = [of_known_classes(entry, gt) for entry in inputs]
    images = dict(map_images("eval-gap", count, known, run))
    if not images:
        raise DataError("no image to score")
    stems = list(images)
    classes = np.unique(np.concatenate([occur for occur, _ in images.values()]))
    n_folders, n_regions = images[stems[0]][1].shape[:2]
    pixels = np.zeros((n_folders, n_regions, len(stems), 3, len(classes)), np.int64)
    for position, (occur, found) in enumerate(images.values()):
        pixels[:, :, position][..., np.searchsorted(classes, occur)] = found
    check_truth(classes[pixels[0, WHOLE, :, IN_GT].any(axis=0)], gt, "eval-gap")
    folders = [
        _label_folder(source, stems, of_folder[WHOLE])
        for source, of_folder in zip(sources, pixels, strict=True)
    ]
    return CountedFolders(stems, folders, classes, pixels)


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
    counts = np.stack([[class_counts(found, truth) for truth in truths] for found in labels])
    counts = counts[..., :IGNORE_LABEL]  # what the labels leave open is a miss, and no class
    occur = np.flatnonzero(counts.any(axis=(0, 1, 2)))
    return occur, counts[..., occur]


def _label_folder(source: Source, stems: Sequence[str], counts: NDArray[np.int64]) -> LabelFolder:
    """Where a folder is, what its first file is, and the images' scores from counts (N, 3, C)."""
    mious = mean_iou(*hits_and_unions(counts), empty=np.nan)
    scored = map(ImageScore, mious.tolist(), pixel_accuracy(counts).tolist())
    first = None if source.is_stream else info(str(source.find(stems[0])))
    return LabelFolder(source.argument, first, dict(zip(stems, scored, strict=True)))


def _report_absent(counts: Counts, names: Sequence[str] | None) -> None:
    """Say which classes are left out of whose mean."""
    rows: dict[str, list[str]] = {}
    for key, part in parts_of(counts).items():
        size = len(names) if names else int(counts.classes.max(initial=-1)) + 1
        absent = ", ".join(class_name(names, c) for c in range(size) if c not in part.iou)
        if absent:
            rows.setdefault(absent, []).append(str(key))
    for absent, keys in rows.items():
        why = "left out of the mean, in neither ground truth nor labels"
        say(f"{', '.join(keys)}: {why}: {absent}", "eval-gap")
