"""Plots: every mark lies where its numbers put it."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from wsstools.core.evaluation.trend import linear_trend
from wsstools.view.axes import Axis, nice_ticks
from wsstools.view.barchart import bars
from wsstools.view.markup import MINUS, Markup, cut, element, escaped, joined, number, text_width
from wsstools.view.placing import Box, place_labels
from wsstools.view.plots import Dot, scatter

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return root


def marks(root):
    """Centres of the round markers that have a title."""
    return {
        circle.find(f"{SVG}title").text: (float(circle.get("cx")), float(circle.get("cy")))
        for circle in root.iter(f"{SVG}circle")
        if circle.find(f"{SVG}title") is not None
    }


def texts(root):
    return ["".join(found.itertext()) for found in root.iter(f"{SVG}text")]


def ticks(root, along):
    """Numbers of an axis and where they stand: (value, pixel), from the texts of the plot."""
    anchor, place = ("middle", "x") if along == "x" else ("end", "y")
    found = []
    for text in root.iter(f"{SVG}text"):
        if text.get("text-anchor") == anchor and text.get("class") == "plot-faint":
            offset = 0.35 * float(text.get("font-size")) if along == "y" else 0
            found.append((float(text.text.replace(MINUS, "-")), float(text.get(place)) - offset))
    return found


def expected(found, value):
    """The pixel of a value, from the first and last tick."""
    (low, start), (high, end) = min(found), max(found)
    return start + (value - low) / (high - low) * (end - start)


def test_ticks_are_round_and_enclose():
    rng = np.random.default_rng(0)
    for _ in range(500):
        values = rng.normal(0, 1, 2) * 10 ** rng.uniform(-4, 4) + 10 ** rng.uniform(-3, 3)
        found = nice_ticks(values)
        step = found[1] - found[0]
        digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(digits - round_one) for round_one in (1, 2, 5)) < 1e-6
        assert found[0] <= min(values) + 1e-6 * step and found[-1] >= max(values) - 1e-6 * step
        assert 2 <= len(found) <= 6
        assert np.allclose(np.diff(found), step)
        assert np.allclose(np.array(found) / step, np.rint(np.array(found) / step), atol=1e-6)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0, 100], (0, 20, 40, 60, 80, 100)),
        ([61.2, 67.9], (60, 62, 64, 66, 68)),
        ([0.3, 0.6], (0.3, 0.4, 0.5, 0.6)),
        ([-3, 4], (-4, -2, 0, 2, 4)),
        ([0, 0], (-1, -0.5, 0, 0.5, 1)),
    ],
)
def test_known_ticks(values, ticks):
    assert nice_ticks(values) == ticks


def test_equal_values_lie_within_the_axis():
    for value in (70.0, -5.0, 1e6, 1e-3):
        found = nice_ticks([value])
        assert found[0] < value < found[-1]


def test_ticks_refuse_what_has_no_place():
    for values in ([], [math.nan], [1, math.inf]):
        with pytest.raises(ValueError, match="finite"):
            nice_ticks(values)


def test_tick_texts_have_equal_decimals():
    assert Axis((-0.5, 0.0, 0.5), 0, 1).texts() == [f"{MINUS}0.5", "0.0", "0.5"]
    assert Axis((0, 20, 40), 0, 1).texts() == ["0", "20", "40"]


def test_trend_is_that_of_numpy():
    rng = np.random.default_rng(1)
    x = rng.normal(70, 5, 20)
    y = 0.4 * x + rng.normal(0, 1, 20)
    found = linear_trend(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert found == pytest.approx((slope, intercept, np.corrcoef(x, y)[0, 1]))
    assert linear_trend([1, 2], [3, 4]) is None
    assert linear_trend([1, 1, 1], [1, 2, 3]) is None
    flat = linear_trend([1, 2, 3], [5, 5, 5])
    assert flat.slope == 0 and flat.intercept == 5 and math.isnan(flat.r)
    with pytest.raises(ValueError, match="shape"):
        linear_trend([1, 2, 3], [1, 2])


def test_dots_lie_where_the_ticks_say():
    points = {"a": (61.5, 40.25), "b": (68.0, 55.0), "c": (72.4, 47.0)}
    dots = [Dot(x, y, name) for name, (x, y) in points.items()]
    root = parse(scatter(dots, x_label="PFA (%)", y_label="val (%)"))
    across, down = ticks(root, "x"), ticks(root, "y")
    found = marks(root)
    assert found.keys() == points.keys()
    for name, (x, y) in points.items():
        assert found[name][0] == pytest.approx(expected(across, x), abs=0.02)
        assert found[name][1] == pytest.approx(expected(down, y), abs=0.02)
    assert found["b"][1] < found["c"][1] < found["a"][1]  # larger is higher


def test_with_a_diagonal_both_axes_are_the_same():
    root = parse(
        scatter([Dot(80, 95, "a"), Dot(90, 85, "b")], x_label="", y_label="", diagonal=True)
    )
    across, down = ticks(root, "x"), ticks(root, "y")
    assert [value for value, _ in across] == [value for value, _ in down]
    assert abs(across[-1][1] - across[0][1]) == pytest.approx(abs(down[-1][1] - down[0][1]))
    (line,) = (one for one in root.iter(f"{SVG}line") if one.get("stroke-dasharray"))
    ends = [float(line.get(key)) for key in ("x1", "y1", "x2", "y2")]
    low, high = across[0][0], across[-1][0]
    told = [
        expected(across, low),
        expected(down, low),
        expected(across, high),
        expected(down, high),
    ]
    assert ends == pytest.approx(told, abs=0.02)


def test_trend_line_lies_on_the_line_and_within_the_axes():
    dots = [Dot(x, y) for x, y in ((0, 0), (1, 9), (2, 3), (3, 10))]
    root = parse(scatter(dots, x_label="x", y_label="y", trend=True))
    fit = linear_trend([0, 1, 2, 3], [0, 9, 3, 10])
    across, down = ticks(root, "x"), ticks(root, "y")
    (line,) = (one for one in root.iter(f"{SVG}line") if one.get("class") == "plot-ink")
    for end in ("1", "2"):
        x = np.interp(float(line.get(f"x{end}")), [p for _, p in across], [v for v, _ in across])
        y = expected(down, fit.intercept + fit.slope * x)
        assert float(line.get(f"y{end}")) == pytest.approx(y, abs=0.05)
        assert down[-1][1] - 0.01 <= float(line.get(f"y{end}")) <= down[0][1] + 0.01
    assert any(f"r = {fit.r:.2f}, n = 4" in text for text in texts(root))
    bare = parse(scatter(dots[:2], x_label="x", y_label="y", trend=True))
    assert not any("least squares" in text for text in texts(bare))


def test_hostile_text_is_told_as_text():
    name = "<script>alert('1')</script> & \"x\" \x00\udc80"
    svg = scatter(
        [Dot(1, 2, name, name)], x_label=name, y_label=name, series=[name], description=name
    )
    root = parse(svg)
    shown = name.replace("\x00", "\ufffd").replace("\udc80", "\ufffd")
    assert "<script" not in svg
    assert root.get("aria-label") == shown
    assert [title.text for title in root.iter(f"{SVG}title")] == [shown]
    svg.encode("utf-8")
    root = parse(bars([name], {name: [1]}, x_label=name))
    assert any(shown in text for text in texts(root))


def test_series_differ_in_shape_and_colour():
    dots = [Dot(k, k, "t", series=k) for k in range(4)]
    root = parse(scatter(dots, x_label="", y_label="", series=["a", "b", "c", "d"]))
    titled = [
        (e.tag, e.get("class"), e.get("points") and len(e.get("points").split()))
        for e in root.iter()
        if e.find(f"{SVG}title") is not None and e.find(f"{SVG}title").text == "t"
    ]
    assert len(set(titled)) == 4
    assert {"a", "b", "c", "d"} <= set(texts(root))


def overlap(one, other):
    """Area that two boxes share."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0) * max(height, 0)


