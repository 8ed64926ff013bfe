"""The fully connected CRF: engines against pydensecrf, invariants, limits."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from wsstools.core.crf.mean_field import Kernels, dense_crf, mean_field
from wsstools.core.potts.solver import unary
from wsstools.errors import WssError

PARAMETERS = {"w1": 2, "sigma_alpha": 20, "sigma_beta": 7, "w2": 4, "sigma_gamma": 1.5}


@pytest.fixture
def densecrf():
    return pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")


def two_halves(rng, shape=(24, 40), border=20, noise=0.2):
    """An image with one vertical edge, and noisy probabilities of its two sides."""
    height, width = shape
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, border:] = (200, 180, 160)
    first = np.where(np.arange(width) < border, 0.6, 0.4) + rng.normal(0, noise, shape)
    first = first.clip(0.05, 0.95)
    return image, np.stack([first, 1 - first]).astype(np.float32)


def random_map(rng, n_classes, shape, concentration=1.0):
    probs = rng.dirichlet(np.full(n_classes, concentration), shape)
    return probs.transpose(2, 0, 1).astype(np.float32)


def soft_image(rng, shape, noise=4):
    """Coloured regions with noise: the vertices of its lattice have neighbours."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    image = np.stack([3 * x + y, 200 - 2 * y, np.where(x > width / 2, 40, 160)], axis=2)
    return np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def direct(densecrf, probs, image, iterations, floor):
    n_classes, height, width = probs.shape
    crf = densecrf.DenseCRF2D(width, height, n_classes)
    energy = -np.log(np.maximum(probs, floor)).reshape(n_classes, -1).astype(np.float32)
    crf.setUnaryEnergy(np.ascontiguousarray(energy))
    crf.addPairwiseGaussian(sxy=1.5, compat=4)
    crf.addPairwiseBilateral(sxy=20, srgb=7, rgbim=np.ascontiguousarray(image), compat=2)
    return np.array(crf.inference(iterations)).reshape(probs.shape)


@pytest.mark.parametrize("engine", ["compiled", "pydensecrf"])
def test_equals_a_direct_call_on_an_image_that_is_not_square(densecrf, engine):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 17, 3), np.uint8)
    probs = random_map(rng, 4, (9, 17))
    solution = dense_crf(probs, image, **PARAMETERS, iterations=3, floor=1e-4, engine=engine)
    expected = direct(densecrf, probs, image, 3, 1e-4)
    np.testing.assert_allclose(solution.marginals, expected, atol=1e-5)
    assert solution.marginals.dtype == np.float32 and solution.marginals.shape == probs.shape
    assert solution.pruned == () and solution.pruned_mass == 0


