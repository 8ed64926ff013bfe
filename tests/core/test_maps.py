"""What a probability map must be."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.stored_maps import checked_map


def test_maps_are_checked():
    good = np.full((2, 3, 3), 0.5)
    assert checked_map(good * 1.005, np.array([0, 4]), 5).probs.sum(axis=0) == pytest.approx(1)
    bad = {
        "do not sum": (good * 1.1, [0, 1], 2),
        "not finite": (np.where(np.eye(3) > 0, np.nan, good), [0, 1], 2),
        "negative": (np.stack([good[0] + 1, good[1] - 1]), [0, 1], 2),
        "ascending": (good, [1, 0], 2),
        "not all in": (good, [0, 2], 2),
        "class ids": (good, [0], 2),
        "expected": (good[0], [0, 1], 2),
    }
    for message, (probs, classes, n_classes) in bad.items():
        with pytest.raises(ValueError, match=message):
            checked_map(probs, np.array(classes), n_classes)
