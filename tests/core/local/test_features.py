"""Features of a network at the pixels of an image, and a linear model on them."""

from __future__ import annotations

import numpy as np
import pytest
from builders import draw_image
from sklearn.linear_model import LogisticRegression

from wsstools.core.local.features import JoinedFeatures, Level, NetworkFeatures
from wsstools.core.local.forest import forest_on, random_forest
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.linear import linear_model
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import LinearSettings

IMAGE, LABELS, SCRIBBLES = draw_image(0)
HEIGHT, WIDTH = LABELS.shape
EVERYWHERE = np.indices((HEIGHT, WIDTH)).reshape(2, -1)


def random_levels() -> NetworkFeatures:
    """Noise at steps of 1, 4 and 8 pixels, the last level one value beyond the image."""
    rng = np.random.default_rng(0)
    sides = (((side - 1) // step + 2 for side in (HEIGHT, WIDTH)) for step in (1, 4, 8))
    levels = [
        Level(rng.normal(size=(n, *side)).astype(np.float32), step)
        for n, step, side in zip((2, 3, 5), (1, 4, 8), sides, strict=True)
    ]
    return NetworkFeatures(levels, HEIGHT, WIDTH)


def coloured_levels() -> NetworkFeatures:
    """The colours of the image, and their sums over coarse places."""
    colours = np.moveaxis(IMAGE, 2, 0).astype(np.float32)
    coarse = np.ascontiguousarray(colours[:, ::4, ::4])
    return NetworkFeatures([Level(colours, 1), Level(coarse, 4)], HEIGHT, WIDTH)


def test_values_lie_on_their_pixels_and_are_bilinear_in_between():
    ramp = (100 * np.arange(6)[:, None] + np.arange(8)).astype(np.float32)[None]
    features = NetworkFeatures([Level(ramp, 8)], HEIGHT, WIDTH)
    rows, columns = EVERYWHERE
    expected = 100 * rows / 8 + columns / 8  # a plane, which bilinear interpolation keeps
    np.testing.assert_allclose(features.at(rows, columns)[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(features.of_rows(3, 9)[0].ravel(), expected[3 * WIDTH : 9 * WIDTH])


def test_beyond_the_last_value_the_last_one_counts():
    level = Level(np.array([[[1.0, 3.0]]], np.float32), 2)
    features = NetworkFeatures([level], 2, 4)
    assert features.of_rows(0, 2)[0].tolist() == [[1, 2, 3, 4]] * 2  # the line goes on for a step
    single = NetworkFeatures([Level(np.array([[[5.0]]], np.float32), 1)], 1, 1)
    assert single.at(np.array([0]), np.array([0])).tolist() == [[5]]


@pytest.mark.parametrize(
    "features",
    [random_levels(), JoinedFeatures([random_levels(), Responses(IMAGE, gabor_bank())])],
    ids=["levels", "joined"],
)
def test_pixels_rows_and_subsets_agree(features):
    rows, columns = EVERYWHERE
    whole = features.of_rows(0, HEIGHT)
    assert whole.shape == (features.n_features, HEIGHT, WIDTH)
    np.testing.assert_allclose(
        features.at(rows, columns).T, whole.reshape(features.n_features, -1), rtol=1e-4, atol=1e-3
    )
    chosen = np.arange(1, features.n_features, 3)
    part = features.subset(chosen)
    assert part.n_features == len(chosen)
    assert np.array_equal(part.of_rows(5, 9), whole[chosen, 5:9])


def test_sums_of_coarse_features_are_sums_of_fine_ones():
    features = random_levels()
    weights = np.random.default_rng(1).normal(size=(3, features.n_features)).astype(np.float32)
    expected = np.tensordot(weights, features.of_rows(0, HEIGHT), axes=1)
    np.testing.assert_allclose(features.weighted_sums(weights), expected, atol=1e-4)


def test_features_are_standardized_and_constant_ones_become_0():
    values = np.random.default_rng(0).normal(size=(3, 9, 9))
    values[0] = 1e4 + values[0]  # a small change of large values is kept
    values[1] = 0.1  # whose mean is not 0.1 to the last digit
    level = Level(values.astype(np.float32), 2)
    (found,) = NetworkFeatures([level], 17, 17).standardized().levels
    np.testing.assert_allclose(found.values.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(found.values.std(axis=(1, 2)), [1, 0, 1], atol=1e-3)
    expected = (level.values[0] - level.values[0].mean(dtype=float)) / level.values[0].std(
        dtype=float
    )
    np.testing.assert_allclose(found.values[0], expected, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_logistic_regression_on_each_pixel(n_classes):
    """Of scikit-learn, given the same features at full size."""
    scribbles = SCRIBBLES.copy()
    if n_classes == 2:
        scribbles[scribbles == 3] = 255
    pixels = scribbled_pixels(IMAGE, scribbles, None)
    features = coloured_levels()
    settings = LinearSettings(penalty=0.05, temperature=2.0)
    found = linear_model(features, pixels, settings=settings)
    everywhere = features.standardized().of_rows(0, HEIGHT).reshape(6, -1).T
    chosen = pixels.rows * WIDTH + pixels.columns
    model = LogisticRegression(C=1 / (0.05 * len(chosen)), tol=1e-8, max_iter=1000)
    model.fit(everywhere[chosen], pixels.labels)
    logits = np.atleast_2d(model.decision_function(everywhere).T) / 2
    logits = np.vstack([-logits / 2, logits / 2]) if n_classes == 2 else logits
    expected = np.exp(logits) / np.exp(logits).sum(axis=0)
    assert found.classes.tolist() == pixels.classes.tolist()
    np.testing.assert_allclose(found.probs.reshape(n_classes, -1), expected, atol=0.01)


def test_the_linear_model_finds_the_regions_and_ignores_constant_features():
    colours = coloured_levels()
    dead = Level(np.full((1, HEIGHT, WIDTH), 7, np.float32), 1)
    pixels = scribbled_pixels(IMAGE, SCRIBBLES, 4)
    found = linear_model(NetworkFeatures([*colours.levels, dead], HEIGHT, WIDTH), pixels)
    plain = linear_model(colours, pixels)
    assert found.n_classes == 4
    assert (found.classes[found.probs.argmax(axis=0)] == LABELS).mean() > 0.9
    np.testing.assert_allclose(found.probs, plain.probs, atol=1e-4)


def test_most_pixels_of_a_class_are_those_that_count():
    """With one pixel of each class, the rest of the strokes change nothing."""
    few = np.full_like(SCRIBBLES, 255)
    for label in (0, 1, 3):
        row, column = np.argwhere(label == SCRIBBLES)[0]
        few[row, column] = label
    one = LinearSettings(pixels=1, penalty=0.1)
    with_all = linear_model(coloured_levels(), scribbled_pixels(IMAGE, SCRIBBLES, 4), settings=one)
    with_few = linear_model(coloured_levels(), scribbled_pixels(IMAGE, few, 4), settings=one)
    assert np.array_equal(with_all.probs, with_few.probs)


def test_a_single_class_is_certain():
    only = np.where(SCRIBBLES == 1, 1, 255).astype(np.uint8)
    found = linear_model(coloured_levels(), scribbled_pixels(IMAGE, only, 4))
    assert found.classes.tolist() == [1]
    assert (found.probs == 1).all()


def test_a_forest_on_responses_is_the_random_forest():
    pixels = scribbled_pixels(IMAGE, SCRIBBLES, 4)
    direct = random_forest(IMAGE, SCRIBBLES, n_classes=4, rng=3)
    assert np.array_equal(
        forest_on(Responses(IMAGE, gabor_bank()), pixels, rng=3).probs, direct.probs
    )
