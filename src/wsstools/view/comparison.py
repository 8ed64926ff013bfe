"""Two sets of labels against each other: text, CSV, JSON values and a scatter plot."""

from __future__ import annotations

import numpy as np

from wsstools.core.evaluation.comparison import Comparison, Paired
from wsstools.core.evaluation.settings import ACCURACY, MEAN_IOU, METRICS
from wsstools.files.provenance import Json
from wsstools.view.figures.drawing import Drawing
from wsstools.view.figures.scatter import Dot, scatter
from wsstools.view.tables import csv_text, text_table

METRIC_NAMES = {ACCURACY: "pixel accuracy", MEAN_IOU: "mean IoU"}
_PLOT_WIDTH = 5.8  # inches
_BETTER, _WORSE, _EQUAL = range(3)


def comparison_text(found: Comparison, count: int) -> str:
    """Scores of both, how many images each wins, and the images with the largest differences."""
    first, second = found.names
    n_images = len(found.stems)
    rows, totals = [], []
    for name in METRICS:
        paired = found.scores[name]
        means = [f"{mean:.2%}" for mean in paired.values.mean(axis=1)]
        difference = f"{100 * paired.mean_difference:+.2f}"
        counts = map(str, paired.counts)
        rows.append((METRIC_NAMES[name], *means, difference, *_interval(paired), *counts))
        a, b = paired.totals
        totals.append((METRIC_NAMES[name], f"{a:.2%}", f"{b:.2%}", f"{100 * (b - a):+.2f}"))
    interval = ["95 % interval"] if found.ranking.interval else []
    scores = (first, second, "difference")
    header = ("mean over images", *scores, *interval, "better", "worse", "equal")
    lines = [
        f"{second} against {first} on {n_images} image{'s' if n_images > 1 else ''}"
        + ("" if found.n_clusters is None else f" in {found.n_clusters} clusters"),
        "",
        *text_table(header, rows),
        "",
        *text_table(("all images as one", *scores), totals),
    ]
    for direction, positions in zip(("better", "worse"), found.largest(count), strict=True):
        if positions:
            lines += ["", *_largest_table(found, positions, direction)]
    return "\n".join(lines)


def comparison_csv(found: Comparison) -> str:
    """A line per image, the largest gain of the second set first; fractions with all digits."""
    header = ["image"]
    for name in METRICS:
        header += [*(f"{one} {name}" for one in found.names), f"{name} difference"]
    rows: list[list[str | float]] = []
    for k in found.ranked():
        row: list[str | float] = [found.stems[k]]
        for name in METRICS:
            first, second = found.scores[name].values[:, k].tolist()
            row += [first, second, second - first]
        rows.append(row)
    return csv_text([header, *rows])


def comparison_values(found: Comparison, count: int) -> dict[str, Json]:
    """The same as JSON values; fractions."""
    gains, losses = found.largest(count)
    return {
        "first": found.names[0],
        "second": found.names[1],
        "metric": found.metric,
        **({} if found.n_clusters is None else {"clusters": found.n_clusters}),
        "scores": {name: _values(found.scores[name]) for name in METRICS},
        "largest_gains": [found.stems[k] for k in gains],
        "largest_losses": [found.stems[k] for k in losses],
        "images": {
            found.stems[k]: {
                name: dict(
                    zip(("first", "second"), found.scores[name].values[:, k].tolist(), strict=True)
                )
                for name in METRICS
            }
            for k in found.ranked()
        },
    }


def comparison_scatter(found: Comparison, count: int) -> Drawing:
    """A dot per image, first against second set in percent; those of `largest` carry their names.

    Dots above the diagonal are images on which the second set is better.
    """
    first, second = found.names
    metric = METRIC_NAMES[found.metric]
    better, worse, equal = found.ranking.counts
    series = [f"{second} better ({better})", f"{first} better ({worse})"]
    if equal:
        series.append(f"equal ({equal})")
    named = {k for positions in found.largest(count) for k in positions}
    dots = []
    for k, stem in enumerate(found.stems):
        x, y = (100 * found.ranking.values[:, k]).tolist()
        difference = found.ranking.differences[k]
        title = f"{stem}: {x:.1f} % to {y:.1f} % ({100 * difference:+.1f})"
        outcome = {1: _BETTER, -1: _WORSE, 0: _EQUAL}[int(np.sign(difference))]
        dots.append(Dot(x, y, title, stem if k in named else "", outcome))
    return scatter(
        dots,
        x_label=f"{metric} of {first} (%)",
        y_label=f"{metric} of {second} (%)",
        description=f"{metric} of {second} against {first}, a dot for each of "
        f"{len(found.stems)} images: {better} better, {worse} worse, {equal} equal",
        series=series,
        has_diagonal=True,
        width=_PLOT_WIDTH,
    )


def _interval(paired: Paired) -> list[str]:
    if paired.interval is None:
        return []
    return [f"{100 * paired.interval.low:+.2f} to {100 * paired.interval.high:+.2f}"]


def _largest_table(found: Comparison, positions: list[int], direction: str) -> list[str]:
    first, second = found.names
    cells = []
    for k in positions:
        values = found.ranking.values[:, k]
        difference = 100 * (values[1] - values[0])
        cells.append((found.stems[k], *(f"{v:.2%}" for v in values), f"{difference:+.2f}"))
    title = f"{second} {direction}, {METRIC_NAMES[found.metric]}"
    return text_table((title, first, second, "difference"), cells)


def _values(paired: Paired) -> dict[str, Json]:
    return {
        "first": float(paired.values[0].mean()),
        "second": float(paired.values[1].mean()),
        "mean_difference": paired.mean_difference,
        "interval": None if paired.interval is None else list(paired.interval),
        **dict(zip(("better", "worse", "equal"), paired.counts, strict=True)),
        "all_images": {"first": paired.totals[0], "second": paired.totals[1]},
    }
