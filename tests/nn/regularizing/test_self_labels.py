"""Soft self-labels: they lessen their energy, keep strokes, and follow colours."""

import numpy as np
import pytest
import torch

from wsstools.nn.regularizing.affinities import Crops, Neighbours, half_window
from wsstools.nn.regularizing.self_labels import self_label_energy, self_label_loss, self_labels

SIDE, CLASSES = 16, 3


def scene():
    """Two halves of two colours, a stroke in each; probabilities that hardly know."""
    rng = np.random.default_rng(0)
    rgb = torch.full((1, 3, SIDE, SIDE), 60.0)
    rgb[:, :, :, SIDE // 2 :] = 180
    rgb += torch.from_numpy(rng.normal(0, 2, rgb.shape)).float()
    labels = torch.full((1, SIDE, SIDE), 255)
    labels[:, 4:8, 2], labels[:, 4:8, -3] = 0, 1
    real = torch.ones(1, SIDE, SIDE, dtype=torch.bool)
    crops = Crops(rgb, real, labels, torch.ones(1))
    torch.manual_seed(0)
    probs = (0.3 * torch.randn(1, CLASSES, SIDE, SIDE)).softmax(dim=1)
    return crops, Neighbours.of(crops, half_window(1), 5.0), probs


@pytest.mark.parametrize("smoothness", [0.1, 2.0, 20.0])
def test_each_step_lessens_the_energy(smoothness):
    crops, neighbours, probs = scene()
    energies = [
        self_label_energy(
            self_labels(probs, crops, neighbours, smoothness, steps),
            probs, crops, neighbours, smoothness,
        ).item()
        for steps in (0, 1, 2, 5, 20, 80)
    ]  # fmt: skip
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < 0.96 * energies[0]


def test_strokes_keep_their_class_and_labels_are_probabilities():
    crops, neighbours, probs = scene()
    labels = self_labels(probs, crops, neighbours, 20.0)
    known = crops.labels != 255
    assert (labels.argmax(1)[known] == crops.labels[known]).all()
    assert (labels.max(1).values[known] == 1).all()
    torch.testing.assert_close(labels.sum(1), torch.ones(1, SIDE, SIDE))


def test_strokes_spread_over_their_colour_and_not_beyond():
    crops, neighbours, probs = scene()
    labels = self_labels(probs, crops, neighbours, 20.0, 400)[0]
    left, right = labels[:, :, : SIDE // 2].mean((1, 2)), labels[:, :, SIDE // 2 :].mean((1, 2))
    assert left[0] > left[1] and right[1] > right[0]


def test_even_labels_teach_nothing():
    crops, neighbours, _ = scene()
    even = torch.full((1, CLASSES, SIDE, SIDE), 1 / CLASSES)
    nothing = torch.full_like(crops.labels, 255)
    crops = Crops(crops.rgb, crops.is_real, nothing, crops.scale)
    logits = torch.randn(1, CLASSES, SIDE, SIDE, requires_grad=True)
    alone = Neighbours(torch.zeros_like(neighbours.weights), neighbours.offsets)
    labels = self_labels(even, crops, alone, 0.0, 0)
    loss = -(logits.softmax(1) * labels).sum(1).log().mean()
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-6, rtol=0)


def test_the_loss_is_that_of_its_labels_and_reaches_open_pixels_alone():
    crops, neighbours, probs = scene()
    probs.requires_grad_()
    loss = self_label_loss(probs, crops, neighbours, 20.0)
    labels = self_labels(probs.detach(), crops, neighbours, 20.0)
    is_open = crops.labels == 255
    expected = -(probs * labels).sum(1).log()[is_open].mean()
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, probs)
    assert (gradient.permute(0, 2, 3, 1)[~is_open] == 0).all()
    assert (gradient.permute(0, 2, 3, 1)[is_open] != 0).any()
