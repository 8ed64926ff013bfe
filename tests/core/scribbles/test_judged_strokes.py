"""Strokes are judged by maps and by the strokes of other images."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.suspects import judged, stroke_evidence

SHAPE = (30, 40)


def drawn_image(rng, wrong: bool = False):
    """Dark above, bright below; strokes of class 0 above and of class 1 below, one perhaps wrong."""
    image = np.full((*SHAPE, 3), 60, np.uint8)
    image[15:] = 190
    image = np.clip(image + rng.normal(0, 10, image.shape), 0, 255).astype(np.uint8)
    scribbles = np.full(SHAPE, 255, np.uint8)
    left = int(rng.integers(2, 20))
    scribbles[4:6, left : left + 15] = 0
    scribbles[20:22, left : left + 12] = 1
    scribbles[26:28, left : left + 9] = 0 if wrong else 1
    return image, scribbles


def even_map(p: float = 0.5) -> ProbabilityMap:
    probs = np.stack([np.full(SHAPE, p), np.full(SHAPE, 1 - p)]).astype(np.float32)
    return ProbabilityMap(probs, np.array([0, 1]), 3)


def test_evidence_is_of_each_stroke():
    image, scribbles = drawn_image(np.random.default_rng(0))
    probability_map = even_map()
    probability_map.probs[:, 20:22] = [[[0.1]], [[0.9]]]
    found = stroke_evidence(probability_map, scribbles, image)
    assert [one.class_id for one in found] == [0, 1, 1]
    assert [one.pixels for one in found] == [30, 24, 18]
    for one in found:
        assert scribbles[one.y, one.x] == one.class_id
    np.testing.assert_allclose(found[1].probs, [0.1, 0.9, 0], atol=1e-6)
    np.testing.assert_allclose(found[0].probs, [0.5, 0.5, 0], atol=1e-6)
    without = stroke_evidence(probability_map, scribbles)
    assert len(without[0].traits) == 5 < len(found[0].traits)


def test_maps_alone_rank_the_strokes_of_one_image():
    image, scribbles = drawn_image(np.random.default_rng(0), wrong=True)
    probability_map = even_map(0.9)
    probability_map.probs[:, 15:] = [[[0.2]], [[0.8]]]
    (strokes,) = judged([stroke_evidence(probability_map, scribbles, image)])
    worst = max(strokes, key=lambda one: one.score)
    assert (worst.evidence.class_id, worst.evidence.y > 24) == (0, True)
    assert worst.prob == pytest.approx(0.2, abs=1e-6)
    assert (worst.prob_by_others, worst.likeliest) == (None, 1)
    assert all(0 <= one.score <= 1 for one in strokes)


def test_other_images_know_what_even_maps_do_not():
    rng = np.random.default_rng(1)
    images = [drawn_image(rng, wrong=number in (3, 8)) for number in range(12)]
    evidence = [stroke_evidence(even_map(), scribbles, image) for image, scribbles in images]
    found = judged(evidence)
    ranked = sorted(
        ((one.score, number) for number, strokes in enumerate(found) for one in strokes),
        reverse=True,
    )
    assert {number for _, number in ranked[:2]} == {3, 8}
    assert ranked[1][0] > ranked[2][0] + 0.1
    worst = max(found[3], key=lambda one: one.score)
    assert worst.likeliest == 1
    assert worst.likeliest_by_others > 0.9 > 0.1 > worst.prob_by_others
    again = judged(evidence)
    assert [one.score for one in again[3]] == [one.score for one in found[3]]


def test_an_image_does_not_judge_itself():
    """A class that one image alone has is unknown to the others."""
    rng = np.random.default_rng(2)
    images = [drawn_image(rng) for _ in range(6)]
    images[2][1][26:28][images[2][1][26:28] == 1] = 2
    found = judged([stroke_evidence(even_map(), scribbles, image) for image, scribbles in images])
    assert found[2][2].evidence.class_id == 2
    assert found[2][2].prob_by_others == 0


def test_what_does_not_fit_is_refused():
    image, scribbles = drawn_image(np.random.default_rng(0))
    with pytest.raises(ValueError, match="the image has shape"):
        stroke_evidence(even_map(), scribbles, image[1:])
    with pytest.raises(ValueError, match="the map has shape"):
        stroke_evidence(even_map(), scribbles[1:], image[1:])
    scribbles[0, 0] = 7
    with pytest.raises(ValueError, match="class 7, the map has 3"):
        stroke_evidence(even_map(), scribbles, image)
    assert judged([]) == []
    assert judged([[], []]) == [[], []]
