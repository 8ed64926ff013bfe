"""Networks on tiles give what they give on the whole image."""

import numpy as np
import pytest
import torch
from nn.test_predict import with_statistics

from wsstools.core.tiles import Tile
from wsstools.nn import tiled
from wsstools.nn.models.networks import build
from wsstools.nn.predict import Views, predict_probs

ARCH = "deeplabv2-mobilenetv2"
HEIGHT = 50  # of an image that is much wider than what a network sees


@pytest.fixture(scope="module")
def network():
    made = with_statistics(ARCH)
    torch.nn.init.normal_(made.head.branches[0].weight, std=0.05)
    return made


@pytest.mark.parametrize(
    "views", [Views(), Views((1.0,), True), Views((0.6, 1.3), True)], ids=["plain", "flip", "sizes"]
)
def test_a_tile_is_that_part_of_the_whole(network, views, monkeypatch):
    monkeypatch.setattr(tiled, "reach", lambda network: 448)  # all that it sees
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, 1300, 3), np.uint8)
    whole = predict_probs(network, image, views=views)
    rows, columns = slice(0, HEIGHT), slice(610, 733)
    found = tiled.predict_tile(network, image, Tile(rows, columns, rows, columns), views=views)
    assert found.shape == (3, HEIGHT, 123)
    np.testing.assert_allclose(found, whole[:, rows, columns], atol=2e-4)
    assert np.ptp(whole) > 0.1


@pytest.mark.parametrize("first", [400, 405])
def test_tiles_lie_on_the_grid_of_the_deepest_features(first):
    network = with_statistics("unet")
    torch.nn.init.normal_(network.head.weight, std=0.1)
    image = np.random.default_rng(0).integers(0, 255, (40, 900, 3), np.uint8)
    rows, columns = slice(0, 40), slice(first, first + 60)
    found = tiled.predict_tile(network, image, Tile(rows, columns, rows, columns))
    np.testing.assert_allclose(found, predict_probs(network, image)[:, rows, columns], atol=1e-4)


def test_reach_is_the_largest_rate_and_the_backbone(network):
    assert tiled.reach(network) == 24 * 8 + 192
    assert tiled.reach(build(ARCH, 3, output_stride=16)) == 24 * 8 + 192
    assert tiled.reach(build("deeplabv3plus-mobilenetv2", 3)) > tiled.reach(network)


@pytest.mark.parametrize(
    ("arch", "pools"),
    [
        (ARCH, False),
        ("unet", False),
        ("deeplabv3plus-mobilenetv2", True),
        ("pspnet-resnet50", True),
    ],
)
def test_networks_that_pool_over_the_image_are_known(arch, pools):
    with torch.device("meta"):
        assert tiled.pools_over_image(build(arch, 2)) is pools
