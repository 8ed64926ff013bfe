"""The palette of PASCAL VOC."""

import numpy as np

from wsstools.core.palette import PALETTES, distinct_palette, oklab, voc_palette


def test_known_colours_of_the_development_kit():
    palette = voc_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        7: (128, 128, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for label, colour in known.items():
        assert tuple(palette[label]) == colour


def test_colours_differ():
    assert len(np.unique(voc_palette(), axis=0)) == 256


def least_distance(colours):
    places = oklab(colours)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return distances[~np.eye(len(colours), dtype=bool)].min()


def test_distinct_colours_are_further_apart_than_those_of_voc():
    """Of 21 classes, and of the 11 of a street; none is white, as the paper is."""
    distinct, voc = distinct_palette(), voc_palette()
    assert distinct.shape == (256, 3) and distinct.dtype == np.uint8
    assert len(np.unique(distinct, axis=0)) == 256
    assert tuple(distinct[0]) == (0, 0, 0) and tuple(distinct[255]) == tuple(voc[255])
    for n in (11, 21):
        assert least_distance(distinct[:n]) > 1.5 * least_distance(voc[:n])
    assert least_distance(np.array([*distinct[:21], (255, 255, 255)])) > 0.15


def test_oklab_has_the_published_values():
    """White is (1, 0, 0), and red as in the table of colours that CSS Color 4 has."""
    found = oklab(np.array([[255, 255, 255], [255, 0, 0]]))
    assert np.allclose(found, [[1, 0, 0], [0.62796, 0.22486, 0.12585]], atol=1e-4)
    assert set(PALETTES) == {"voc", "distinct"}