def test_labels_avoid_each_other():
    rng = np.random.default_rng(2)
    frame = Box(0, 0, 400, 300)
    for _ in range(10):
        dots = [tuple(p) for p in rng.uniform((30, 30), (370, 270), (12, 2))]
        boxes = place_labels(dots, [(60.0, 14.0)] * 12, frame, 4.5)
        for k, box in enumerate(boxes):
            assert overlap(box, frame) == pytest.approx(60 * 14)
            assert all(overlap(box, other) == 0 for other in boxes[k + 1 :])
            assert all(overlap(box, Box(x - 4.5, y - 4.5, x + 4.5, y + 4.5)) < 10 for x, y in dots)


def test_labels_of_equal_dots_part():
    boxes = place_labels([(200.0, 150.0)] * 6, [(50.0, 14.0)] * 6, Box(0, 0, 400, 300), 4.5)
    assert all(overlap(a, b) == 0 for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    assert place_labels([(1.0, 1.0)], [None], Box(0, 0, 9, 9), 1) == [None]


def test_bars_are_as_long_as_their_values():
    values = {"full": [90.0, 45.5], "baseline": [80.0, None]}
    root = parse(bars(["sky", "pole"], values, x_label="IoU (%)", unit=" %"))
    across = ticks(root, "x")
    found = {
        bar.find(f"{SVG}title").text: bar
        for bar in root.iter(f"{SVG}rect")
        if bar.find(f"{SVG}title") is not None
    }
    assert set(found) == {"sky, full: 90.0 %", "pole, full: 45.5 %", "sky, baseline: 80.0 %"}
    zero = expected(across, 0)
    for title, value in (("sky, full: 90.0 %", 90), ("pole, full: 45.5 %", 45.5)):
        assert float(found[title].get("x")) == pytest.approx(zero, abs=0.02)
        end = zero + float(found[title].get("width"))
        assert end == pytest.approx(expected(across, value), abs=0.02)
    tops = [float(found[t].get("y")) for t in ("sky, full: 90.0 %", "sky, baseline: 80.0 %")]
    assert tops[0] < tops[1] < float(found["pole, full: 45.5 %"].get("y"))


def test_negative_bars_end_at_zero():
    root = parse(bars(["a"], {"s": [-4.0]}, x_label=""))
    (bar,) = (b for b in root.iter(f"{SVG}rect") if b.find(f"{SVG}title") is not None)
    across = ticks(root, "x")
    assert float(bar.get("x")) == pytest.approx(expected(across, -4), abs=0.02)
    end = float(bar.get("x")) + float(bar.get("width"))
    assert end == pytest.approx(expected(across, 0), abs=0.02)


def test_plots_refuse_nothing_to_plot():
    with pytest.raises(ValueError, match="at least one dot"):
        scatter([], x_label="", y_label="")
    with pytest.raises(ValueError, match="finite"):
        scatter([Dot(math.nan, 1)], x_label="", y_label="")
    with pytest.raises(ValueError, match="one category"):
        bars([], {}, x_label="")
    with pytest.raises(ValueError, match="2 values for 1"):
        bars(["a"], {"s": [1, 2]}, x_label="")


def test_markup():
    assert element("a", "<", Markup("<b>"), href='"', class_="x", aria_label="y", no=None) == (
        '<a href="&quot;" class="x" aria-label="y">&lt;<b></a>'
    )
    assert element("img", alt="", hidden=True) == '<img alt="" hidden>'
    assert joined(["<", Markup("<")], " & ") == "&lt; &amp; <"
    assert escaped(3) == "3"
    assert [number(v) for v in (1.0, -0.001, 2.345678, -10.0, 3, "x", 100.0)] == [
        "1", "0", "2.35", "-10", 3, "x", "100",
    ]  # fmt: skip


def test_cut_text_fits():
    assert cut("short", 10, 100) == "short"
    told = cut("a text that is too long", 10, 60)
    assert told.endswith("…") and text_width(told, 10) <= 60
    assert text_width("漢", 10) > text_width("a", 10)
