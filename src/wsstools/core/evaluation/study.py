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

    Attributes
    ----------
    mean_iou : float
        From the pixels summed over the images; the mean over the seeds where there are several.
    std : float or None
        Standard deviation over the seeds, with n - 1; None for one seed.
    interval : Interval or None
        95 % interval of `mean_iou` under resampling of the images; the seeds stay.
    iou : mapping of int to float
        IoU of each class that occurs; the mean over the seeds in which it does.
    """

    mean_iou: float
    std: float | None = None
    interval: Interval | None = None
    iou: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyRow:
    """One strategy; fractions.

    Attributes
    ----------
    key : Key
        Group and name.
    val, pfa, train : Part or None
        The network's labels on the validation images; the labels that it was trained on, and
        the network's, both on the training images.
    gap, reduction : float or None
        Of `val`, see `wsstools.core.evaluation.gap.GapRow`; None where they are not known.
    reduction_interval : Interval or None
        95 % interval; full supervision and baseline are resampled along.
    bands : mapping of int to Part
        Within so many pixels of a border.
    printed_reduction : float or None
        The gap reduction that a given table prints.
    source : str
        Where a row was published; empty for what was measured or given here.
    """

    key: Key
    val: Part | None = None
    gap: float | None = None
    reduction: float | None = None
    reduction_interval: Interval | None = None
    pfa: Part | None = None
    train: Part | None = None
    bands: Mapping[int, Part] = field(default_factory=dict)
    printed_reduction: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Difference:
    """Mean IoU of a strategy less that of another on the same images; fractions.

    Attributes
    ----------
    key, against : Key
        The two.
    value : float
        Their difference, positive if `key` is better.
    interval : Interval
        95 % interval under resampling of the images, paired.
    better : float
        Share of the resamples in which `key` is better.
    """

    key: Key
    against: Key
    value: float
    interval: Interval
    better: float


@dataclass(frozen=True)
class Given:
    """A row of a table of scores; fractions.

    Attributes
    ----------
    key : Key
        Group and name.
    miou, pfa, train : float or None
        Scores, as in the columns of the paper's Table 1.
    printed_reduction : float or None
        Gap reduction as printed.
    source : str
        Where the row was published; empty if it was not.
    """

    key: Key
    miou: float | None
    pfa: float | None = None
    train: float | None = None
    printed_reduction: float | None = None
    source: str = ""


@dataclass(frozen=True)
class ImageScore:
    """Mean IoU and pixel accuracy of one image, fractions; NaN where there is nothing to score."""

    mean_iou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class LabelFolder:
    """A folder of labels that was measured.

    Attributes
    ----------
    folder : str
        As it was named.
    first : Description or None
        What its first file is.
    images : mapping of str to ImageScore
        By stem.
    """

    folder: str
    first: Description | None
    images: Mapping[str, ImageScore]


@dataclass(frozen=True)
class StrategyLabels:
    """The folders of one strategy, one per seed: validation, labels trained on, predictions."""

    key: Key
    val: Sequence[LabelFolder] = ()
    pfa: Sequence[LabelFolder] = ()
    train: Sequence[LabelFolder] = ()


@dataclass(frozen=True)
class Bootstrap:
    """How often images were resampled, from which seed, for intervals of which level."""

    resamples: int
    seed: int
    level: float = 0.95


@dataclass(frozen=True)
class Measurement:
    """How a study was measured.

    Attributes
    ----------
    val, train : sequence of str
        The validation images and the training images.
    bootstrap : Bootstrap or None
        None: there are no intervals.
    widths : sequence of int
        Of the bands around borders, in pixels.
    void_is_border : bool
        Whether what the ground truth leaves out has bands around it too.
    labels : sequence of StrategyLabels
    """

    val: Sequence[str] = ()
    train: Sequence[str] = ()
    bootstrap: Bootstrap | None = None
    widths: Sequence[int] = ()
    void_is_border: bool = False
    labels: Sequence[StrategyLabels] = ()


@dataclass(frozen=True)
class Study:
    """All that a study found.

    Attributes
    ----------
    rows : sequence of StudyRow
        A block per group.
    differences : sequence of Difference
        Between strategies; none without the bootstrap.
    class_names : sequence of str or None
        Names of the classes, if known.
    measurement : Measurement or None
        How it was measured; None where scores were given.
    """

    rows: Sequence[StudyRow]
    differences: Sequence[Difference] = ()
    class_names: Sequence[str] | None = None
    measurement: Measurement | None = None


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


def _given_part(miou: float | None) -> Part | None:
    return None if miou is None else Part(miou)
