"""Models of colours against their formulas, pixel by pixel."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal

from wsstools.core.local.colours import gaussian_mixtures, parzen
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import MixtureSettings, ParzenSettings


def scene(seed=0):
    """Two halves of two colours with noise, a stroke in each and a dot of a third class."""
    rng = np.random.default_rng(seed)
    image = np.zeros((14, 20, 3), np.float32)
    image[:, :10], image[:, 10:] = (60, 90, 40), (150, 100, 130)
    image = np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)
    scribbles = np.full((14, 20), 255, np.uint8)
    scribbles[3, 1:9], scribbles[9, 11:19], scribbles[12, 2] = 0, 2, 3
    return image, scribbled_pixels(image, scribbles, 4)


@pytest.mark.parametrize(("bandwidth", "reach"), [(13.0, 1.8), (40.0, 0.7)])
def test_parzen_is_the_mean_over_the_strokes(bandwidth, reach):
    image, pixels = scene()
    found = parzen(image, pixels, settings=ParzenSettings(bandwidth, reach, 1000))
    assert found.classes.tolist() == [0, 2, 3]
    for row, column in ((0, 0), (3, 4), (7, 9), (13, 19), (12, 2)):
        logs = []
        for k in range(3):
            own = pixels.labels == k
            places = np.stack([pixels.rows[own], pixels.columns[own]], axis=1).astype(float)
            squares = ((places - (row, column)) ** 2).sum(1)
            rho = reach * max(np.sqrt(squares.min()), 0.4)
            colours = image[pixels.rows[own], pixels.columns[own]].astype(float)
            differences = ((colours - image[row, column]) ** 2).sum(1)
            exponents = -squares / (2 * rho**2) - differences / (2 * bandwidth**2)
            logs.append(logsumexp(exponents) - np.log(own.sum()) - 2 * np.log(rho))
        np.testing.assert_allclose(found.probs[:, row, column], softmax(logs), atol=1e-4)


def test_many_strokes_are_sampled_evenly():
    image, pixels = scene()
    every = parzen(image, pixels, settings=ParzenSettings(samples=1000))
    some = parzen(image, pixels, settings=ParzenSettings(samples=4))
    assert (every.probs.argmax(0) == some.probs.argmax(0)).mean() > 0.8
    assert not np.array_equal(every.probs, some.probs)


def test_one_gaussian_is_that_of_the_strokes():
    image, pixels = scene()
    found = gaussian_mixtures(
        image, pixels, settings=MixtureSettings(1), rng=np.random.default_rng(0)
    )
    logs = []
    for k in range(3):
        own = pixels.labels == k
        colours = image[pixels.rows[own], pixels.columns[own]].astype(float)
        spread = np.atleast_2d(np.cov(colours.T, bias=True)) if len(colours) > 1 else 0
        density = multivariate_normal(colours.mean(0), spread + 4 * np.eye(3))
        logs.append(density.logpdf(image.reshape(-1, 3).astype(float)))
    expected = softmax(logs, axis=0).reshape(3, 14, 20)
    np.testing.assert_allclose(found.probs, expected, atol=1e-4)


def test_mixtures_find_two_colours_of_a_class_and_follow_their_generator():
    rng = np.random.default_rng(1)
    image = np.zeros((20, 30, 3), np.float32)
    image[:, :10], image[:, 10:20], image[:, 20:] = 30, 128, 220
    image = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    scribbles = np.full((20, 30), 255, np.uint8)
    scribbles[4, 1:9] = scribbles[4, 21:29] = 0  # dark and bright
    scribbles[10, 11:19] = 1  # between
    pixels = scribbled_pixels(image, scribbles, 2)
    found = [
        gaussian_mixtures(
            image, pixels, settings=MixtureSettings(2), rng=np.random.default_rng(seed)
        )
        for seed in (3, 3)
    ]
    labels = found[0].probs.argmax(0)
    truth = np.zeros((20, 30), int)
    truth[:, 10:20] = 1
    assert (labels == truth).mean() > 0.97
    assert np.array_equal(found[0].probs, found[1].probs)


@pytest.mark.parametrize("model", [parzen, gaussian_mixtures])
def test_one_class_is_certain_and_one_colour_is_even(model):
    given = {} if model is parzen else {"rng": np.random.default_rng(0)}
    image = np.full((6, 8, 3), 77, np.uint8)
    scribbles = np.full((6, 8), 255, np.uint8)
    scribbles[2, 2:5] = 1
    alone = model(image, scribbled_pixels(image, scribbles, 3), **given)
    assert alone.classes.tolist() == [1] and (alone.probs == 1).all()
    scribbles[4, 2:5] = 0
    both = model(image, scribbled_pixels(image, scribbles, 3), **given)
    assert np.isfinite(both.probs).all()
    np.testing.assert_allclose(both.probs.sum(0), 1, atol=1e-5)
    if model is gaussian_mixtures:
        np.testing.assert_allclose(both.probs, 0.5, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_strokes_of_one_colour_need_no_warning():
    image = np.zeros((14, 20, 3), np.uint8)
    image[:, 10:] = 150
    _, pixels = scene()
    found = gaussian_mixtures(image, pixels, rng=np.random.default_rng(0))
    assert np.isfinite(found.probs).all()
    assert found.probs.argmax(axis=0)[9, 12] == 1
