import sys

import numpy as np
import pytest

from wsstools.core.crf import dense_crf
from wsstools.errors import WssError

pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")


def two_halves(rng, shape=(24, 40), border=20, noise=0.2):
    """An image with one vertical edge, and noisy probabilities of its two sides."""
    height, width = shape
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, border:] = (200, 180, 160)
    first = np.where(np.arange(width) < border, 0.6, 0.4) + rng.normal(0, noise, shape)
    first = first.clip(0.05, 0.95)
    return image, np.stack([first, 1 - first]).astype(np.float32)


def direct(probs, image, iterations, floor):
    import pydensecrf.densecrf as densecrf

    n_classes, height, width = probs.shape
    crf = densecrf.DenseCRF2D(width, height, n_classes)
    energy = -np.log(np.maximum(probs, floor)).reshape(n_classes, -1).astype(np.float32)
    crf.setUnaryEnergy(np.ascontiguousarray(energy))
    crf.addPairwiseGaussian(sxy=1.5, compat=4)
    crf.addPairwiseBilateral(sxy=20, srgb=7, rgbim=np.ascontiguousarray(image), compat=2)
    return np.array(crf.inference(iterations)).reshape(probs.shape)


def test_equals_a_direct_call_on_an_image_that_is_not_square():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 17, 3), np.uint8)
    probs = rng.dirichlet(np.ones(4), (9, 17)).transpose(2, 0, 1).astype(np.float32)
    parameters = {"w1": 2, "sigma_alpha": 20, "sigma_beta": 7, "w2": 4, "sigma_gamma": 1.5}
    marginals = dense_crf(probs, image, **parameters, iterations=3, floor=1e-4)
    np.testing.assert_allclose(marginals, direct(probs, image, 3, 1e-4), atol=1e-6)
    assert marginals.dtype == np.float32 and marginals.shape == probs.shape


@pytest.mark.parametrize("n_classes", [2, 5])
def test_marginals_sum_to_one(n_classes):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (12, 7, 3), np.uint8)
    probs = rng.dirichlet(np.full(n_classes, 0.1), (12, 7)).transpose(2, 0, 1)
    marginals = dense_crf(probs, image)
    np.testing.assert_allclose(marginals.sum(axis=0), 1, atol=1e-6)
    assert marginals.min() >= 0


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_a_noisy_border_snaps_to_the_edge_of_the_image(shape):
    image, probs = two_halves(np.random.default_rng(2), shape, border=11)
    truth = image[:, :, 0] > 100
    assert (probs.argmax(axis=0) != truth).mean() > 0.2
    assert (dense_crf(probs, image).argmax(axis=0) == truth).all()


def test_grey_is_colour_with_equal_channels_and_floats_are_rounded_and_clipped():
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 256, (10, 13), np.uint8)
    probs = rng.dirichlet(np.ones(3), (10, 13)).transpose(2, 0, 1)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    expected = dense_crf(probs, colour)
    assert (dense_crf(probs, grey) == expected).all()
    off = colour + rng.uniform(-0.4, 0.4, colour.shape)
    off[colour == 255] += 30
    off[colour == 0] -= 30
    assert (dense_crf(probs, off) == expected).all()
    assert (dense_crf(probs, np.asfortranarray(colour)[:, ::-1]) != expected).any()


def test_without_iterations_or_kernels_the_probabilities_return():
    image, probs = two_halves(np.random.default_rng(4))
    for options in ({"iterations": 0}, {"w1": 0, "w2": 0}):
        np.testing.assert_allclose(dense_crf(probs, image, **options), probs, atol=1e-5)


def test_one_class_needs_no_pydensecrf(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    assert (dense_crf(np.ones((1, 4, 6)), np.zeros((4, 6), np.uint8)) == 1).all()
    with pytest.raises(WssError, match="pip install pydensecrf2") as caught:
        dense_crf(np.full((2, 4, 6), 0.5), np.zeros((4, 6), np.uint8))
    assert "\n" not in str(caught.value)


def test_wrong_input_is_named():
    probs, image = np.full((2, 4, 6), 0.5), np.zeros((4, 6, 3), np.uint8)
    for call, message in (
        (lambda: dense_crf(probs[0], image), "probs has shape"),
        (lambda: dense_crf(probs, image.swapaxes(0, 1)), "image has shape"),
        (lambda: dense_crf(probs, image[:, :, :2]), "image has shape"),
        (lambda: dense_crf(probs, np.full((4, 6), np.nan)), "not finite"),
        (lambda: dense_crf(probs * np.nan, image), "not finite"),
        (lambda: dense_crf(probs, image, sigma_beta=0), "sigma_beta is 0"),
        (lambda: dense_crf(probs, image, iterations=-1), "iterations is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
