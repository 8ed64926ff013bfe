"""A study: strategies of one or several networks between their baselines and full supervision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wsstools.core.description import Description
from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.gap import BASELINE, FULL, GapRow, gap_table


class Key(NamedTuple):
    """Which strategy of which group; the group is empty where there is only one."""

    group: str
    name: str

    @property
    def is_frame(self) -> bool:
        """Whether it is `full` or `baseline`, which frame the strategies."""
        return self.name in (FULL, BASELINE)

    def __str__(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name


@dataclass(frozen=True)
class Part:
    """The score of a strategy on one set of images, or in one band of them; fractions.

    With several seeds, `mean_iou` is the mean over them, `iou` of a class over those in which it
    occurs.
    """

    mean_iou: float  # from the pixels summed over the images
    std: float | None = None  # over the seeds, with n - 1; None for one seed
    interval: Interval | None = None  # 95 % interval of `mean_iou`, see `intervals.Resampled`
    interval_seeds: int = 1  # how many seeds it holds; 1: it is over the images only
    iou: Mapping[int, float] = field(default_factory=dict)  # of each class that occurs


@dataclass(frozen=True)
class StudyRow:
    """One strategy; fractions."""

    key: Key
    val: Part | None = None  # the network's labels on the validation images
    # of `val`, see `GapRow`; None where it is not known, and so is the reduction
    gap: float | None = None
    reduction: float | None = None
    # 95 % interval; full supervision and baseline are resampled along
    reduction_interval: Interval | None = None
    reduction_seeds: int = 1  # how many seeds it holds; 1: it is over the images only
    pfa: Part | None = None  # the labels that it was trained on, of the training images
    train: Part | None = None  # the network's labels on the training images
    bands: Mapping[int, Part] = field(default_factory=dict)  # within so many pixels of a border
    printed_reduction: float | None = None  # the gap reduction that a given table prints
    source: str = ""  # where a row was published; empty for what was measured or given here


@dataclass(frozen=True)
class Difference:
    """Mean IoU of a strategy less that of another on the same images; fractions."""

    key: Key
    against: Key
    value: float  # positive if `key` is better
    interval: Interval  # 95 % interval, paired
    better: float  # share of the resamples in which `key` is better
    seeds: int = 1  # how many seeds the interval holds; 1: it is over the images only


@dataclass(frozen=True)
class Given:
    """A row of a table of scores, as in the columns of the paper's Table 1; fractions."""

    key: Key
    miou: float | None
    pfa: float | None = None
    train: float | None = None
    printed_reduction: float | None = None  # gap reduction as printed
    source: str = ""  # where the row was published; empty if it was not


@dataclass(frozen=True)
class ImageScore:
    """Mean IoU and pixel accuracy of one image, fractions; NaN where there is nothing to score."""

    mean_iou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class LabelFolder:
    """A folder of labels that was measured."""

    folder: str  # as it was named
    first: Description | None  # what its first file is
    images: Mapping[str, ImageScore]  # by stem


@dataclass(frozen=True)
class StrategyLabels:
    """The folders of one strategy, one per seed: validation, labels trained on, predictions."""

    key: Key
    val: Sequence[LabelFolder] = ()
    pfa: Sequence[LabelFolder] = ()
    train: Sequence[LabelFolder] = ()


@dataclass(frozen=True)
class Bootstrap:
    """How often images were resampled, from which seed, for intervals of which level.

    `val_clusters` and `train_clusters` are the numbers of the clusters (patients, sequences) that
    were resampled as wholes; None where single images were.
    """

    resamples: int
    seed: int
    level: float = 0.95
    val_clusters: int | None = None
    train_clusters: int | None = None


@dataclass(frozen=True)
class Measurement:
    """How a study was measured."""

    val: Sequence[str] = ()  # the validation images
    train: Sequence[str] = ()  # the training images
    bootstrap: Bootstrap | None = None  # None: there are no intervals
    widths: Sequence[int] = ()  # of the bands around borders, in pixels
    void_is_border: bool = False  # whether what the ground truth leaves out has bands around it too
    labels: Sequence[StrategyLabels] = ()


@dataclass(frozen=True)
class Study:
    """All that a study found."""

    rows: Sequence[StudyRow]  # a block per group
    differences: Sequence[Difference] = ()  # between strategies; none without the bootstrap
    class_names: Sequence[str] | None = None  # if known
    measurement: Measurement | None = None  # None where scores were given


def given_rows(table: Iterable[Given]) -> list[StudyRow]:
    """The rows of a table of scores; gaps where a group has `full` and `baseline`."""
    rows, table = [], list(table)
    for group in groups(given.key for given in table):
        block = {given.key.name: given for given in table if given.key.group == group}
        mious = {name: given.miou for name, given in block.items() if given.miou is not None}
        has_gap = FULL in mious and BASELINE in mious
        gaps = {row.name: row for row in gap_table(mious)} if has_gap else {}
        frame = [name for name in (FULL, BASELINE) if name in block]
        for name in [*frame, *(name for name in block if name not in frame)]:
            given, gap = block[name], gaps.get(name)
            rows.append(
                StudyRow(
                    given.key,
                    _given_part(given.miou),
                    None if gap is None else gap.gap,
                    None if gap is None else gap.reduction,
                    pfa=_given_part(given.pfa),
                    train=_given_part(given.train),
                    printed_reduction=given.printed_reduction,
                    source=given.source,
                )
            )
    return rows


def groups(keys: Iterable[Key]) -> Iterator[str]:
    """The groups, each once, in the order of their first row."""
    return iter(dict.fromkeys(key.group for key in keys))


def band_gaps(rows: Sequence[StudyRow]) -> dict[tuple[Key, int], GapRow]:
    """The gap within each band, by strategy and width."""
    found = {}
    for group in groups(row.key for row in rows):
        block = [row for row in rows if row.key.group == group and row.bands]
        for width in block[0].bands if block else ():
            for gap in gap_table({row.key.name: row.bands[width].mean_iou for row in block}):
                found[Key(group, gap.name), width] = gap
    return found


def held_seeds(study: Study) -> list[int]:
    """How many seeds the intervals on the validation images hold, ascending, each number once.

    1 is for those over the images only; there is none without intervals.
    """
    parts = [part for row in study.rows for part in (row.val, *row.bands.values()) if part]
    return sorted(
        {part.interval_seeds for part in parts if part.interval}
        | {row.reduction_seeds for row in study.rows if row.reduction_interval}
        | {one.seeds for one in study.differences}
    )


def _given_part(miou: float | None) -> Part | None:
    return None if miou is None else Part(miou)
