"""Confusion matrices of a folder of labels, for the commands that score."""

from __future__ import annotations

from typing import Any

from wsstools.cli.options import RunOptions


def summed_confusion(
    command: str, labels: str, gt: str, run: RunOptions
) -> tuple[Any, dict[str, Any]]:
    """The confusion matrix of a folder, (256, 256) int64, and the Scores of each image by stem."""
    import numpy as np

    from wsstools.core.evaluation.metrics import N_VALUES
    from wsstools.errors import DataError
    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.step import collect

    inputs = [
        Input(
            "labels", run.source(labels, label_files.SUFFIXES, "labels"), label_files.decode_labels
        ),
        Input(
            "gt", run.source(gt, label_files.SUFFIXES, "ground truth"), label_files.decode_labels
        ),
    ]
    total = np.zeros(N_VALUES * N_VALUES, np.int64)
    images = {}
    for stem, found in collect(command, _compare, inputs, run.selection(), run.pool()):
        cells, counts, images[stem] = found
        total[cells] += counts
    if not images:
        raise DataError("no image to score")
    return total.reshape(N_VALUES, N_VALUES), images


def _compare(labels: Any, gt: Any) -> Any:
    """The cells of the confusion matrix that are not zero, their counts, and the Scores."""
    from wsstools.core.evaluation.metrics import confusion_matrix, scores

    matrix = confusion_matrix(labels, gt)
    cells = matrix.ravel().nonzero()[0]
    return cells, matrix.ravel()[cells], scores(matrix)
