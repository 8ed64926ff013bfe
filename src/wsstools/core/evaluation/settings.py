"""Parameters of evaluations. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from wsstools.core.parameter import parameter

ACCURACY, MEAN_IOU = "accuracy", "miou"
METRICS = (ACCURACY, MEAN_IOU)


@dataclass(frozen=True)
class StudyFolders:
    """Folders of labels of a study, as the command line names them.

    Attributes
    ----------
    gt : str or None
        Ground truth of the validation images.
    full, baseline : str or None
        Labels predicted under full supervision and by the baseline.
    study : str or None
        CSV file of folders, a line per strategy.
    pfa, train : list of str or None
        `NAME=DIR`: labels of the training images that a strategy trains on, and those that its
        network predicts.
    train_ids : str or None
        File with the names of the training images; None: all that the folders hold.
    train_gt : str or None
        Ground truth of the training images; None: `gt`.
    """

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
        metavar="NAME=DIR",
    )
    train_ids: Optional[str] = parameter(
        None, "Names of the training images, one per line.", metavar="FILE"
    )
    train_gt: Optional[str] = parameter(
        None,
        "Ground truth of the training images. Default: that of --gt.",
        metavar="DIR",
        shows_default=False,
    )


@dataclass(frozen=True)
class GapSettings:
    """How a study is measured.

    Attributes
    ----------
    bootstrap : int
        Resamples of the images for 95 % intervals; 0: none.
    against : str or None
        The strategy whose difference to all others gets an interval; None: the best of each group.
    seed : int
        Of the resamples.
    band : str or None
        Widths in pixels, with commas between: the mean IoU near borders is added.
    void_is_border : bool
        What the ground truth leaves out has bands around it too.
    """

    bootstrap: int = parameter(
        0,
        "Resamples of the images for 95 % intervals; 0: none. 2000 are plenty.",
        metavar="N",
        min=0,
    )
    against: Optional[str] = parameter(
        None,
        "The strategy (NAME or GROUP/NAME) whose difference to all others gets an interval. "
        "Default: the best of each group.",
        metavar="NAME",
        shows_default=False,
    )
    seed: int = parameter(0, "Seed of everything left to chance.", metavar="N", min=0)
    band: Optional[str] = parameter(
        None,
        "Add the mIoU of the pixels within N pixels of another class.",
        metavar="N,...",
    )
    void_is_border: bool = parameter(
        False,
        "With --band: within N pixels of what the ground truth leaves out (255), too; in PASCAL "
        "VOC that covers the borders.",
    )


@dataclass(frozen=True)
class ComparisonSettings:
    """How two sets of labels are compared.

    Attributes
    ----------
    metric : str
        One of METRICS: what ranks the images.
    top : int
        Images of which the pixels are shown, either way.
    bootstrap : int
        Resamples of the images for the interval of the mean difference; 0: none.
    seed : int
        Of the resamples.
    """

    metric: str = parameter(
        ACCURACY,
        "What the images are ranked and drawn by: accuracy (of the pixels) or miou.",
        metavar="NAME",
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
    seed: int = parameter(0, "Seed of everything left to chance.", metavar="N", min=0)
