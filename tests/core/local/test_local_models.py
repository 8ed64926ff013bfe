"""Random walks and gradient boosting on the scribbles of one image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from builders import N_CLASSES, draw_image
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from wsstools.core.local import bands
from wsstools.core.local import random_walker as walker_module
from wsstools.core.local.boosting import gradient_boosting
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.random_walker import random_walker
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import BoostingSettings
from wsstools.errors import SkippedImage

SHORT = BoostingSettings(rounds=8, l2=1.0)


def walk(image, scribbles, n_classes=N_CLASSES, **options):
    return random_walker(image, scribbles, n_classes=n_classes, **options)


def boost(image, scribbles, n_classes=N_CLASSES, *, seed=0, settings=SHORT):
    rng = np.random.default_rng(seed)
    pixels = scribbled_pixels(image, scribbles, n_classes)
    return gradient_boosting(Responses(image, gabor_bank()), pixels, settings=settings, rng=rng)


BOTH = pytest.mark.parametrize("predict", [walk, boost])


def dense_solution(image, scribbles, beta) -> np.ndarray:
    """(K, H, W): the Dirichlet problem of the random walk, written out and solved densely."""
    colours = image.astype(float) / 255
    height, width = scribbles.shape
    places = list(itertools.product(range(height), range(width)))
    laplacian = np.zeros((len(places), len(places)))
    for (i, a), (j, b) in itertools.combinations(enumerate(places), 2):
        if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1:
            difference = ((colours[a] - colours[b]) ** 2).sum()
            weight = np.exp(-beta * difference / (10 * np.sqrt(3) * colours.std())) + 1e-10
            laplacian[[i, j], [j, i]] -= weight
            laplacian[[i, j], [i, j]] += weight
    labels = scribbles.ravel()
    known = labels != 255
    classes = np.unique(labels[known])
    probs = (labels == classes[:, None]).astype(float)  # (K, H * W)
    inner, border = laplacian[np.ix_(~known, ~known)], laplacian[np.ix_(~known, known)]
    probs[:, ~known] = np.linalg.solve(inner, -border @ probs[:, known].T).T
    return probs.reshape(len(classes), height, width)


@pytest.mark.parametrize("beta", [0.0, 30.0, 1000.0])
def test_the_walk_is_a_dense_solution_of_its_equations(beta):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    scribbles = np.full((6, 7), 255, np.uint8)
    scribbles[0, :3], scribbles[4, 5], scribbles[5, 0] = 0, 2, 7
    found = walk(image, scribbles, 9, beta=beta)
    assert found.classes.tolist() == [0, 2, 7]
    np.testing.assert_allclose(found.probs, dense_solution(image, scribbles, beta), atol=1e-5)


def test_pixels_that_edges_cut_off_are_solved_too():
    """A black spot on white is all but unreachable; its surroundings decide it all the same."""
    image = np.full((7, 8, 3), 255, np.uint8)
    image[3, 2:4] = 0
    image[5, 6] = 0
    scribbles = np.full((7, 8), 255, np.uint8)
    scribbles[:, 0], scribbles[:, 7] = 0, 1
    found = walk(image, scribbles, 2, beta=10000)
    expected = dense_solution(image, scribbles, 10000)
    np.testing.assert_allclose(found.probs, expected, atol=1e-4)
    assert found.probs[0, 3, 2] > 0.5 > found.probs[0, 5, 6]


def test_without_edges_the_walk_counts_steps():
    """On one row of one colour the probability falls linearly (the gambler's ruin)."""
    scribbles = np.array([[1, 255, 255, 255, 0]], np.uint8)
    found = walk(np.full((1, 5, 3), 9, np.uint8), scribbles)
    np.testing.assert_allclose(found.probs[1, 0], [1, 0.75, 0.5, 0.25, 0], atol=1e-6)


def test_with_larger_beta_the_walk_crosses_edges_less():
    image = np.full((9, 12, 3), 60, np.uint8)
    image[:, 5:] = 120
    scribbles = np.full((9, 12), 255, np.uint8)
    scribbles[4, 1], scribbles[4, 10] = 0, 1
    crossed = [walk(image, scribbles, beta=b).probs[0, :, 5:].mean() for b in (0, 10, 100, 1000)]
    assert crossed == sorted(crossed, reverse=True)
    assert crossed[0] > 0.2 > 0.01 > crossed[-1]


def test_fully_scribbled_images_are_their_scribbles():
    image, labels, _ = draw_image(0)
    found = walk(image, labels)
    assert found.probs.shape == (3, *labels.shape)
    np.testing.assert_array_equal(found.classes[found.probs.argmax(axis=0)], labels)
    assert set(np.unique(found.probs)) == {0, 1}


def test_wide_images_walk_alike():
    """Float images of 16-bit files hold 0..255 too."""
    image, _, scribbles = draw_image(0)
    wide = walk(image.astype(np.float32), scribbles)
    np.testing.assert_array_equal(wide.probs, walk(image, scribbles).probs)


def test_large_images_are_walked_reduced(monkeypatch):
    image, labels, scribbles = draw_image(0)
    scribbles[20:23, 20:23] = 1
    scribbles[21, 21] = 2  # loses its square: no walk can meet it
    monkeypatch.setattr(walker_module, "_MOST_PIXELS", scribbles.size // 8)
    found = random_walker(image, scribbles, n_classes=N_CLASSES, beta=100)
    assert found.info == {"reduced_by": 3}
    assert found.classes.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.probs.sum(axis=0), 1, atol=1e-5)
    predicted = found.classes[found.probs.argmax(axis=0)]
    assert (predicted == labels).mean() > 0.95
    known = scribbles != 255
    np.testing.assert_array_equal(predicted[known], scribbles[known])
    assert (predicted == 2).sum() == 1


def test_an_unsolved_walk_is_reported(monkeypatch):
    def broken(colours, seeds, **_):
        return np.full((seeds.max(), *seeds.shape), np.nan)

    monkeypatch.setattr("skimage.segmentation.random_walker", broken)
    image, _, scribbles = draw_image(0)
    with pytest.raises(ValueError, match="could not be solved with beta 77"):
        walk(image, scribbles, beta=77)


@BOTH
def test_a_model_labels_what_it_is_shown(predict):
    image, labels, scribbles = draw_image(3)
    found = predict(image, scribbles)
    assert found.probs.dtype == np.float32
    assert found.classes.tolist() == [0, 1, 3]
    assert found.n_classes == N_CLASSES
    np.testing.assert_allclose(found.probs.sum(axis=0), 1, atol=1e-5)
    assert found.probs.min() >= 0
    assert (found.classes[found.probs.argmax(axis=0)] == labels).mean() > 0.95


@BOTH
def test_two_classes_give_two_planes_whatever_their_names(predict):
    image, labels, scribbles = draw_image(1)
    scribbles[scribbles == 3] = 255
    found = predict(image, scribbles)
    assert found.classes.tolist() == [0, 1]
    known = scribbles != 255
    right = found.classes[found.probs.argmax(axis=0)][known] == labels[known]
    assert right.mean() > 0.9
    renamed = predict(image, np.where(known, scribbles + 5, 255).astype(np.uint8), 9)
    assert renamed.classes.tolist() == [5, 6]
    np.testing.assert_array_equal(renamed.probs, found.probs)


@BOTH
def test_one_scribbled_class_is_the_answer(predict):
    image, _, scribbles = draw_image(0)
    scribbles[scribbles != 255] = 3
    found = predict(image, scribbles)
    assert found.classes.tolist() == [3]
    assert (found.probs == 1).all()


@BOTH
def test_a_class_of_one_pixel_stays_a_class(predict):
    image, _, scribbles = draw_image(0)
    scribbles[20, 20] = 2
    found = predict(image, scribbles)
    assert found.classes.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.probs.sum(axis=0), 1, atol=1e-5)
    assert found.probs[2, 20, 20] > 0


