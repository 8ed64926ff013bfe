"""The palette of PASCAL VOC."""

import numpy as np

from wsstools.core.palette import voc_palette


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
