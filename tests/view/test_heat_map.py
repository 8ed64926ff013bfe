"""The heat map of a tuning."""

from __future__ import annotations

import itertools

from matplotlib.colors import to_hex

from wsstools.core.evaluation.tuning import Standing
from wsstools.view.figures.heat_map import BEST, PAPER_SETTING, heat_map


def _standings(mious):
    """Settings on a grid lambda x eta x tol."""
    grid = {"lambda": [1, 2, 5], "eta": [0, 0.1], "tol": [1]}
    return grid, [
        Standing(dict(zip(grid, values, strict=True)), miou, is_paper=k == 0)
        for k, (values, miou) in enumerate(
            zip(itertools.product(*grid.values()), mious, strict=True)
        )
    ]


def _cells(drawing):
    """The texts of the cells by (column, row)."""
    return {text.get_position(): text.get_text() for text in drawing.figure.axes[0].texts}


def _frames(drawing, colour):
    """The cells, (column, row), that a frame of this colour is in."""
    patches = drawing.figure.axes[0].patches
    return [
        (round(one.get_x() + one.get_width() / 2), round(one.get_y() + one.get_height() / 2))
        for one in patches
        if to_hex(one.get_edgecolor()) == colour
    ]


def _notes(drawing):
    return [text.get_text() for text in drawing.figure.legends[0].get_texts()]


def test_the_heat_map_shows_the_winner_and_the_paper():
    grid, standings = _standings([0.5, 0.6, 0.7, 0.8, 0.9, 0.4])
    whole = heat_map(standings, grid, title="all")
    (axes, scale) = whole.figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("lambda", "eta")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "5"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "0.1"]
    assert _cells(whole) == {
        (0, 0): "50.00%", (0, 1): "60.00%", (1, 0): "70.00%",
        (1, 1): "80.00%", (2, 0): "90.00%", (2, 1): "40.00%",
    }  # fmt: skip
    assert _frames(whole, BEST) == [(2, 0)]
    assert _frames(whole, PAPER_SETTING) == [(0, 0)]
    assert _notes(whole) == ["best: lambda 5, eta 0: 90.00%", "paper: lambda 1, eta 0: 50.00%"]
    assert scale.get_ylim() == (40, 90)
    assert whole.encoded(".png") == whole.encoded(".png")


def test_a_cell_shows_the_best_over_the_other_parameters():
    grid = {"w1": [1, 2], "w2": [1, 2], "sigma_gamma": [2]}
    standings = [
        Standing({"w1": a, "w2": b, "sigma_gamma": 2}, 0.1 * a + 0.2 * b, is_paper=a == b == 1)
        for a, b in itertools.product((1, 2), (1, 2))
    ]
    wider = {"w1": [1, 2], "w2": [1, 2], "sigma_gamma": [2, 3]}
    worse = [
        Standing({**one.parameters, "sigma_gamma": 3}, one.mean_iou - 0.05) for one in standings
    ]
    alone = heat_map(standings, grid, title="t")
    both = heat_map([*worse, *standings], wider, title="t")
    assert len(_cells(alone)) == 4
    assert _cells(alone) == _cells(both)
    assert alone.description == "t" and both.description == "t, the best over sigma_gamma"
    better = [Standing({**one.parameters, "sigma_gamma": 3}, 0.95, 9) for one in standings]
    assert set(_cells(heat_map([*better, *standings], wider, title="t")).values()) == {"95.00%"}


def test_one_value_and_one_setting_have_a_heat_map():
    one = [Standing({"lambda": 1, "eta": 0}, 0.5, is_paper=True)]
    drawing = heat_map(one, {"lambda": [1], "eta": [0]}, title="t")
    assert _cells(drawing) == {(0, 0): "50.00%"}
    assert drawing.encoded(".png").startswith(b"\x89PNG")
