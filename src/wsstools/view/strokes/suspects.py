"""Strokes that may be wrong as text, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from wsstools.core.labels import class_name
from wsstools.core.scribbles.suspects import JudgedStroke
from wsstools.files.provenance import Json
from wsstools.view.tables import text_table

Names: TypeAlias = "Sequence[str] | None"
Listed: TypeAlias = "Sequence[tuple[str, int, JudgedStroke]]"


def suspects_text(strokes: Listed, names: Names) -> str:
    """A line for each stroke."""
    header = (
        "image", "class", "likeliest", "x", "y", "pixels", "score", "in maps", "by others",
    )  # fmt: skip
    cells = [
        (
            stem,
            class_name(names, one.evidence.class_id),
            class_name(names, one.likeliest),
            str(one.evidence.x),
            str(one.evidence.y),
            str(one.evidence.pixels),
            f"{one.score:.3f}",
            _two(one.prob, one.likeliest_prob),
            _two(one.prob_by_others, one.likeliest_by_others),
        )
        for stem, _, one in strokes
    ]
    note = (
        "in maps, by others: probability of the class and of the likeliest one, in the maps and by "
        "the strokes of other images"
    )
    return "\n".join([*text_table(header, cells, n_left=3), "", note])


def suspects_rows(strokes: Listed, names: Names) -> list[dict[str, Json]]:
    """The same as dictionaries, with ids and names of the classes."""
    return [
        {
            "image": stem,
            "class": one.evidence.class_id,
            "name": class_name(names, one.evidence.class_id),
            "x": one.evidence.x,
            "y": one.evidence.y,
            "pixels": one.evidence.pixels,
            "score": one.score,
            "prob": one.prob,
            "prob_by_others": one.prob_by_others,
            "likeliest": one.likeliest,
            "likeliest_name": class_name(names, one.likeliest),
            "likeliest_prob": one.likeliest_prob,
            "likeliest_prob_by_others": one.likeliest_by_others,
        }
        for stem, _, one in strokes
    ]


def _two(own: float | None, best: float | None) -> str:
    return "" if own is None or best is None else f"{own:.2f} {best:.2f}"
