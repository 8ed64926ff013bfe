"""Labels against ground truth: of images, or of volumes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import (
    N_VALUES,
    Scores,
    class_counts,
    confusion_matrix,
    scores,
)
from wsstools.core.evaluation.settings import COUNTS, StrokeScoreSettings
from wsstools.core.labels import class_name
from wsstools.errors import DataError, UsageError
from wsstools.formats.label_files import find_class_names
from wsstools.formats.studies.counts import Occurring, count_rows
from wsstools.running.settings import JobSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import check_format, check_truth, scored_inputs
from wsstools.view.tables import csv_text, score_table


@dataclass(frozen=True)
class ScoredLabels:
    """The scores of a folder of labels, of the confusion matrix summed over it, and of each image.

    The names of the classes come from the classes.txt that travels with the ground truth or labels.
    """

    scores: Scores
    images: dict[str, Scores]
    class_names: list[str] | None

    def as_text(self, *, per_image: bool = False) -> str:
        """A table for the terminal; `per_image` adds one of the images, worst first."""
        images = sorted(self.images.items(), key=lambda entry: entry[1].mean_iou)
        return score_table(self.scores, self.class_names, len(images), images if per_image else ())

    def as_csv(self, *, per_image: bool = False) -> str:
        """A line for each measure and class, or for each image; fractions."""
        if per_image:
            lines = [(k, one.mean_iou, one.pixel_accuracy) for k, one in self.images.items()]
            return csv_text([("image", "miou", "pixel_accuracy"), *lines]).rstrip("\n")
        found = self.scores
        rows: list[Sequence[object]] = [
            ("measure", "class", "name", "value"),
            ("miou", "", "", found.mean_iou),
            ("pixel_accuracy", "", "", found.pixel_accuracy),
        ]
        rows += [("iou", c, class_name(self.class_names, c), iou) for c, iou in found.iou.items()]
        return csv_text(rows).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        names, found = self.class_names, self.scores
        answer = {
            "miou": found.mean_iou,
            "pixel_accuracy": found.pixel_accuracy,
            "iou": {class_name(names, c): value for c, value in found.iou.items()},
            "absent": [class_name(names, c) for c in found.absent],
            "open_share": found.open_share,
            "images": {
                stem: {"miou": one.mean_iou, "pixel_accuracy": one.pixel_accuracy}
                for stem, one in self.images.items()
            },
        }
        return json.dumps(answer, indent=2)


def score(labels: str, gt: str, *, run: JobSettings = JobSettings()) -> ScoredLabels:
    """Mean IoU, IoU of each class and pixel accuracy of a folder of labels.

    Parameters
    ----------
    labels, gt : str
        Folders of index PNGs, files, or one of them `-`.
    run : JobSettings

    Raises
    ------
    DataError
        If there is no image or pixel to score, or ground truth without labels.
    SomeFailed
        If an image failed.
    """
    inputs = scored_inputs(labels, gt, run)
    names = find_class_names(gt, labels)
    n_classes = None if names is None else len(names)
    total = np.zeros(N_VALUES * N_VALUES, np.int64)
    images = {}
    for stem, (cells, counts, found) in map_images("score", _compare, inputs, run):
        total[cells] += counts
        images[stem] = found
    if not images:
        raise DataError("no image to score")
    matrix = total.reshape(N_VALUES, N_VALUES)
    check_truth(matrix.sum(axis=1).nonzero()[0], gt, "score")
    return ScoredLabels(scores(matrix, n_classes), images, names)


def print_score(
    labels: str,
    gt: str,
    *,
    form: str = "table",
    per_image: bool = False,
    volumes: str | None = None,
    spacing: Sequence[float] | None = None,
    scribbles: bool = False,
    strokes: StrokeScoreSettings = StrokeScoreSettings(),
    run: JobSettings,
) -> None:
    """Print the figures of `score` as `table`, `csv` or `json`, or what they are made of.

    As `counts`: the pixels of each class in each image, which `eval-gap` takes in place of labels.
    With `volumes`, those of `score_volumes`; with `scribbles`, which `gt` then is, those of
    `score_on_strokes`.
    """
    if scribbles:
        from wsstools.steps.stroke_scores import score_on_strokes  # noqa: PLC0415 - else not needed

        _check_of_strokes(form, per_image=per_image, volumes=volumes, spacing=spacing)
        found = score_on_strokes(labels, gt, settings=strokes, run=run)
        print({"csv": found.as_csv, "json": found.as_json}.get(form, found.as_text)())
        return
    for field in dataclasses.fields(strokes):
        if getattr(strokes, field.name) != field.default:
            raise UsageError(f"--{field.name} goes with --scribbles")
    if volumes is not None:
        from wsstools.steps.volume_scores import score_volumes  # noqa: PLC0415 - as above

        _check_of_volumes(form, per_image=per_image)
        of_volumes = score_volumes(labels, gt, volumes=volumes, spacing=spacing, run=run)
        forms = {"csv": of_volumes.as_csv, "json": of_volumes.as_json}
        print(forms.get(form, of_volumes.as_text)())
        return
    if spacing is not None:
        raise UsageError("--spacing goes with --volumes")
    if form == COUNTS:
        print(csv_text(count_rows(_counted(labels, gt, run))), end="")
        return
    check_format(form)
    scored = score(labels, gt, run=run)
    if form == "json":
        print(scored.as_json())
    else:
        print((scored.as_csv if form == "csv" else scored.as_text)(per_image=per_image))


def _check_of_strokes(
    form: str, *, per_image: bool, volumes: str | None, spacing: Sequence[float] | None
) -> None:
    """Raise UsageError if estimates from strokes cannot be printed so."""
    if volumes is not None:
        raise UsageError("either --volumes or --scribbles")
    if spacing is not None:
        raise UsageError("--spacing goes with --volumes")
    if per_image:
        raise UsageError("--per-image does not go with --scribbles: a single image has few strokes")
    if form == COUNTS:
        raise UsageError("--format counts does not go with --scribbles: expected table, csv, json")
    check_format(form)


def _check_of_volumes(form: str, *, per_image: bool) -> None:
    """Raise UsageError if the scores of volumes cannot be printed so."""
    if form == COUNTS:
        raise UsageError("--format counts does not go with --volumes: expected table, csv or json")
    if per_image:
        raise UsageError("--per-image does not go with --volumes, which lists the volumes anyway")
    check_format(form)


def _counted(labels: str, gt: str, run: JobSettings) -> list[tuple[str, Occurring]]:
    """The pixels of the classes that occur in each image."""
    images = list(map_images("score", _count, scored_inputs(labels, gt, run), run))
    if not images:
        raise DataError("no image to score")
    return images


def _count(labels: NDArray[np.uint8], gt: NDArray[np.uint8]) -> Occurring:
    return Occurring.among(class_counts(labels, gt))


def _compare(
    labels: NDArray[np.uint8], gt: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Scores]:
    """The cells of the confusion matrix that are not zero, their counts, and the Scores."""
    matrix = confusion_matrix(labels, gt)
    cells = matrix.ravel().nonzero()[0]
    return cells, matrix.ravel()[cells], scores(matrix)
