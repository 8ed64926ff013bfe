"""Pictures of filters."""

from __future__ import annotations

import numpy as np
import pytest
from builders import contains

from wsstools.core.local.filter_bank import FilterBank, FilterLayer
from wsstools.core.local.gabor import OPPONENT, gabor_bank
from wsstools.view.filters import filter_pictures, filter_sheet


def test_pictures_show_signed_weights_in_their_colours():
    weights = np.zeros((3, 3, 3, 3), np.float32)
    weights[0, :, 0, 0] = 4
    weights[0, :, 2, 2] = -2
    weights[1, 0, 1, 1] = -1e-3
    pictures = filter_pictures(FilterLayer(weights, np.zeros(3, np.float32)))
    assert pictures.shape == (3, 3, 3, 3)
    assert pictures[0, 0, 0].tolist() == [255] * 3
    assert pictures[0, 2, 2].tolist() == [64] * 3
    assert pictures[1, 1, 1].tolist() == [0, 128, 128]
    assert (pictures[2] == 128).all()
    opponent = FilterLayer(weights, np.zeros(3, np.float32), colours=OPPONENT.astype("f4"))
    red, green, blue = OPPONENT.sum(axis=0) / np.abs(OPPONENT.sum(axis=0)).max() * 127.5 + 127.5
    assert filter_pictures(opponent)[0, 0, 0].tolist() == [round(red), round(green), round(blue)]


def test_the_sheet_of_a_bank_holds_every_filter():
    bank = gabor_bank()
    sheet = filter_sheet([bank], cell_width=35)
    for layer in bank.layers:
        for picture in filter_pictures(layer)[:: len(layer) // 3]:
            large = picture.repeat(33 // picture.shape[0], 0).repeat(33 // picture.shape[0], 1)
            assert contains(sheet, large)
    empty = FilterBank("none", ())
    with pytest.raises(ValueError, match="at least one picture"):
        filter_sheet([empty])