# Rows of 2, 4, 8 and 24 values; numbers of pixels that are no multiple of 4; dark corners, where
# the points at the origin are that pydensecrf adds.
@pytest.mark.parametrize(
    ("n_classes", "shape"),
    [(2, (60, 81)), (3, (1, 1)), (4, (1, 50)), (5, (70, 90)), (8, (33, 1)), (21, (50, 61))],
)
def test_the_compiled_engine_gives_the_marginals_of_pydensecrf(densecrf, n_classes, shape):
    rng = np.random.default_rng(1)
    image = soft_image(rng, shape)
    image[:4, :4] = rng.integers(0, 12, image[:4, :4].shape)
    probs = random_map(rng, n_classes, shape, 0.3)
    ours, theirs = (
        dense_crf(probs, image, iterations=10, engine=engine).marginals
        for engine in ("compiled", "pydensecrf")
    )
    off = np.abs(ours - theirs).max(axis=0)
    assert off.max() <= 1e-3 and (off <= 1e-4).mean() >= 0.999
    assert (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean() >= 0.9999


@pytest.mark.parametrize(
    "reaches",
    [
        {"sigma_alpha": 80, "sigma_beta": 13, "sigma_gamma": 3},
        {"sigma_alpha": 2.5, "sigma_beta": 1.1, "sigma_gamma": 0.7},
        {"sigma_alpha": 1e6, "sigma_beta": 1e6, "sigma_gamma": 1e6},
        {"sigma_alpha": 0.1, "sigma_beta": 20, "sigma_gamma": 0.1},
        {"sigma_alpha": 20, "sigma_beta": 0.1, "sigma_gamma": 1},
    ],
)
def test_the_engines_agree_on_short_and_long_reaches(densecrf, reaches):
    rng = np.random.default_rng(2)
    image = soft_image(rng, (40, 53))
    probs = random_map(rng, 2, (40, 53), 0.5)
    ours, theirs = (
        dense_crf(probs, image, **reaches, engine=engine).marginals
        for engine in ("compiled", "pydensecrf")
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.slow
def test_the_compiled_engine_imports_no_pydensecrf():
    code = (
        "import sys, numpy as np\n"
        "from wsstools.core.crf.mean_field import dense_crf\n"
        "dense_crf(np.full((2, 3, 4), 0.5), np.zeros((3, 4), np.uint8))\n"
        "sys.exit(any(name.startswith('pydensecrf') for name in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("n_classes", [2, 5])
def test_marginals_sum_to_one(n_classes):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (12, 7, 3), np.uint8)
    probs = rng.dirichlet(np.full(n_classes, 0.1), (12, 7)).transpose(2, 0, 1)
    marginals = dense_crf(probs, image).marginals
    np.testing.assert_allclose(marginals.sum(axis=0), 1, atol=1e-6)
    assert marginals.min() >= 0


def test_a_permutation_of_the_classes_permutes_the_marginals():
    rng = np.random.default_rng(5)
    image, probs = soft_image(rng, (30, 41)), random_map(rng, 5, (30, 41))
    order = [3, 0, 4, 2, 1]
    marginals = dense_crf(probs, image).marginals
    np.testing.assert_allclose(
        dense_crf(probs[order], image).marginals, marginals[order], atol=1e-5
    )


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_a_noisy_border_snaps_to_the_edge_of_the_image(shape):
    image, probs = two_halves(np.random.default_rng(2), shape, border=11)
    truth = image[:, :, 0] > 100
    assert (probs.argmax(axis=0) != truth).mean() > 0.2
    assert (dense_crf(probs, image).marginals.argmax(axis=0) == truth).all()


def test_grey_is_colour_with_equal_channels_and_floats_are_rounded_and_clipped():
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 256, (10, 13), np.uint8)
    probs = random_map(rng, 3, (10, 13))
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    expected = dense_crf(probs, colour).marginals
    assert (dense_crf(probs, grey).marginals == expected).all()
    off = colour + rng.uniform(-0.4, 0.4, colour.shape)
    off[colour == 255] += 30
    off[colour == 0] -= 30
    assert (dense_crf(probs, off).marginals == expected).all()
    mirrored = np.asfortranarray(colour)[:, ::-1]
    assert (dense_crf(probs, mirrored).marginals != expected).any()


def test_a_constant_image_smooths_by_position_alone():
    probs = np.full((2, 20, 30), 0.5, np.float32)
    probs[:, :, :15] = np.array([0.7, 0.3], np.float32)[:, None, None]
    probs[:, :, 15:] = np.array([0.3, 0.7], np.float32)[:, None, None]
    probs[:, 10, 5] = 0.2, 0.8  # a speck
    marginals = dense_crf(probs, np.full((20, 30), 90, np.uint8)).marginals
    assert (marginals[0, :, :12] > 0.9).all() and (marginals[1, :, 18:] > 0.9).all()


def test_without_iterations_or_kernels_the_probabilities_return():
    image, probs = two_halves(np.random.default_rng(4))
    for options in ({"iterations": 0}, {"w1": 0, "w2": 0}):
        np.testing.assert_allclose(dense_crf(probs, image, **options).marginals, probs, atol=1e-5)


def test_kernels_serve_any_costs_weights_and_iterations():
    rng = np.random.default_rng(6)
    image, probs = soft_image(rng, (22, 35)), random_map(rng, 3, (22, 35))
    reaches = {"sigma_alpha": 12, "sigma_beta": 9, "sigma_gamma": 1.2}
    kernels = Kernels.of(image, **reaches)
    for weights in ({"w1": 1, "w2": 2, "iterations": 4}, {"w1": 6, "w2": 0.5, "iterations": 2}):
        found = mean_field(unary(probs), kernels, **weights)
        assert (found == dense_crf(probs, image, **reaches, **weights).marginals).all()
    with pytest.raises(ValueError, match="costs has shape"):
        mean_field(unary(probs[:, 1:]), kernels)


def test_threads_give_the_same_bytes():
    rng = np.random.default_rng(7)
    image, probs = soft_image(rng, (40, 61)), random_map(rng, 4, (40, 61))
    expected = dense_crf(probs, image).marginals
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: dense_crf(probs, image).marginals}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all((marginals == expected).all() for marginals in found.values())


