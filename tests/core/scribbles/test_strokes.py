"""Strokes that are drawn, read from text and simulated from labels."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import wsstools.demo
from wsstools.core.scribbles import strokes
from wsstools.core.scribbles.strokes import (
    Stroke,
    draw_strokes,
    grow_scribbles,
    parse_strokes,
    simulate_scribbles,
)
from wsstools.demo.sample_images import load_photos

PHOTOS = Path(wsstools.demo.__file__).parent
PHOTO_NAMES = ("astronaut", "chelsea", "china", "coffee", "flower", "rocket")


def stroke(label, *points):
    return Stroke(label, np.array(points, float))


def test_level_line_is_as_wide_as_the_brush():
    drawn = draw_strokes([stroke(4, (2, 3), (6, 3))], (7, 9), width=3)
    expected = np.full((7, 9), 255, np.uint8)
    expected[2:5, 2:7] = 4
    expected[3, [1, 7]] = 4  # the round ends
    expected[[2, 2, 4, 4], [1, 7, 1, 7]] = 4
    assert np.array_equal(drawn, expected)


def test_lines_agree_with_the_distance_to_a_dense_sampling():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:40, :50]
    for width in (1, 2.5, 3, 7):
        points = rng.uniform(-8, 58, (5, 2))
        drawn = draw_strokes([Stroke(1, points)], (40, 50), width=width) == 1
        dense = np.concatenate([np.linspace(a, b, 400) for a, b in pairwise(points)])
        distance = np.min([np.hypot(x - u, y - v) for u, v in dense], axis=0)
        inside, outside = distance <= width / 2 - 0.05, distance > width / 2 + 0.05
        outside &= distance > 0.75  # the pixel that a point is in is always drawn
        assert drawn[inside].all() and not drawn[outside].any()


def test_single_point_is_a_dot_however_thin():
    disc = draw_strokes([stroke(2, (3, 3))], (7, 7), width=5) == 2
    assert disc.sum() == 21 and disc[3, 1] and disc[3, 5] and not disc[1, 1]
    assert (draw_strokes([stroke(2, (3.5, 3.5))], (7, 7), width=0.5) == 2).sum() == 1


def test_line_from_outside_is_drawn_inside():
    crossing = draw_strokes([stroke(1, (-1000, 5), (1000, 5))], (11, 12), width=1)
    assert (crossing[5] == 1).all() and (crossing == 1).sum() == 12
    assert (draw_strokes([stroke(1, (-9, -9), (-9, 40))], (11, 12)) == 255).all()
    assert (draw_strokes([stroke(1, (12.4, 3))], (11, 12), width=3) == 1).any()


def test_later_strokes_cover_earlier_ones():
    lines = [stroke(1, (0, 2), (4, 2)), stroke(2, (2, 0), (2, 4))]
    assert draw_strokes(lines, (5, 5), width=1)[2].tolist() == [1, 1, 2, 1, 1]
    assert draw_strokes(lines[::-1], (5, 5), width=1)[2].tolist() == [1, 1, 1, 1, 1]


def test_no_strokes_leave_all_unlabelled():
    assert (draw_strokes([], (3, 4), ignore_label=9) == 9).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (stroke(1, (0, np.nan)), "not finite"),
        (stroke(256, (0, 0)), "class 256"),
        (Stroke(1, np.zeros((0, 2))), r"\(N, 2\)"),
        (Stroke(1, np.zeros(4)), r"\(N, 2\)"),
    ],
)
def test_bad_strokes_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        draw_strokes([bad], (4, 4))


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="width"):
        draw_strokes([], (4, 4), width=0)


def test_growing_keeps_strokes_and_takes_the_nearest_class():
    scribbles = np.full((5, 9), 255, np.uint8)
    scribbles[2, 1], scribbles[2, 6] = 3, 7
    grown = grow_scribbles(scribbles, 2)
    assert grown[2].tolist() == [3, 3, 3, 3, 7, 7, 7, 7, 7]
    assert np.array_equal(grow_scribbles(scribbles, 0), scribbles)
    empty = np.full((4, 4), 255, np.uint8)
    assert np.array_equal(grow_scribbles(empty, 3), empty)


def test_text_is_parsed():
    strokes = parse_strokes("# names\n\n3,1,2.5,4,5\n  # more\n0,7,8,\nbig cat, 1, 2\n")
    assert [name for name, _ in strokes] == ["3", "0", "big cat"]
    points = [points.tolist() for _, points in strokes]
    assert points == [[[1, 2.5], [4, 5]], [[7, 8]], [[1, 2]]]
    assert parse_strokes("") == []


@pytest.mark.parametrize("line", ["1", "1,2", "1,2,3,4", "a,1,inf", "a,b,c", ",1,2", "1,x,2", "1,inf,2",
                                  "1 2 3"])  # fmt: skip
def test_bad_line_is_named(line):
    with pytest.raises(ValueError, match="line 3:"):
        parse_strokes(f"# one\n1,2,3\n{line}\n1,1,1")


def test_words_among_the_numbers_are_named():
    message = r"^line 1: expected numbers after the class, found 'cat,1,x'$"
    with pytest.raises(ValueError, match=message):
        parse_strokes("cat,1,x")


def blocks():
    """Three classes in two regions each, an ignored bar and a region too small for a stroke."""
    labels = np.zeros((90, 120), np.uint8)
    labels[:45, :60] = 1
    labels[45:, 60:] = 1
    labels[20:40, 70:110] = 5
    labels[60:64, 5:50] = 5
    labels[:, 58:60] = 255
    labels[80:83, 80:83] = 5
    return labels


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_scribbles_lie_on_their_class_alone(width):
    labels = blocks()
    for seed in range(4):
        scribbles = simulate_scribbles(labels, rng=np.random.default_rng(seed), width=width)
        drawn = scribbles != 255
        assert np.array_equal(scribbles[drawn], labels[drawn])
        assert set(np.unique(scribbles)) == {0, 1, 5, 255}
        assert 0.01 < drawn.mean() < 0.035
        assert not drawn[80:83, 80:83].any()


def test_scribbles_keep_away_from_borders():
    labels = np.zeros((80, 80), np.uint8)
    labels[:, 40:] = 1
    drawn = simulate_scribbles(labels, rng=np.random.default_rng(0), width=3) != 255
    assert not drawn[:, 38:42].any() and not drawn[[0, -1]].any()


@pytest.mark.parametrize("largest", [100, 1000, 5000])
def test_large_regions_are_drawn_in_from_fewer_pixels(monkeypatch, largest):
    labels = np.kron(blocks(), np.ones((3, 3), np.uint8))
    whole = simulate_scribbles(labels, rng=np.random.default_rng(0), width=6) != 255
    monkeypatch.setattr(strokes, "_LARGEST_REGION", largest)
    scribbles = simulate_scribbles(labels, rng=np.random.default_rng(0), width=6)
    drawn = scribbles != 255
    assert np.array_equal(scribbles[drawn], labels[drawn])
    assert set(np.unique(scribbles)) == {0, 1, 5, 255}
    assert (drawn != whole).any()
    assert drawn.mean() == pytest.approx(whole.mean(), rel=0.35)


def test_same_seed_same_scribbles():
    first, second, other = (
        simulate_scribbles(blocks(), rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.tobytes() == second.tobytes() != other.tobytes()


def test_share_sets_how_much_is_drawn():
    labels = np.zeros((100, 100), np.uint8)
    little, much = (
        (simulate_scribbles(labels, rng=np.random.default_rng(0), share=share) == 0).mean()
        for share in (0.01, 0.03)
    )
    assert little == pytest.approx(0.01, rel=0.3) and much == pytest.approx(0.03, rel=0.3)


def test_odd_label_maps():
    rng = np.random.default_rng(0)
    assert (simulate_scribbles(np.full((9, 9), 255, np.uint8), rng=rng) == 255).all()
    one_pixel = np.zeros((9, 9), np.uint8)
    one_pixel[4, 4] = 1
    assert simulate_scribbles(one_pixel, rng=rng)[4, 4] == 1
    assert simulate_scribbles(np.zeros((1, 30), np.uint8), rng=rng).shape == (1, 30)
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        simulate_scribbles(np.zeros((3, 3, 3), np.uint8), rng=rng)


@pytest.fixture(scope="module")
def photos():
    return load_photos()


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_strokes_of_the_photos_lie_inside_and_apart(photos, name):
    names = (PHOTOS / "classes.txt").read_text(encoding="utf-8").splitlines()
    strokes = parse_strokes((PHOTOS / "strokes" / f"{name}.txt").read_text(encoding="utf-8"))
    height, width = photos[name].shape[:2]
    points = np.concatenate([points for _, points in strokes])
    assert points.min() >= 1 and (points.max(axis=0) <= (width - 2, height - 2)).all()
    used = {int(label) for label, _ in strokes}
    assert len(used) >= 2 and max(used) < len(names) <= 16
    drawn = [Stroke(int(label), points) for label, points in strokes]
    forward = draw_strokes(drawn, (height, width))
    assert np.array_equal(forward, draw_strokes(drawn[::-1], (height, width)))
    assert 0.01 < (forward != 255).mean() < 0.06


def test_photos_share_one_label_space(photos):
    names = (PHOTOS / "classes.txt").read_text(encoding="utf-8").splitlines()
    used = set()
    for name in photos:
        text = (PHOTOS / "strokes" / f"{name}.txt").read_text(encoding="utf-8")
        used |= {int(label) for label, _ in parse_strokes(text)}
    assert used == set(range(len(names)))
    assert set(photos) == {path.stem for path in (PHOTOS / "strokes").glob("*.txt")}


def corridor():
    """A large room and a small one, joined by a corridor too thin for the brush."""
    labels = np.full((60, 200), 255, np.uint8)
    labels[5:55, 5:120] = 0
    labels[28:31, 120:150] = 0
    labels[15:45, 150:190] = 0
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_a_stroke_runs_through_its_region(seed):
    """Its ends are far apart in the largest part that holds the brush, not in some corner."""
    drawn = simulate_scribbles(
        corridor(), rng=np.random.default_rng(seed), share=0.5, max_strokes=1
    )
    rows, columns = np.nonzero(drawn == 0)
    assert columns.max() < 125
    assert np.hypot(np.ptp(rows), np.ptp(columns)) > 70


def test_one_stroke_is_one_and_more_cover_more():
    labels = np.zeros((80, 80), np.uint8)
    for seed in range(4):
        one, three = (
            simulate_scribbles(
                labels, rng=np.random.default_rng(seed), share=0.3, max_strokes=most
            ) == 0
            for most in (1, 3)
        )  # fmt: skip
        assert ndimage.label(one, np.ones((3, 3)))[1] == 1
        assert three.sum() > 1.5 * one.sum()


def test_small_regions_stay_bare_where_not_every_class_needs_a_stroke():
    labels = blocks()
    kinds = {}
    for every_class in (True, False):
        drawn = simulate_scribbles(
            labels, rng=np.random.default_rng(0), min_area=900, every_class=every_class
        )
        kinds[every_class] = set(np.unique(drawn).tolist())
    assert kinds == {True: {0, 1, 5, 255}, False: {0, 1, 255}}
