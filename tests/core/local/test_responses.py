"""Filter banks and their responses."""

from __future__ import annotations

import numpy as np
import pytest
from builders import draw_image
from scipy import ndimage

from wsstools.core.local.filter_bank import FilterBank, FilterLayer, extended
from wsstools.core.local.gabor import OPPONENT, gabor_bank
from wsstools.core.local.responses import Responses


def random_layer(size: int, stride: int = 1, **options) -> FilterLayer:
    rng = np.random.default_rng(size)
    weights = rng.normal(size=(4, 3, size, size)).astype(np.float32)
    return FilterLayer(weights, rng.normal(size=4).astype(np.float32), stride, **options)


def expected_responses(image: np.ndarray, layer: FilterLayer) -> np.ndarray:
    """(F, H, W) by scipy, for stride 1."""
    planes = np.moveaxis(image.astype(float), 2, 0)
    if layer.colours is not None:
        planes = np.tensordot(layer.colours, planes, axes=1)
    out = np.stack(
        [
            sum(
                ndimage.correlate(p, k, mode="nearest")
                for p, k in zip(planes, filters, strict=True)
            )
            for filters in layer.weights.astype(float)
        ]
    )
    return out + layer.biases[:, None, None]


@pytest.mark.parametrize("colours", [None, OPPONENT.astype(np.float32)])
@pytest.mark.parametrize("size", [3, 11])
def test_responses_are_those_of_scipy(size, colours):
    image = draw_image(0)[0]
    layer = random_layer(size, colours=colours)
    found = Responses(image, FilterBank("x", (layer,))).of_rows(0, len(image))
    np.testing.assert_allclose(found, expected_responses(image, layer), rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("rectified", [False, True])
def test_points_and_bands_give_the_same_responses(stride, rectified):
    image = draw_image(0)[0]
    bank = FilterBank("x", (random_layer(3), random_layer(11, stride, is_rectified=rectified)))
    responses = Responses(image, bank)
    whole = responses.of_rows(0, 40)
    np.testing.assert_array_equal(whole[:, 13:20], responses.of_rows(13, 20))
    rows, columns = np.array([0, 17, 39]), np.array([0, 31, 55])
    at = responses.at(rows, columns)
    np.testing.assert_allclose(at, whole[:, rows, columns].T, rtol=1e-4, atol=0.02)
    if rectified:
        assert whole[4:].min() == 0


@pytest.mark.parametrize("edge", [20, 21, 22, 23])
def test_a_step_edge_stays_where_it_is(edge):
    """A symmetric mean filter at stride 4: the half-height of the step is at the edge."""
    image = np.zeros((48, 48, 3), np.uint8)
    image[:, edge:] = 200
    mean = np.zeros((1, 3, 11, 11), np.float32)
    mean[0, :] = 1 / (3 * 121)
    layer = FilterLayer(mean, np.zeros(1, np.float32), stride=4)
    row = Responses(image, FilterBank("x", (layer,))).of_rows(24, 25)[0, 0]
    crossing = np.interp(100, row, np.arange(48))
    assert abs(crossing - (edge - 0.5)) <= 0.5


def test_at_every_fourth_pixel_the_responses_are_exact():
    image = draw_image(0)[0]
    layer = random_layer(11, stride=4)
    found = Responses(image, FilterBank("x", (layer,))).of_rows(0, 40)
    expected = expected_responses(image, layer)
    np.testing.assert_allclose(found[:, ::4, ::4], expected[:, ::4, ::4], rtol=1e-4, atol=0.1)


def test_a_subset_of_a_bank_gives_the_same_responses():
    image = draw_image(0)[0]
    bank = gabor_bank()
    chosen = np.array([3, 70, 100, 159])
    whole = Responses(image, bank).of_rows(5, 9)
    np.testing.assert_array_equal(
        Responses(image, bank.subset(chosen)).of_rows(5, 9), whole[chosen]
    )


def test_the_built_in_bank():
    bank = gabor_bank()
    assert len(bank) == 160
    assert [len(layer) for layer in bank.layers] == [64, 16, 80]
    assert [layer.weights.shape[2] for layer in bank.layers] == [3, 11, 11]
    even, odd = (bank.layers[2].weights[k::2] for k in (0, 1))
    np.testing.assert_allclose(
        (even**2).sum(axis=(1, 2, 3)), (odd**2).sum(axis=(1, 2, 3)), rtol=1e-4
    )
    np.testing.assert_allclose(bank.layers[2].weights.sum(axis=(1, 2, 3)), 0, atol=1e-5)
    flat = [layer.weights.reshape(len(layer.weights), -1) for layer in bank.layers]
    for weights in flat:
        np.testing.assert_allclose(np.abs(weights).sum(axis=1), 1, rtol=0.15)
        unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        likeness = np.abs(unit @ unit.T) - np.eye(len(unit))
        assert likeness.max() < 0.999, "two filters are the same"


def test_gabor_energy_does_not_depend_on_the_phase():
    """A grating that moves: its signed responses swing, its energy stays."""
    columns = np.arange(64)
    energies = []
    for phase in np.linspace(0, 2 * np.pi, 7):
        wave = 128 + 60 * np.cos(2 * np.pi * columns / 6 + phase)
        image = np.broadcast_to(wave[None, :, None], (32, 64, 3)).astype(np.float32)
        energies.append(Responses(image, gabor_bank()).at(np.array([16]), np.array([32]))[0, 80:])
    strongest = int(np.argmax(energies[0]))
    assert strongest == 2 * 8  # luminance, wavelength 6, orientation along the rows
    assert np.ptp([energy[strongest] for energy in energies]) < 0.02 * energies[0][strongest]


@pytest.mark.parametrize("edge", [20, 21, 22, 23])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_step_edge_stays_where_it_is_at_other_scales(edge, scale):
    image = np.zeros((48, 48, 3), np.uint8)
    image[:, edge:] = 200
    mean = np.full((1, 3, 3, 3), 1 / 27, np.float32)
    layer = FilterLayer(mean, np.zeros(1, np.float32), scale=scale)
    responses = Responses(image, FilterBank("x", (layer,)))
    row = responses.of_rows(24, 25)[0, 0]
    crossing = np.interp(100, row, np.arange(48))
    assert abs(crossing - (edge - 0.5)) <= 0.5
    middle = np.full(48, 24)
    np.testing.assert_array_equal(responses.at(middle, np.arange(48))[:, 0], row)


def test_position_is_a_feature():
    image = draw_image(0)[0]
    height, width = image.shape[:2]
    bank = extended(gabor_bank(), position=True)
    found = Responses(image, bank).of_rows(0, height)[160:]
    assert found.shape == (2, height, width)
    assert found.min() > 0 and found.max() < 1
    assert (np.diff(found[0], axis=0) > 0).all() and (np.diff(found[1], axis=1) > 0).all()
    only_column = Responses(image, bank.subset(np.array([161]))).at(np.array([5]), np.array([7]))
    np.testing.assert_allclose(only_column, [[7.5 / width]], rtol=1e-6)


@pytest.mark.parametrize("scales", [(1,), (1, 2), (3,)])
def test_points_and_rows_of_extended_banks_agree(scales):
    image = draw_image(1)[0]
    bank = extended(gabor_bank(), scales=scales, position=True)
    assert len(bank) == 160 * len(scales) + 2
    rows, columns = np.nonzero(np.random.default_rng(0).random(image.shape[:2]) < 0.05)
    responses = Responses(image, bank)
    whole = responses.of_rows(0, len(image))
    np.testing.assert_allclose(
        responses.at(rows, columns), whole[:, rows, columns].T, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(responses.of_rows(9, 14), whole[:, 9:14], rtol=1e-4, atol=1e-3)
