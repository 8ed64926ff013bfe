"""Figures: every mark is where its numbers put it, and their files are valid and repeat."""

import io
import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from wsstools.view.figures.drawing import SERIES, SUFFIXES, cut
from wsstools.view.figures.rows import DotRow, bars, dot_rows
from wsstools.view.figures.scatter import Dot, scatter

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('1')</script> & \"x\" $\\frac{1}$ _ \x00\udc80"
MINUS = "\N{MINUS SIGN}"
SHOWN = HOSTILE.replace("\x00", "\ufffd").replace("\udc80", "\ufffd")


def parse(drawing):
    root = ElementTree.fromstring(drawing.encoded(".svg"))
    assert root.tag == f"{SVG}svg"
    return root


def texts(root):
    """All that is to be read in the picture."""
    return ["".join(t for t in text.itertext()) for text in root.iter(f"{SVG}text")]


def titles(root):
    return [title.text for title in root.iter(f"{SVG}title")]


def marks(root):
    """Titles of the markers and where each is, in the units of the picture, y downwards."""
    return {
        use.find(f"{SVG}title").text: (float(use.get("x")), float(use.get("y")))
        for use in root.iter(f"{SVG}use")
        if use.find(f"{SVG}title") is not None
    }


def expected(drawing, root, x, y):
    """Where a pair of numbers is in the picture."""
    height = float(root.get("viewBox").split()[3])
    (axes,) = drawing.figure.axes
    at = axes.transData.transform((x, y)) * 72 / drawing.figure.dpi
    return at[0], height - at[1]


@pytest.fixture
def drawings():
    rng = np.random.default_rng(0)
    dots = [
        Dot(x, y, f"t{k}", f"n{k}", k % 3) for k, (x, y) in enumerate(rng.normal(70, 9, (9, 2)))
    ]
    rows = [DotRow("full", 70, (68, 71.5), 7), DotRow("local", 61, (55, math.inf))]
    return [
        scatter(dots, x_label="x", y_label="y", series=["a", "b", "c"], has_trend=True),
        scatter(dots, x_label="x", y_label="y", has_diagonal=True),
        dot_rows(rows, x_label="mIoU (%)", references={"full": 70.0}),
        bars(["sky", "pole"], {"full": [90, 45], "base": [80, None]}, x_label="IoU (%)"),
    ]


def test_dots_are_where_the_axes_say():
    points = {"a": (61.5, 40.25), "b": (68.0, 55.0), "c": (72.4, 47.0)}
    drawing = scatter(
        [Dot(x, y, name) for name, (x, y) in points.items()], x_label="PFA (%)", y_label="val (%)"
    )
    root = parse(drawing)
    found = marks(root)
    assert found.keys() == points.keys()
    for name, (x, y) in points.items():
        assert found[name] == pytest.approx(expected(drawing, root, x, y), abs=0.02)
    assert found["b"][1] < found["c"][1] < found["a"][1]  # larger is higher
    assert {"PFA (%)", "val (%)"} <= set(texts(root))


def test_every_dot_is_drawn_with_its_title():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 100, (500, 2))
    values[:9] = values[0]  # equal dots are drawn as well
    drawing = scatter(
        [Dot(x, y, f"t{k}", series=k % 3) for k, (x, y) in enumerate(values)],
        x_label="x", y_label="y", has_diagonal=True,
    )  # fmt: skip
    root = parse(drawing)
    found = marks(root)
    assert len(titles(root)) == len(found) == 500
    for k, (x, y) in enumerate(values):
        assert found[f"t{k}"] == pytest.approx(expected(drawing, root, x, y), abs=0.02)


@pytest.mark.parametrize("points", [[(80, 95), (90, 85)], [(70, 70)]])
def test_with_a_diagonal_both_axes_are_the_same(points):
    drawing = scatter([Dot(*p) for p in points], x_label="", y_label="", has_diagonal=True)
    (axes,) = drawing.figure.axes
    assert axes.get_xlim() == axes.get_ylim()
    box = axes.get_window_extent()
    assert box.width == pytest.approx(box.height)
    assert len(axes.get_xticks()) >= 2
    line = axes.lines[0]
    assert tuple(line.get_xdata()) == tuple(line.get_ydata()) == axes.get_xlim()


