"""What a search for parameters found: as a table for the terminal, as CSV, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsstools.core.evaluation.tuning import Standing, ranked, winner
from wsstools.files.provenance import Json
from wsstools.view.tables import csv_text, text_table

_TOP = 10
"""Settings in the table for the terminal."""


def tuning_text(method: str, standings: Sequence[Standing], n_images: int) -> str:
    """The best settings, and the paper's wherever it ranks."""
    order = ranked(standings)
    shown = [one for k, one in enumerate(order) if k < _TOP or one.is_paper]
    names = varied(standings) or list(order[0].parameters)
    best = winner(standings)
    cells = []
    for one in shown:
        values = [_short(one.parameters[name]) for name in names]
        cells.append((_note(one, best), *values, f"{one.mean_iou:.2%}"))
    lines = text_table((method, *names, f"mIoU on {n_images} images"), cells)
    constant = [f"{k} {_short(v)}" for k, v in best.parameters.items() if k not in names]
    if constant:
        lines += ["", f"all with {', '.join(constant)}"]
    if len(order) > len(shown):
        lines.append(f"{len(order) - len(shown)} more settings in the table")
    return "\n".join(lines)


def tuning_csv(standings: Sequence[Standing], n_images: int) -> str:
    """All settings, the best first; fractions with all their digits."""
    names, best = list(standings[0].parameters), winner(standings)
    rows = [
        (*(one.parameters[name] for name in names), one.mean_iou, n_images, _note(one, best))
        for one in ranked(standings)
    ]
    return csv_text([(*names, "miou", "images", "note"), *rows])


def tuning_values(method: str, standings: Sequence[Standing]) -> dict[str, Json]:
    """The same as JSON values."""
    paper = next(one for one in standings if one.is_paper)
    return {
        "method": method,
        "best": _values(winner(standings)),
        "paper": _values(paper),
        "settings": [_values(one) for one in ranked(standings)],
    }


def varied(standings: Sequence[Standing]) -> list[str]:
    """The parameters in which the settings differ."""
    first = standings[0].parameters
    return [n for n in first if any(one.parameters[n] != first[n] for one in standings)]


def parameters_text(parameters: Mapping[str, float | str], names: Sequence[str]) -> str:
    """Some parameters as text: `lambda 5, eta 0.01`."""
    return ", ".join(f"{name} {_short(parameters[name])}" for name in names or parameters)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _values(one: Standing) -> dict[str, Json]:
    values = dict(one.parameters)
    return {"parameters": values, "miou": one.mean_iou, "in_grid": one.is_contender}


def _note(one: Standing, best: Standing) -> str:
    notes = ["best"] if one is best else []
    if one.is_paper:
        notes.append("paper" if one.is_contender else "paper, not in the grid")
    return ", ".join(notes)
