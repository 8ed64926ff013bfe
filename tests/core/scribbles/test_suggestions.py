"""Places for strokes: where the maps are unsure or contradict each other, far from strokes."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.settings import SuggestionSettings
from wsstools.core.scribbles.suggestions import suggested_places

SHAPE = (80, 120)


def map_of(first) -> ProbabilityMap:
    """A map with this probability of class 0, the rest is of class 4."""
    first = np.asarray(first, np.float32)
    return ProbabilityMap(np.stack([first, 1 - first]), np.array([0, 4]), 6)


def sure() -> np.ndarray:
    return np.full(SHAPE, 1.0)


def test_the_large_doubtful_region_comes_first():
    first = sure()
    first[10:40, 60:100] = 0.45
    first[60:64, 10:14] = 0.5
    first[:, 30] = 0.5  # a border
    one, two = suggested_places([map_of(first)], settings=SuggestionSettings(per_image=2))
    assert 10 <= one.y < 40 and 60 <= one.x < 100
    assert (one.likeliest, one.second) == (4, 0)
    assert one.gain > two.gain > 0
    left, top, right, bottom = one.box
    assert left <= one.x < right and top <= one.y < bottom
    assert right <= SHAPE[1] and bottom <= SHAPE[0]


def test_gain_is_the_share_that_is_expected_to_be_wrong():
    first = np.full((400, 400), 0.7)
    (place,) = suggested_places([map_of(first)], settings=SuggestionSettings(reach=0.01))
    # 0.3 under a Gaussian of 4 pixels, all of which is in the image
    assert place.gain == pytest.approx(0.3 * 2 * np.pi * 4**2 / 400**2, rel=0.01)


def test_sure_maps_that_contradict_each_other_count():
    other = sure()
    other[50:70, 80:110] = 0
    assert suggested_places([map_of(sure())]) == []
    (place,) = suggested_places([map_of(sure()), map_of(other)])
    assert 50 <= place.y < 70 and 80 <= place.x < 110
    assert place.prob > 0.5


def test_no_place_is_near_a_stroke_or_another_place():
    first = np.full(SHAPE, 0.6)
    scribbles = np.full(SHAPE, 255, np.uint8)
    scribbles[:, 58:62] = 0
    settings = SuggestionSettings(per_image=12, reach=0.08)
    places = suggested_places([map_of(first)], scribbles, settings=settings)
    assert len(places) > 3
    reach = 0.08 * np.sqrt(first.size)
    for place in places:
        assert not 58 - reach / 2 < place.x < 61 + reach / 2
    spots = np.array([(place.x, place.y) for place in places])
    distances = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1))
    assert distances[np.triu_indices(len(spots), 1)].min() >= 2 * reach - 1
    gains = [place.gain for place in places]
    assert gains == sorted(gains, reverse=True)


def test_a_class_without_a_stroke_is_new():
    first = sure()
    first[20:50, 20:60] = 0.3
    scribbles = np.full(SHAPE, 255, np.uint8)
    scribbles[70, 100:] = 0
    (place,) = suggested_places([map_of(first)], scribbles)
    assert place.likeliest == 4 and place.is_new
    scribbles[75, 100:] = 4
    (place,) = suggested_places([map_of(first)], scribbles)
    assert not place.is_new


def test_an_image_full_of_strokes_and_other_sizes():
    first = np.full(SHAPE, 0.6)
    assert suggested_places([map_of(first)], np.zeros(SHAPE, np.uint8)) == []
    with pytest.raises(ValueError, match="scribbles have shape"):
        suggested_places([map_of(first)], np.zeros((3, 4), np.uint8))