def test_the_trend_is_that_of_numpy():
    rng = np.random.default_rng(1)
    x = rng.normal(70, 5, 20)
    y = 0.4 * x + rng.normal(0, 1, 20)
    drawing = scatter(
        [Dot(*p) for p in zip(x, y, strict=True)], x_label="", y_label="", has_trend=True
    )
    line = drawing.figure.axes[0].lines[0]
    fit = np.polyfit(x, y, 1)
    assert line.get_xdata() == pytest.approx([x.min(), x.max()])
    assert line.get_ydata() == pytest.approx(np.polyval(fit, [x.min(), x.max()]))
    message = f"least squares: slope {fit[0]:.2f}, r = {np.corrcoef(x, y)[0, 1]:.2f}, n = 20"
    assert message in texts(parse(drawing))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(1, 3), (2, 4)], None),
        ([(1, 1), (1, 2), (1, 3)], None),
        ([(1, 5), (2, 5), (3, 5)], "least squares: slope 0.00, n = 3"),
        (
            [(1, 3), (2, 2), (3, 1)],
            "least squares: slope -1.00, r = -1.00, n = 3".replace("-", MINUS),
        ),
    ],
)
def test_there_is_a_trend_where_there_can_be_one(points, message):
    drawing = scatter([Dot(*p) for p in points], x_label="", y_label="", has_trend=True)
    found = [text for text in texts(parse(drawing)) if "least squares" in text]
    assert found == ([] if message is None else [message])


@pytest.mark.slow
def test_hostile_text_is_shown_as_text():
    for drawing in (
        scatter(
            [Dot(1, 2, HOSTILE, "<b>$x$")], x_label="$x$", y_label="&", series=[HOSTILE], description=HOSTILE
        ),
        bars([HOSTILE], {HOSTILE: [1]}, x_label="_$x$", description=HOSTILE),
        dot_rows([DotRow(HOSTILE, 1)], x_label="$x$", description=HOSTILE),
    ):  # fmt: skip
        root = parse(drawing)
        assert root.get("aria-label") == SHOWN
        assert any(SHOWN in title for title in titles(root))
        assert any("$x$" in text for text in texts(root))
        inline = drawing.inline("f1")
        assert "<script" not in inline and "<b>" not in inline
        inline.encode("utf-8")
        assert drawing.encoded(".png") and drawing.encoded(".pdf")


def test_names_that_begin_with_an_underscore_are_in_the_legend():
    dots = [Dot(1, 1, "", "", 0), Dot(2, 2, "", "", 1)]
    root = parse(scatter(dots, x_label="", y_label="", series=["_a", "b"]))
    assert {"_a", "b"} <= set(texts(root))


def test_series_differ_in_shape_and_colour():
    dots = [Dot(k, k, "t", series=k) for k in range(4)]
    drawing = scatter(dots, x_label="", y_label="", series=["a", "b", "c", "d"])
    lines = drawing.figure.axes[0].lines
    assert len({line.get_marker() for line in lines}) == 4
    assert [line.get_markerfacecolor() for line in lines] == list(SERIES[:4])
    assert {"a", "b", "c", "d"} <= set(texts(parse(drawing)))


def test_labels_avoid_each_other():
    rng = np.random.default_rng(2)
    for _ in range(3):
        dots = [Dot(x, y, label=f"label {k}") for k, (x, y) in enumerate(rng.uniform(0, 1, (8, 2)))]
        drawing = scatter(dots, x_label="", y_label="")
        (axes,) = drawing.figure.axes
        frame = axes.get_window_extent()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == 8
        for k, box in enumerate(boxes):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1
            assert frame.y0 <= box.y0 and box.y1 <= frame.y1
            assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_bars_are_as_long_as_their_values():
    values = {"full": [90.0, 45.5], "baseline": [80.0, None]}
    drawing = bars(["sky", "pole"], values, x_label="IoU (%)", unit=" %")
    assert set(titles(parse(drawing))) == {
        "sky", "pole", "sky, full: 90.0 %", "pole, full: 45.5 %", "sky, baseline: 80.0 %"
    }  # fmt: skip
    found = {drawing.titles[bar.get_gid()][0]: bar for bar in drawing.figure.axes[0].patches}
    for title, value in (("sky, full: 90.0 %", 90), ("pole, full: 45.5 %", 45.5)):
        assert found[title].get_x() == 0
        assert found[title].get_width() == value
    shown = sorted(found, key=lambda title: -found[title].get_window_extent().y0)
    assert shown == ["sky, full: 90.0 %", "sky, baseline: 80.0 %", "pole, full: 45.5 %"]


def test_negative_bars_end_at_zero():
    drawing = bars(["a"], {"s": [-4.0]}, x_label="")
    box = drawing.figure.axes[0].patches[0].get_window_extent()
    transform = drawing.figure.axes[0].transData.transform
    assert [box.x0, box.x1] == pytest.approx([transform((-4, 0))[0], transform((0, 0))[0]])


