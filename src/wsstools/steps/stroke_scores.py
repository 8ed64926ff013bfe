"""Labels or maps against scribbles: what can be known of them without ground truth."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.settings import StrokeScoreSettings
from wsstools.core.labels import class_name
from wsstools.core.map_operations import argmax_labels
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.estimate import (
    StrokeCounts,
    StrokeEstimate,
    stroke_counts,
    stroke_estimate,
)
from wsstools.errors import DataError
from wsstools.files.names import named_examples
from wsstools.formats.label_files import find_class_names
from wsstools.running.messages import say
from wsstools.running.settings import JobSettings
from wsstools.running.sources import Source
from wsstools.running.tasks import map_images
from wsstools.steps.columns import either_input
from wsstools.steps.held_out import held_out_input
from wsstools.steps.image_clusters import cluster_numbers, cluster_rule
from wsstools.steps.inputs import label_input, of_known_classes
from wsstools.view.tables import csv_text, estimate_table


@dataclass(frozen=True)
class EstimatedLabels:
    """The estimate for a folder of labels or maps, and the names of its classes."""

    estimate: StrokeEstimate
    class_names: list[str] | None

    def as_text(self) -> str:
        """A table for the terminal."""
        return estimate_table(self.estimate, self.class_names)

    def as_csv(self) -> str:
        """A line for each measure and class; fractions."""
        found, names = self.estimate, self.class_names
        low, high = found.interval or (None, None)
        rank_low, rank_high = found.rank_interval or (None, None)
        rows = [
            ("measure", "class", "name", "value"),
            ("rank_score", "", "", found.rank_score),
            ("rank_score_low", "", "", rank_low),
            ("rank_score_high", "", "", rank_high),
            ("miou", "", "", found.mean_iou),
            ("miou_low", "", "", low),
            ("miou_high", "", "", high),
            ("pixel_accuracy", "", "", found.pixel_accuracy),
            ("accuracy_on_strokes", "", "", found.on_strokes),
            *(("iou", c, class_name(names, c), value) for c, value in found.iou.items()),
        ]
        return csv_text(rows).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        found, names = self.estimate, self.class_names
        answer = {
            "rank_score": found.rank_score,
            "rank_interval": found.rank_interval,
            "miou": found.mean_iou,
            "interval": found.interval,
            "pixel_accuracy": found.pixel_accuracy,
            "accuracy_on_strokes": found.on_strokes,
            "iou": {class_name(names, c): value for c, value in found.iou.items()},
            "scribbled_pixels": {class_name(names, c): n for c, n in found.pixels.items()},
            "images": found.n_images,
        }
        return json.dumps(answer, indent=2)


def score_on_strokes(
    labels: str,
    scribbles: str,
    *,
    settings: StrokeScoreSettings = StrokeScoreSettings(),
    run: JobSettings = JobSettings(),
) -> EstimatedLabels:
    """Estimates of labels, or of the argmax of maps, from scribbles.

    Parameters
    ----------
    labels, scribbles : str
        Folders, files, or one of them `-`.
    settings : StrokeScoreSettings
    run : JobSettings

    Raises
    ------
    DataError
        If nothing is scribbled where there are labels.
    SomeFailed
        If an image failed.
    """
    cluster_of = None if settings.clusters is None else cluster_rule(settings.clusters, run.rule)
    predicted = held_out_input(either_input(labels, run))
    drawn = label_input(scribbles, run, role="scribbles", is_optional=True)
    inputs = [predicted, of_known_classes(drawn, scribbles)]
    _warn_of_missing(predicted.source, drawn.source, run)
    found = dict(map_images("score", _count, inputs, run))
    if not found or not any(counts.total for counts in found.values()):
        raise DataError(f"no pixel is scribbled in {scribbles}")
    clusters = cluster_of and cluster_numbers(list(found), cluster_of, settings.clusters or "")
    estimate = stroke_estimate(
        list(found.values()),
        rng=np.random.default_rng(settings.seed),
        n_resamples=settings.bootstrap,
        clusters=clusters,
    )
    return EstimatedLabels(estimate, find_class_names(scribbles, labels))


def _warn_of_missing(labels: Source, scribbles: Source, run: JobSettings) -> None:
    """Say how many scribbles have no labels: models skip images of no or one scribbled pixel."""
    if labels.is_stream or scribbles.is_stream:
        return
    chosen = run.choose(scribbles.stems)
    missing = [stem for stem in chosen if stem not in labels]
    if missing and len(missing) < len(chosen):
        say(
            f"{len(missing)} of {len(chosen)} scribbles of {scribbles.argument} have no labels in "
            f"{labels.argument}: {named_examples(missing)}",
            "score",
        )


def _count(
    predicted: NDArray[np.uint8] | ProbabilityMap, scribbles: NDArray[np.uint8]
) -> StrokeCounts:
    labels = argmax_labels(predicted) if isinstance(predicted, ProbabilityMap) else predicted
    return stroke_counts(labels, scribbles)
