"""The CRF in tiles is the CRF of the whole image."""

import numpy as np
import pytest
from builders import mosaic

from wsstools.core.api import dense_crf
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.crf.tiled import dense_crf_in_tiles
from wsstools.core.stored_maps import StoredMap


@pytest.mark.parametrize("prune", [0.0, 0.05])
def test_tiles_give_what_the_whole_gives(prune):
    image, dense = mosaic(2, 3)
    stored = StoredMap.of(dense)
    settings = CrfSettings(sigma_alpha=4.0, sigma_beta=20.0, prune=prune)
    whole = dense_crf(stored.whole(), image, sigma_alpha=4.0, sigma_beta=20.0, prune=prune)
    found = dense_crf_in_tiles(stored, image, settings, side=32)
    assert found.info["tiles"] > 3
    assert found.info["pruned"] == whole.info["pruned"]
    assert found.info["pruned_mass"] == pytest.approx(whole.info["pruned_mass"])
    assert np.abs(found.whole().probs - whole.probs).max() < 2e-3  # of which 1e-3 is the file's
    assert np.mean(found.whole().probs.argmax(0) != whole.probs.argmax(0)) <= 1e-4


def test_a_tile_on_another_grid_gives_something_else():
    """The lattice's place matters, so that tiles must have that of the image."""
    image, dense = mosaic(2, 3)
    settings = {"sigma_alpha": 4.0, "sigma_beta": 20.0}
    part = dense.with_probs(dense.probs[:, 5:85, 7:100])
    whole = dense_crf(dense, image, **settings).probs[:, 5:85, 7:100]
    found = dense_crf(part, image[5:85, 7:100], **settings).probs
    inside = np.s_[:, 25:-25, 25:-25]
    assert np.abs(found - whole)[inside].max() > 2e-3
