"""The loss: labels and probabilities, few pixels and many, summed over the labelled ones."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wsstools.core.map_operations import adjust_prior, weighted_shares
from wsstools.core.maps import ProbabilityMap
from wsstools.nn.models.networks import upsample
from wsstools.nn.training import losses
from wsstools.nn.training.losses import (
    class_weights,
    dice_loss,
    logits_at,
    loss_sum,
    target_mass,
    with_label_weight,
)


def pictures(share: float, n_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of two images of 18 x 21 pixels, and labels of a share of their pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, n_classes, 4, 4, generator=generator, requires_grad=True)
    labels = torch.randint(0, n_classes, (2, 18, 21), generator=generator, dtype=torch.uint8)
    labels[torch.rand(2, 18, 21, generator=generator) >= share] = 255
    return logits, labels


def test_logits_of_single_pixels_are_those_at_image_size():
    logits, _ = pictures(1)
    images, rows, columns = torch.ones(2, 25, 25).nonzero(as_tuple=True)
    whole = upsample(logits, (25, 25)).permute(0, 2, 3, 1).flatten(0, 2)
    torch.testing.assert_close(logits_at(logits, images, rows, columns), whole)


@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 1.0])
def test_labels_few_or_many_have_the_loss_of_their_pixels(share, stride):
    logits, labels = pictures(share)
    pixels = upsample(logits, (18, 21), stride)
    expected = F.cross_entropy(pixels, labels.long(), ignore_index=255, reduction="sum")
    found = loss_sum(logits, labels, stride=stride)
    assert 0 < target_mass(labels) == (labels != 255).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits)
    )


@pytest.mark.parametrize("of_classes", [None, [0.5, 1, 2]])
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_labels_that_are_less_certain_count_less(share, of_classes):
    logits, labels = pictures(share)
    certain = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    targets = torch.where(certain | (labels == 255), labels, labels + 3)
    balance = None if of_classes is None else np.array(of_classes, np.float32)
    weights = torch.from_numpy(with_label_weight(balance, 3, 0.25))
    pixels = upsample(logits, (18, 21))
    losses = F.cross_entropy(pixels, labels.long(), ignore_index=255, reduction="none")
    of_class = torch.ones(256) if of_classes is None else torch.tensor([*of_classes, *[0.0] * 253])
    counts = of_class[labels.long()] * torch.where(certain, 1, 0.25) * (labels != 255)
    found = loss_sum(logits, targets, weights)
    torch.testing.assert_close(target_mass(targets, weights).float(), counts.sum())
    torch.testing.assert_close(found, (losses * counts).sum())
    torch.testing.assert_close(
        torch.autograd.grad(found, logits, retain_graph=True),
        torch.autograd.grad((losses * counts).sum(), logits),
    )


def test_weights_make_a_network_learn_weighted_shares_and_dividing_them_out_the_true_ones():
    """Pixels that look alike: the loss is least where P_c is s_c w_c over their sum."""
    labels = torch.tensor([0] * 12 + [1] * 3 + [2], dtype=torch.uint8).view(1, 4, 4)
    shares = np.array([12, 3, 1]) / 16
    weights = class_weights(np.array([12, 3, 1]), 0.5)
    learned = weighted_shares(shares, weights.astype(np.float64))
    np.testing.assert_allclose(learned, np.sqrt([12, 3, 1]) / np.sqrt([12, 3, 1]).sum(), rtol=1e-6)
    logits = torch.tensor(np.log(learned), dtype=torch.float32).requires_grad_()
    alike = logits.view(1, 3, 1, 1).expand(1, 3, 2, 2)
    loss_sum(alike, labels, torch.from_numpy(weights)).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(3), rtol=0, atol=1e-5)
    found = ProbabilityMap(learned.astype(np.float32)[:, None, None], np.arange(3), 3)
    restored = adjust_prior(found, weighted_shares(np.ones(3), weights), np.ones(3) / 3)
    np.testing.assert_allclose(restored.probs[:, 0, 0], shares, rtol=1e-5)


def test_nothing_labelled_is_no_loss_and_no_gradient():
    logits, labels = pictures(0)
    loss = loss_sum(logits, labels)
    assert (loss.item(), target_mass(labels).item()) == (0, 0)
    loss.backward()
    assert (logits.grad == 0).all()


def test_probabilities_have_the_loss_of_a_mixture_of_labels():
    logits, labels = pictures(1)
    other = (labels + 1) % 3
    probs = 0.75 * F.one_hot(labels.long(), 3) + 0.25 * F.one_hot(other.long(), 3)
    probs = probs.permute(0, 3, 1, 2).float()
    expected = 0.75 * loss_sum(logits, labels) + 0.25 * loss_sum(logits, other)
    torch.testing.assert_close(loss_sum(logits, probs), expected)
    assert target_mass(probs).item() == pytest.approx(2 * 18 * 21)
    probs[0] = 0  # an image of which nothing is known
    torch.testing.assert_close(loss_sum(logits, probs), loss_sum(logits[1:], probs[1:]))


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_a_pixel_counts_as_much_as_the_weight_of_its_class(share):
    logits, labels = pictures(share)
    weights = torch.tensor([0.5, 0.0, 3.0])

    def only(c):
        return torch.where(labels == c, labels, 255)

    expected = 0.5 * loss_sum(logits, only(0)) + 3 * loss_sum(logits, only(2))
    found = loss_sum(logits, labels, weights)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits)
    )
    mass = 0.5 * (labels == 0).sum() + 3 * (labels == 2).sum()
    assert target_mass(labels, weights) == mass.double()


def test_probabilities_are_weighted_as_labels_are():
    logits, labels = pictures(1)
    weights = torch.tensor([0.5, 0.0, 3.0])
    probs = F.one_hot(labels.long(), 3).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(loss_sum(logits, probs, weights), loss_sum(logits, labels, weights))
    assert target_mass(probs, weights) == target_mass(labels, weights)


@pytest.mark.parametrize("balance", [0, 0.5, 1])
def test_class_weights_go_from_equal_pixels_to_equal_classes(balance):
    pixels = np.array([900, 90, 0, 10])
    weights = class_weights(pixels, balance)
    assert (pixels @ weights) / pixels.sum() == pytest.approx(1)
    assert weights[2] == 0
    there = weights[pixels > 0]
    assert there / there[0] == pytest.approx(np.array([1, 10, 90]) ** balance)


def brute_dice(probs, truth):
    """Probabilities and targets of labelled pixels, (pixels, C)."""
    parts = [
        1 - 2 * (probs[:, c] * truth[:, c]).sum() / (probs[:, c].sum() + truth[:, c].sum())
        for c in range(truth.shape[1])
        if truth[:, c].sum() > 0
    ]
    return sum(parts) / len(parts)


@pytest.mark.parametrize("share", [0.02, 0.9])
def test_dice_is_that_of_the_labelled_pixels_of_the_batch(share):
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 5, 4, requires_grad=True)
    target = torch.randint(0, 3, (2, 33, 25))
    target = torch.where(torch.rand(target.shape) < share, target, 255).to(torch.uint8)
    probs = upsample(logits, (33, 25)).softmax(dim=1).permute(0, 2, 3, 1)[target != 255]
    truth = F.one_hot(target[target != 255].long(), 4)
    expected = brute_dice(probs, truth)
    found = dice_loss(logits, target)
    torch.testing.assert_close(found, expected)
    (gradient,), (other,) = (torch.autograd.grad(x, logits) for x in (found, expected))
    torch.testing.assert_close(gradient, other)


def test_dice_of_maps_of_nothing_and_of_less_certain_labels():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 3, 3)
    probs = upsample(logits, (17, 17)).softmax(dim=1)
    maps = torch.rand(1, 3, 17, 17).softmax(dim=1)
    maps[:, :, :5] = 0
    known = maps[0].sum(0) > 0
    expected = brute_dice(probs[0][:, known].T, maps[0][:, known].T)
    torch.testing.assert_close(dice_loss(logits, maps), expected)
    nothing = torch.full((1, 17, 17), 255, dtype=torch.uint8)
    assert dice_loss(logits, nothing) == 0
    target = torch.randint(0, 3, (1, 17, 17), dtype=torch.uint8)
    beside = torch.where(torch.rand(1, 17, 17) < 0.5, target, target + 3)
    even = torch.ones(6)
    torch.testing.assert_close(dice_loss(logits, beside, even), dice_loss(logits, target))
    certain = torch.where(beside < 3, beside, 255).to(torch.uint8)
    hardly = torch.tensor([1.0, 1, 1, 1e-6, 1e-6, 1e-6])
    torch.testing.assert_close(
        dice_loss(logits, beside, hardly), dice_loss(logits, certain), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("n_weights", [0, 3, 6])
def test_the_cross_entropy_of_a_gpu_is_that_of_a_cpu(n_weights):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, n_weights or 3, (2, 9, 7), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.5] = 255
    weights = torch.rand(n_weights, generator=generator) if n_weights else None
    found = []
    for entropy in (losses._cross_entropy, losses._cross_entropy_of_classes):
        logits = torch.randn((2, 3, 9, 7), generator=generator.manual_seed(1), requires_grad=True)
        loss = entropy(logits, labels, weights)
        loss.backward()
        found.append((loss.detach(), logits.grad))
    torch.testing.assert_close(found[0], found[1])
