"""Two strategies image by image: the numbers as text, CSV and JSON, and the scatter plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from wsstools.core.compare import ACCURACY, MEASURES, Comparison
from wsstools.view.gapvalues import interval_text
from wsstools.view.plots import Dot, scatter

_TOLD = {ACCURACY: "pixel accuracy", "miou": "mean IoU"}


def comparison_text(found: Comparison) -> str:
    """What the images say together."""
    first, second = found.names
    told = _TOLD[found.measure]
    within = "" if found.interval is None else f", 95 % {interval_text(found.interval)}"
    lines = [
        f"images where {second} is better  {found.wins} of {len(found.stems)}, equal {found.ties}",
        f"{told} of an image, mean  {first} {found.means[0]:.2%}, {second} {found.means[1]:.2%}",
        f"difference ({second} - {first})  {100 * found.difference:+.2f} points{within}",
    ]
    parts = [line.partition("  ") for line in lines]
    width = max(len(head) for head, _, _ in parts)
    return "\n".join(f"{head:{width}}  {tail}" for head, _, tail in parts)


def comparison_csv(found: Comparison) -> str:
    """A line per image, fractions; the largest differences in favour of the second first."""
    first, second = found.names
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [(name, measure) for measure in MEASURES for name in (first, second)]
    writer.writerow(["image", *(f"{name} {measure}" for name, measure in columns), "difference"])
    for k in found.order:
        scores = [float(found.scores[measure][side][k]) for measure in MEASURES for side in (0, 1)]
        writer.writerow([found.stems[k], *map(repr, scores), repr(float(found.differences[k]))])
    return buffer.getvalue()


def comparison_values(found: Comparison) -> dict[str, Any]:
    """The summary as JSON values, fractions."""
    return {
        "names": list(found.names),
        "measure": found.measure,
        "images": len(found.stems),
        "wins": found.wins,
        "ties": found.ties,
        "losses": len(found.stems) - found.wins - found.ties,
        "means": list(found.means),
        "difference": found.difference,
        "interval": None if found.interval is None else list(found.interval),
    }


def comparison_scatter(found: Comparison, marked: Sequence[int]) -> str:
    """The second against the first, a dot per image, with the diagonal; an SVG file.

    Parameters
    ----------
    found : Comparison
    marked : sequence of int
        Positions of the images that get their name beside their dot.
    """
    first, second = found.names
    told = _TOLD[found.measure]
    x, y = found.scores[found.measure]
    dots = [
        Dot(
            100 * float(x[k]),
            100 * float(y[k]),
            title=f"{stem}: {first} {x[k]:.1%}, {second} {y[k]:.1%}",
            label=stem if k in marked else "",
        )
        for k, stem in enumerate(found.stems)
    ]
    return scatter(
        dots,
        x_label=f"{first}: {told} of an image (%)",
        y_label=f"{second}: {told} of an image (%)",
        description=f"{second} against {first}, {len(dots)} images; {found.wins} lie above the "
        "diagonal.",
        diagonal=True,
    )
