"""Who leaves a race, and in which order those who ran stand."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.evaluation.metrics import mean_iou, scores
from wsstools.core.evaluation.race import MIN_IMAGES, Standing, _hits_and_unions, ranked, survivors
from wsstools.core.evaluation.race import winner as winner_of


def confusions(accuracies, n_images=8, *, spread=0.0, seed=0):
    """Three classes of 1000 pixels each; a setting's accuracy, and what images add to it."""
    easiness = np.random.default_rng(seed).normal(0, 0.08, n_images)
    noise = np.random.default_rng(seed + 1).normal(0, spread, (len(accuracies), n_images))
    share = np.clip(np.asarray(accuracies)[:, None] + easiness + noise, 0, 1)
    hits = np.rint(1000 * share).astype(np.int64)
    matrices = np.zeros((*hits.shape, 3, 3), np.int64)
    for c in range(3):
        matrices[:, :, c, c] = hits
        matrices[:, :, c, (c + 1) % 3] = 1000 - hits
    return matrices


def stays(matrices, **options):
    return survivors(matrices, np.random.default_rng(3), **options).tolist()


def test_the_clearly_worse_leave_and_the_best_stays():
    assert stays(confusions([0.5, 0.8, 0.6])) == [False, True, False]


def test_images_that_are_hard_for_all_do_not_hide_a_difference():
    """Images differ by 8 points, the settings by 1: seen in pairs, that is clear."""
    assert stays(confusions([0.70, 0.71])) == [False, True]


def test_those_that_differ_by_chance_stay():
    assert stays(confusions([0.70, 0.705, 0.70], spread=0.05)) == [True, True, True]


def test_ties_stay():
    assert stays(confusions([0.7, 0.7, 0.4, 0.7])) == [True, True, False, True]


def test_on_few_images_nobody_leaves():
    accuracies = [0.9, 0.1]
    assert stays(confusions(accuracies, MIN_IMAGES - 1)) == [True, True]
    assert stays(confusions(accuracies, MIN_IMAGES)) == [True, False]


@pytest.mark.parametrize("seed", range(10))
def test_the_leader_never_leaves(seed):
    matrices = confusions(np.linspace(0.6, 0.64, 9), spread=0.03, seed=seed)
    mious = [scores(_padded(one.sum(axis=0))).mean_iou for one in matrices]
    assert stays(matrices)[int(np.argmax(mious))]


def test_a_larger_share_is_more_careful():
    matrices = confusions([0.70, 0.71, 0.72, 0.73], spread=0.03)
    kept = [sum(stays(matrices, share=share)) for share in (0.6, 0.9, 0.999)]
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]


def test_the_same_generator_gives_the_same_answer():
    matrices = confusions(np.linspace(0.6, 0.64, 9), spread=0.03)
    assert stays(matrices) == stays(matrices)


def test_mean_iou_is_that_of_score():
    """Classes that occur in neither ground truth nor labels are left out of the mean."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 50, (4, 4))
    matrix[2] = matrix[:, 2] = 0
    found = mean_iou(*_hits_and_unions(matrix[None, None]))
    assert found[0, 0] == pytest.approx(scores(_padded(matrix)).mean_iou, abs=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected \\(S, N, C, C\\)"):
        survivors(np.zeros(shape, np.int64), np.random.default_rng(0))


def test_ranks():
    def standing(name, miou, n_images=9, **more):
        return Standing({"lambda": name}, miou, n_images, **more)

    early = standing(1, 0.9, 6, is_out=True)
    late = standing(2, 0.3, 8, is_out=True)
    good, better = standing(3, 0.5), standing(4, 0.6)
    paper = standing(5, 0.7, is_paper=True, is_contender=False)
    tie = standing(6, 0.6)
    order = ranked([early, late, good, better, paper, tie])
    assert order == [paper, better, tie, good, late, early]
    assert winner_of(order) is better


def _padded(matrix):
    whole = np.zeros((256, 256), np.int64)
    whole[: len(matrix), : len(matrix)] = matrix
    return whole
