"""The gap table: how much of the gap to full supervision each strategy closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import MIN_IMAGES
from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.intervals import Resampled, resample
from wsstools.core.evaluation.measuring import (
    Counts,
    differences,
    measured_rows,
    parts_of,
)
from wsstools.core.evaluation.settings import GapSettings, StudyFolders
from wsstools.core.evaluation.study import (
    Bootstrap,
    Key,
    LabelFolder,
    Measurement,
    Part,
    StrategyLabels,
    Study,
    given_rows,
    groups,
)
from wsstools.core.labels import class_name
from wsstools.errors import UsageError
from wsstools.formats.label_files import find_class_names
from wsstools.formats.studies.folders import PARTS, Folders, parse_entry, read_study
from wsstools.formats.studies.results import encode_study
from wsstools.formats.studies.scores import read_published, read_scores
from wsstools.running.messages import say
from wsstools.running.settings import JobSettings, Selection
from wsstools.steps.counting import CountedFolders, count_labels
from wsstools.steps.image_clusters import ClusterOf, cluster_numbers, cluster_rule
from wsstools.view.gap_tables import STUDY_FORMATS

_FEW_IMAGES = 20
"""Percentile intervals over fewer images or clusters cover less often than they state."""


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
        Ground truth, full supervision, baseline, and labels of the training images. In place of a
        folder of labels may be a file of counts, as `print_score` gives it.
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
    gt: str | None
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
    if not parts["val"]:
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


class _Strategies(NamedTuple):
    """Counts and folders of strategies."""

    counts: Counts
    folders: Mapping[Key, Sequence[LabelFolder]]


def _measured_study(plan: _StudyPlan, run: JobSettings) -> Study:
    settings = plan.settings
    names = None if plan.gt is None else find_class_names(plan.gt)
    on_val = count_labels(
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
    if number < _FEW_IMAGES and stream == 0:
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
    return count_labels(places, truth, run, ids_option="--train-ids")


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
