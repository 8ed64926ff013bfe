"""Parameters of evaluations. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional

from wsstools.core.parameter import documented, parameter

ACCURACY, MEAN_IOU = "accuracy", "miou"
METRICS = (ACCURACY, MEAN_IOU)
FIGURE_FORMATS = ("table", "csv", "json")
"""What figures are printed as."""
COUNTS = "counts"
"""What scores are made of."""


def _clusters(when: str = "") -> Any:  # noqa: ANN401 - as of `parameter`
    """The option that names the groups of images which belong together."""
    text = (
        f"{when}resample whole patients or sequences, not single images. The first group (or else "
        r"all) that the expression finds in an image's name is its cluster ('patient\d+'); or a "
        "file with NAME,CLUSTER on each line."
    )
    return parameter(None, text[0].upper() + text[1:], metavar="REGEX|FILE")


@documented
@dataclass(frozen=True)
class StudyFolders:
    """Folders of labels of a study, as the command line names them."""

    gt: Optional[str] = parameter(None, "Ground truth.", metavar="DIR")
    full: Optional[str] = parameter(None, "Labels predicted under full supervision.", metavar="DIR")
    baseline: Optional[str] = parameter(None, "Labels predicted by the baseline.", metavar="DIR")
    study: Optional[str] = parameter(
        None,
        "Folders from a CSV file, a line per strategy: name,val and, where there are, group, pfa "
        "and train; paths are relative to the file.",
        metavar="FILE",
    )
    pfa: Optional[List[str]] = parameter(
        None,
        "Labels of the training images that a strategy trains on; may be repeated.",
        metavar="NAME=DIR",
    )
    train: Optional[List[str]] = parameter(
        None,
        "Labels that its network predicts for the training images; may be repeated.",
        "--train-labels",
        metavar="NAME=DIR",
    )
    train_ids: Optional[str] = parameter(
        None, "Names of the training images, one per line.", metavar="FILE"
    )
    train_gt: Optional[str] = parameter(
        None, "Ground truth of the training images. Default: that of --gt.", metavar="DIR"
    )


@documented
@dataclass(frozen=True)
class GapSettings:
    """How a study is measured."""

    bootstrap: int = parameter(
        0,
        "Resamples of the images, and of five or more seeds, for 95 % intervals; 0: none. 2000 "
        "are plenty.",
        metavar="N",
        min=0,
    )
    clusters: Optional[str] = _clusters("With --bootstrap: ")
    against: Optional[str] = parameter(
        None,
        "The strategy (NAME or GROUP/NAME) whose difference to all others gets an interval. "
        "Default: the best of each group.",
        metavar="NAME",
    )
    seed: int = parameter(0, "Seed of everything left to chance.", metavar="N", min=0)
    band: Optional[str] = parameter(
        None, "Add the mIoU of the pixels within N pixels of another class.", metavar="N,..."
    )
    void_is_border: bool = parameter(
        False,
        "With --band: within N pixels of what the ground truth leaves out (255), too; in PASCAL "
        "VOC that covers the borders.",
    )


@documented
@dataclass(frozen=True)
class ComparisonSettings:
    """How two sets of labels are compared."""

    metric: str = parameter(
        ACCURACY,
        "What the images are ranked and drawn by: accuracy (of the pixels) or miou.",
        metavar="NAME",
        choices=METRICS,
    )
    top: int = parameter(
        4,
        "Images in the sheet, either way: the largest gains and the largest losses.",
        metavar="N",
        min=1,
    )
    bootstrap: int = parameter(
        2000,
        "Resamples of the images for the 95 % interval of the mean difference; 0: none.",
        metavar="N",
        min=0,
    )
    clusters: Optional[str] = _clusters()
    seed: int = parameter(0, "Seed of everything left to chance.", metavar="N", min=0)


@documented
@dataclass(frozen=True)
class StrokeScoreSettings:
    """The interval of what is estimated on strokes."""

    bootstrap: int = parameter(
        2000,
        "With --scribbles: resamples of the images for the 95 % interval; 0: none.",
        metavar="N",
        min=0,
    )
    clusters: Optional[str] = _clusters("With --scribbles: ")
    seed: int = parameter(0, "Seed of the resamples.", metavar="N", min=0)