def with_traces(rng, shape, mass):
    """Three classes with structure, and between them three that hold at most `mass` together."""
    _, strong = two_halves(rng, shape)
    probs = np.zeros((6, *shape), np.float32)
    probs[[0, 5]] = strong * 0.8
    probs[2] = 0.2
    probs *= 1 - mass
    probs[[1, 3, 4]] = mass / 3 * rng.uniform(0, 1, (3, *shape))
    return probs / probs.sum(axis=0)


def test_classes_below_the_floor_are_solved_as_one_without_error():
    rng = np.random.default_rng(8)
    image, _ = two_halves(rng)
    probs = with_traces(rng, (24, 40), 0.009)
    whole, pruned = (dense_crf(probs, image, prune=p, floor=0.004) for p in (0, 0.01))
    assert whole.pruned == () and whole.pruned_mass == 0
    assert pruned.pruned == (1, 3, 4)
    np.testing.assert_allclose(pruned.pruned_mass, probs[[1, 3, 4]].sum(axis=0).max(), rtol=1e-5)
    np.testing.assert_allclose(pruned.marginals, whole.marginals, atol=2e-6)


def test_improbable_classes_are_solved_as_one_almost_without_error():
    rng = np.random.default_rng(10)
    image, _ = two_halves(rng)
    probs = with_traces(rng, (24, 40), 0.05)
    whole, pruned = (dense_crf(probs, image, prune=p, floor=1e-4) for p in (0, 0.05))
    assert pruned.pruned == (1, 3, 4)
    np.testing.assert_allclose(pruned.marginals, whole.marginals, atol=1e-4)
    np.testing.assert_allclose(pruned.marginals.sum(axis=0), 1, atol=1e-6)
    assert (pruned.marginals.argmax(axis=0) == whole.marginals.argmax(axis=0)).all()


def test_what_pruned_classes_hold_together_counts():
    rng = np.random.default_rng(9)
    image, _ = two_halves(rng)
    probs = with_traces(rng, (24, 40), 0.009)
    solution = dense_crf(probs, image, prune=0.0065)
    assert len(solution.pruned) == 2 and solution.pruned_mass <= 0.0065
    assert dense_crf(probs, image, prune=0.0025).pruned == ()  # one class alone gains nothing


def test_of_classes_that_are_all_negligible_one_stays():
    probs = np.full((4, 5, 6), 0.25, np.float32)
    solution = dense_crf(probs, np.zeros((5, 6), np.uint8), prune=0.99)
    assert solution.pruned == (0, 1, 2)
    np.testing.assert_allclose(solution.marginals, 0.25, atol=1e-6)


def test_one_class_needs_no_pydensecrf(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    image = np.zeros((4, 6), np.uint8)
    for engine in ("compiled", "pydensecrf"):
        assert (dense_crf(np.ones((1, 4, 6)), image, engine=engine).marginals == 1).all()
    with pytest.raises(WssError, match="pip install pydensecrf2") as caught:
        dense_crf(np.full((2, 4, 6), 0.5), image, engine="pydensecrf")
    assert "\n" not in str(caught.value)


def test_wrong_input_is_named():
    probs, image = np.full((2, 4, 6), 0.5), np.zeros((4, 6, 3), np.uint8)
    varied = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    for call, message in (
        (lambda: dense_crf(probs[0], image), "probs has shape"),
        (lambda: dense_crf(probs, image.swapaxes(0, 1)), "image has shape"),
        (lambda: dense_crf(probs, image[:, :, :2]), "image has shape"),
        (lambda: dense_crf(probs, np.full((4, 6), np.nan)), "not finite"),
        (lambda: dense_crf(probs * np.nan, image), "not finite"),
        (lambda: dense_crf(probs, image, sigma_beta=0), "sigma_beta is 0"),
        (lambda: dense_crf(probs, image, sigma_alpha=np.nan), "sigma_alpha is nan"),
        (lambda: dense_crf(probs, image, iterations=-1), "iterations is -1"),
        (lambda: dense_crf(probs, image, prune=1), "prune is 1"),
        (lambda: dense_crf(probs, image, engine="c"), "engine is 'c', expected one of compiled"),
        (lambda: dense_crf(probs, varied, sigma_beta=0.01), "sigma_beta 0.01 is too small"),
        (lambda: dense_crf(probs, varied, sigma_beta=1e-50), "sigma_beta 1e-50 is too small"),
        (lambda: dense_crf(probs, image, sigma_gamma=1e-9), "sigma_gamma 1e-09 is too small"),
        (
            lambda: Kernels.of(image[:, :, :2], sigma_alpha=1, sigma_beta=1, sigma_gamma=1),
            "image has",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