def test_rows_have_their_numbers_intervals_and_references():
    rows = [
        DotRow("full", 70, (68, 71.5), 7),
        DotRow("a name that is far too long for its place", 61.25, (55, math.inf)),
        DotRow("alone", 50),
    ]
    drawing = dot_rows(rows, x_label="mIoU (%)", references={"full": 70.0})
    root = parse(drawing)
    found = marks(root)
    long = "a name that is far too long for its place"
    for place, title in enumerate(
        ("full: 70.0 [68.0, 71.5]", f"{long}: 61.2 [55.0, inf]", "alone: 50.0")
    ):
        assert found[title] == pytest.approx(
            expected(drawing, root, rows[place].value, place), abs=0.02
        )
    assert {"70.0", "61.2", "50.0", "mIoU (%)", cut(long, 24) + long} <= set(texts(root))
    assert {"full 70.0", long} <= set(titles(root))
    (axes,) = drawing.figure.axes
    ends = [tuple(line.get_xdata()) for line in axes.lines if line.get_alpha() == 0.35]
    assert ends == [(68, 71.5), (55, axes.get_xlim()[1])]


def test_figures_refuse_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="at least one dot"):
        scatter([], x_label="", y_label="")
    with pytest.raises(ValueError, match="finite"):
        scatter([Dot(math.nan, 1)], x_label="", y_label="")
    with pytest.raises(ValueError, match="finite"):
        dot_rows([DotRow("a", math.inf)], x_label="")
    with pytest.raises(ValueError, match="at least one row"):
        dot_rows([], x_label="")
    with pytest.raises(ValueError, match="one category"):
        bars([], {}, x_label="")
    with pytest.raises(ValueError, match="2 values for 1"):
        bars(["a"], {"s": [1, 2]}, x_label="")
    with pytest.raises(ValueError, match=r"not '\.gif'"):
        scatter([Dot(1, 1)], x_label="", y_label="").encoded(".gif")


@pytest.mark.slow
def test_files_are_valid_and_repeat(drawings):
    for drawing in drawings:
        first = {suffix: drawing.encoded(suffix) for suffix in SUFFIXES}
        assert first == {suffix: drawing.encoded(suffix) for suffix in SUFFIXES}
        width, height = drawing.figure.get_size_inches()
        root = ElementTree.fromstring(first[".svg"])
        assert root.get("viewBox") == f"0 0 {width * 72:g} {height * 72:.6g}"
        with Image.open(io.BytesIO(first[".png"])) as picture:
            assert picture.size == (int(width * 200), int(height * 200))
            assert picture.format == "PNG" and not picture.info.keys() & {"Software"}
        assert first[".pdf"].startswith(b"%PDF-") and first[".pdf"].rstrip().endswith(b"%%EOF")
        assert b"Date" not in first[".svg"] + first[".pdf"]
        assert b"Matplotlib" not in first[".svg"] + first[".pdf"]


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(drawings, tmp_path):
    """Whatever the order of a set is in it, and whatever the user's settings are."""
    code = (
        "import sys; from wsstools.view.figures.scatter import Dot, scatter\n"
        "drawing = scatter([Dot(k, k * k, 't', f'n{k}', k) for k in range(4)], x_label='x', "
        "y_label='y', series='abcd', has_trend=True)\n"
        "sys.stdout.buffer.write(b''.join(map(drawing.encoded, ('.svg', '.pdf', '.png'))))"
    )
    (tmp_path / "matplotlibrc").write_text("font.size: 20\naxes.grid: False\nsavefig.bbox: tight\n")
    found = []
    for seed, settings in (("1", {}), ("2", {"MATPLOTLIBRC": str(tmp_path)})):
        environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed, **settings}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment, check=True
        )
        found.append(done.stdout)
    assert found[0] == found[1] and len(found[0]) > 10_000


def test_a_page_gives_colours_and_the_ids_are_its_own(drawings):
    parts = [drawing.inline(f"f{k}") for k, drawing in enumerate(drawings)]
    ids = []
    for part in parts:
        root = ElementTree.fromstring(part.replace(' xmlns="http://www.w3.org/2000/svg"', ""))
        own = {element.get("id") for element in root.iter() if element.get("id")}
        ids += own
        for element in root.iter():
            assert not element.get("href") or element.get("href")[1:] in own
        assert "#" not in "".join(element.get("style", "") for element in root.iter())
        assert not {e.tag for e in root.iter()} & {"style", "metadata", "script", "clipPath"}
        assert "url(" not in part and "DejaVu" not in part
    assert len(ids) == len(set(ids))
    assert "var(--plot-0)" in parts[0] and "var(--ink)" in parts[0]


def test_drawing_changes_no_settings(drawings):
    before = dict(matplotlib.rcParams)
    for drawing in drawings:
        drawing.encoded(".svg")
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.rcParams["svg.hashsalt"] != "wsstools"


def test_cut_text_is_one_line():
    assert cut("short", 10) == "short"
    assert cut("a text that is too long", 8) == "a text…"
    assert cut("two\nlines\tand  more", 99) == "two lines and more"
    assert [len(cut("x" * 50, n)) for n in (1, 20, 50)] == [1, 20, 50]