@BOTH
def test_bad_scribbles_are_refused(predict):
    image, _, scribbles = draw_image(0)
    with pytest.raises(ValueError, match="class 3"):
        predict(image, scribbles, 3)
    with pytest.raises(ValueError, match="shape"):
        predict(image, scribbles[1:])
    with pytest.raises(SkippedImage):
        predict(image, np.full_like(scribbles, 255))


@pytest.mark.slow
def test_boosting_is_that_of_scikit_learn():
    image, _, scribbles = draw_image(4)
    settings = BoostingSettings(rounds=5, learning_rate=0.3, leaves=6, l2=2.0)
    found = boost(image, scribbles, seed=7, settings=settings)
    responses = Responses(image, gabor_bank())
    rows, columns = np.nonzero(scribbles != 255)
    model = HistGradientBoostingClassifier(
        max_iter=5,
        learning_rate=0.3,
        max_leaf_nodes=6,
        l2_regularization=2.0,
        min_samples_leaf=5,
        max_features=0.05,
        early_stopping=False,
        random_state=int(np.random.default_rng(7).integers(2**31)),
    ).fit(responses.at(rows, columns), scribbles[rows, columns])
    features = responses.of_rows(0, len(image)).reshape(160, -1).T
    expected = model.predict_proba(features).T.reshape(found.probs.shape)
    np.testing.assert_allclose(found.probs, expected, atol=1e-6)


def test_boosting_gives_the_same_for_any_number_of_threads_and_any_bands(monkeypatch):
    image, _, scribbles = draw_image(2)
    with threadpool_limits(1, user_api="openmp"):
        one = boost(image, scribbles).probs
    with threadpool_limits(2, user_api="openmp"):
        np.testing.assert_array_equal(boost(image, scribbles).probs, one)
    monkeypatch.setattr(bands, "_PIXELS_AT_ONCE", 1)
    monkeypatch.setattr(bands, "_LEAST_ROWS", 7)
    np.testing.assert_allclose(boost(image, scribbles).probs, one, atol=1e-5)


def test_with_more_rounds_boosting_fits_the_scribbles_closer():
    image, _, scribbles = draw_image(5)
    known = scribbles != 255

    def certainty(settings: BoostingSettings) -> float:
        return boost(image, scribbles, settings=settings).probs.max(axis=0)[known].mean()

    few, many = certainty(BoostingSettings(rounds=3)), certainty(BoostingSettings(rounds=20))
    assert few + 0.1 < many
    assert certainty(BoostingSettings(rounds=20, l2=3000)) < many - 0.05
