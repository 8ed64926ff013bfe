"""The random forest of an image: growing and predicting."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from builders import N_CLASSES, draw_image
from sklearn.ensemble import RandomForestClassifier

from wsstools.core.local.forest import random_forest
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.growing import binned, grow, grow_with_scikit_learn
from wsstools.core.local.settings import ForestSettings
from wsstools.core.local.trees import from_scikit_learn
from wsstools.errors import SkippedImage


def test_the_forest_labels_what_it_is_shown():
    image, labels, scribbles = draw_image(3)
    for settings in (
        ForestSettings(),
        ForestSettings(engine="sklearn"),
    ):
        found = random_forest(
            image,
            scribbles,
            bank=gabor_bank(),
            n_classes=N_CLASSES,
            **asdict(settings),
            rng=np.random.default_rng(0),
        )
        assert found.classes.tolist() == [0, 1, 3]
        assert found.n_classes == N_CLASSES
        np.testing.assert_allclose(found.probs.sum(axis=0), 1, atol=1e-5)
        accuracy = (found.classes[found.probs.argmax(axis=0)] == labels).mean()
        assert accuracy > 0.95


def noisy_samples(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(8, n) features and 3 classes that depend on some of them, with noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(8, n)).astype(np.float32)
    features[7] = 0.5  # constant
    features[6] = np.round(features[6])  # few values
    score = features[0] + features[1] * features[2] + rng.normal(scale=0.5, size=n)
    return features, np.digitize(score, [-0.5, 0.7])


@pytest.mark.parametrize("options", [{}, {"max_depth": 4}, {"max_leaf_nodes": 9}])
@pytest.mark.parametrize("n_pixels", [1, 63, 64, 200])
def test_prediction_is_that_of_scikit_learn(options, n_pixels):
    """Pure leaves and mixed ones, whole blocks of pixels and parts."""
    features, labels = noisy_samples(400, 0)
    fitted = RandomForestClassifier(9, random_state=1, **options).fit(features.T, labels)
    forest = from_scikit_learn(fitted, 3)
    asked = np.concatenate([noisy_samples(n_pixels, 2)[0], features], axis=1)[:, :n_pixels]
    np.testing.assert_allclose(forest.predict(asked), fitted.predict_proba(asked.T).T, atol=1e-6)


def test_prediction_keeps_values_at_a_threshold_on_its_left():
    values = np.array([[0, 1, 2, 3]], np.float32)
    fitted = RandomForestClassifier(1, bootstrap=False).fit(values.T, [0, 0, 1, 1])
    asked = np.array([[1.5, np.nextafter(np.float32(1.5), np.float32(2))]], np.float32)
    found = from_scikit_learn(fitted, 2).predict(asked)
    np.testing.assert_array_equal(found.argmax(axis=0), [0, 1])


def test_a_class_that_a_forest_has_not_seen_has_probability_0():
    features, labels = noisy_samples(50, 3)
    fitted = RandomForestClassifier(5, random_state=0).fit(features.T, labels)
    found = from_scikit_learn(fitted, 5).predict(features)
    assert found.shape == (5, 50)
    assert (found[3:] == 0).all()


def test_trees_grown_on_bins_fit_their_samples():
    features, labels = noisy_samples(200, 4)
    samples = binned(features, labels, 3)
    growth = grow(samples, n_trees=40, rng=np.random.default_rng(0))
    assert (growth.forest.predict(features).argmax(axis=0) == labels).all()
    assert growth.importances.sum() == pytest.approx(1)
    assert growth.importances[7] == 0
    assert set(np.argsort(-growth.importances)[:3]) == {0, 1, 2}


def test_codes_are_the_ranks_of_the_values():
    features, labels = noisy_samples(2000, 5)
    samples = binned(features, labels, 3)
    for values, codes in zip(features, samples.codes, strict=True):
        ranks = np.unique(values, return_inverse=True)[1]
        np.testing.assert_array_equal(codes, ranks)


def test_more_values_than_codes_share_them_evenly():
    values = np.random.default_rng(0).permutation(200_000).astype(np.float32)[None]
    codes = binned(values, np.zeros(200_000, int), 1).codes[0]
    assert (np.diff(codes[np.argsort(values[0])].astype(int)) >= 0).all()
    counts = np.bincount(codes, minlength=65536)
    assert counts.min() >= 3 and counts.max() <= 4


def test_the_first_split_is_the_best_one():
    """With one feature and no chance of another, the root is found by hand."""
    rng = np.random.default_rng(0)
    values = rng.permutation(200).astype(np.float32)[None]
    labels = (values[0] > 120).astype(int)
    forest = grow(binned(values, labels, 2), n_trees=20, rng=rng).forest
    thresholds = forest.thresholds[forest.roots]
    assert (np.abs(thresholds - 120.5) <= 8).all()  # half way between values that were drawn
    assert forest.depth == 1


def test_features_without_a_split_are_not_needed():
    features, labels = noisy_samples(300, 6)
    growth = grow(binned(features, labels, 3), n_trees=3, rng=np.random.default_rng(0))
    forest, used = growth.forest.on_used_features()
    assert 7 not in used  # constant
    np.testing.assert_array_equal(forest.predict(features[used]), growth.forest.predict(features))


def test_the_same_seed_grows_the_same_forest():
    samples = binned(*noisy_samples(300, 6), 3)
    first, second, other = (
        grow(samples, n_trees=5, rng=np.random.default_rng(seed)).forest for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.thresholds, second.thresholds)
    assert (
        len(first.thresholds) != len(other.thresholds)
        or (first.thresholds != other.thresholds).any()
    )


def test_samples_that_nothing_tells_apart_make_a_mixed_leaf():
    features = np.zeros((2, 60), np.float32)
    labels = np.arange(60) % 3 // 2  # two thirds are 0
    growth = grow(binned(features, labels, 2), n_trees=200, rng=np.random.default_rng(0))
    np.testing.assert_allclose(
        growth.forest.predict(features[:, :1])[:, 0], [2 / 3, 1 / 3], atol=0.03
    )
    assert growth.importances.sum() == 0


def test_the_compiled_forest_is_as_good_as_scikit_learns():
    features, labels = noisy_samples(1500, 9)
    unseen, their_labels = noisy_samples(5000, 10)
    samples = binned(features, labels, 3)
    accuracies = [
        np.mean(
            [
                (
                    engine(samples, n_trees=50, rng=np.random.default_rng(seed))
                    .forest.predict(unseen)
                    .argmax(axis=0)
                    == their_labels
                ).mean()
                for seed in range(3)
            ]
        )
        for engine in (grow, grow_with_scikit_learn)
    ]
    assert abs(accuracies[0] - accuracies[1]) < 0.01


def test_an_image_without_any_contrast_gives_the_shares_of_the_strokes():
    scribbles = np.full((20, 30), 255, np.uint8)
    scribbles[3, :20] = 0
    scribbles[9, :10] = 2
    found = random_forest(
        np.full((20, 30, 3), 90, np.uint8),
        scribbles,
        bank=gabor_bank(),
        n_classes=3,
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(found.probs[0], 2 / 3, atol=0.06)


def test_one_scribbled_class_is_the_answer():
    image, _, scribbles = draw_image(0)
    scribbles[scribbles != 255] = 3
    found = random_forest(
        image, scribbles, bank=gabor_bank(), n_classes=4, rng=np.random.default_rng(0)
    )
    assert found.classes.tolist() == [3]
    assert (found.probs == 1).all()


def test_bad_scribbles_are_refused():
    image, _, scribbles = draw_image(0)
    options = {"bank": gabor_bank(), "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match="class 3"):
        random_forest(image, scribbles, n_classes=3, **options)
    with pytest.raises(ValueError, match="shape"):
        random_forest(image, scribbles[1:], n_classes=4, **options)
    with pytest.raises(SkippedImage):
        random_forest(image, np.full_like(scribbles, 255), n_classes=4, **options)
