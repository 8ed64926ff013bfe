"""Regularizing losses against sums over all pairs of pixels, as they are written in the papers."""

import itertools

import numpy as np
import pytest
import torch

from wsstools.errors import UsageError
from wsstools.nn.regularizing.affinities import Crops, Gaussians, Neighbours, half_window
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.relaxations import (
    Agreement,
    bilinear,
    collision,
    entropy,
    kernel_cut,
    normalized_cut,
    quadratic,
    total_variation,
)
from wsstools.nn.regularizing.settings import CONSTANTS, PAPER, Constants

SIDE, CLASSES = 8, 3


def crops(n=2, side=SIDE, scale=1.0):
    rng = np.random.default_rng(0)
    blocks = rng.uniform(0, 255, (n, 3, 2, 2)).repeat(side // 2, axis=2).repeat(side // 2, axis=3)
    rgb = torch.from_numpy(blocks + rng.normal(0, 4, blocks.shape)).float()
    is_real = torch.ones(n, side, side, dtype=torch.bool)
    is_real[0, -2:] = False
    labels = torch.from_numpy(np.where(rng.random((n, side, side)) < 0.3, 1, 255))
    return Crops(rgb, is_real, labels, torch.full((n,), scale))


def probabilities(of, dtype=torch.float64):
    torch.manual_seed(0)
    n, height, width = of.is_real.shape
    probs = torch.randn(n, CLASSES, height, width, dtype=dtype).softmax(dim=1)
    return probs * of.is_real.unsqueeze(1)


def matrix(of, weight):
    """(N, pixels, pixels) of weight(image, place, other), 0 where one is not real."""
    n, height, width = of.is_real.shape
    found = np.zeros((n, height * width, height * width))
    for image in range(n):
        for i, j in itertools.product(np.ndindex(height, width), repeat=2):
            if of.is_real[image][i] and of.is_real[image][j]:
                pair = i[0] * width + i[1], j[0] * width + j[1]
                found[image][pair] = weight(image, np.array(i), np.array(j))
    return torch.from_numpy(found)


def colour(of, image, i, j, sigma):
    pixels = of.rgb[image].double()
    difference = pixels[:, i[0], i[1]] - pixels[:, j[0], j[1]]
    return float(torch.exp(-difference.square().sum() / (2 * sigma**2)))


def beside(of, sigma):
    def weight(image, i, j):
        distance = np.hypot(*(i - j))
        near = 0 < np.abs(i - j).max() <= 1
        return colour(of, image, i, j, sigma) / distance if near else 0.0

    return matrix(of, weight)


def windowed(of, sigma, sigma_xy, radius):
    def weight(image, i, j):
        if not 0 < np.abs(i - j).max() <= radius:
            return 0.0
        open_ones = sum(not of.is_labelled[image][tuple(place)] for place in (i, j)) / 2
        spatial = np.exp(-((i - j) ** 2).sum() / (2 * (float(of.scale[image]) * sigma_xy) ** 2))
        return colour(of, image, i, j, sigma) * float(spatial) * open_ones

    return matrix(of, weight)


def gaussian(of, sigma, sigma_xy):
    def weight(image, i, j):
        spatial = np.exp(-((i - j) ** 2).sum() / (2 * (float(of.scale[image]) * sigma_xy) ** 2))
        return colour(of, image, i, j, sigma) * float(spatial)

    return matrix(of, weight)


def flat(probs):
    return probs.flatten(2).transpose(1, 2)  # (N, pixels, C)


def brute(name, probs, weights):
    losses = []
    for p, w in zip(flat(probs), weights, strict=True):
        total = w.sum()
        cut = [p[:, k] @ w @ (1 - p[:, k]) for k in range(CLASSES)]
        volume = [p[:, k] @ w.sum(1) for k in range(CLASSES)]
        pairs = w.nonzero()
        values = w[pairs[:, 0], pairs[:, 1]]
        a, b = p[pairs[:, 0]], p[pairs[:, 1]]
        ncut = sum(c / v for c, v in zip(cut, volume, strict=True)) / CLASSES
        losses.append(
            {
                "bilinear": sum(cut) / total,
                "ncut": ncut,
                "kernelcut": sum(cut) / total + ncut,
                "quadratic": (values * (a - b).square().sum(1)).sum() / 2 / total,
                "collision": -(
                    values * ((a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1)).log()
                ).sum()
                / total,
            }[name]
        )
    return torch.stack(losses).mean()


def with_gradient(loss, probs):
    probs = probs.clone().requires_grad_()
    value = loss(probs)
    return value.detach(), torch.autograd.grad(value, probs)[0]


def assert_same(ours, theirs, probs, rtol=1e-4):
    (value, gradient) = with_gradient(ours, probs.float())
    (expected, direction) = with_gradient(theirs, probs)
    torch.testing.assert_close(value.double(), expected, rtol=rtol, atol=1e-7)
    torch.testing.assert_close(gradient.double(), direction, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_losses_of_neighbours_are_sums_over_pairs(scale):
    of = crops(scale=scale)
    probs = probabilities(of)
    pairs = Neighbours.of(of, half_window(1), 12.0)
    weights = beside(of, 12.0)
    assert_same(
        lambda p: quadratic(Agreement(p, pairs)), lambda p: brute("quadratic", p, weights), probs
    )
    assert_same(
        lambda p: bilinear(Agreement(p, pairs)), lambda p: brute("bilinear", p, weights), probs
    )
    assert_same(
        lambda p: normalized_cut(Agreement(p, pairs)), lambda p: brute("ncut", p, weights), probs
    )
    assert_same(
        lambda p: kernel_cut(Agreement(p, pairs)), lambda p: brute("kernelcut", p, weights), probs
    )
    real = of.is_real.unsqueeze(1)
    assert_same(
        lambda p: collision(torch.where(real, p, 0), pairs),
        lambda p: brute("collision", p, weights),
        probs,
    )


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_gates_and_distances_of_the_window(scale):
    of = crops(scale=scale)
    probs = probabilities(of)
    pairs = Neighbours.of(of, half_window(3), 20.0, 2.5, is_gated=True)
    weights = windowed(of, 20.0, 2.5, 3)
    assert_same(
        lambda p: bilinear(Agreement(p, pairs)), lambda p: brute("bilinear", p, weights), probs
    )


@pytest.mark.parametrize("name", ["bilinear", "ncut", "kernelcut"])
def test_the_matrix_of_gaussians_is_the_sum_over_all_pairs(name, monkeypatch):
    of = crops(scale=0.7)
    probs = probabilities(of)
    gaussians = Gaussians(of, 30.0, 4.0)
    weights = gaussian(of, 30.0, 4.0)
    monkeypatch.setattr(
        gaussians, "filtered", lambda v: (v.flatten(2) @ gaussians._matrices).view_as(v)
    )
    loss = {"bilinear": bilinear, "ncut": normalized_cut, "kernelcut": kernel_cut}[name]
    assert_same(lambda p: loss(Agreement(p, gaussians)), lambda p: brute(name, p, weights), probs)


@pytest.mark.parametrize("name", ["bilinear", "ncut"])
def test_the_lattice_points_where_the_sum_over_all_pairs_does(name):
    """Its gradient at 24 x 24, against that of the matrix; RIVALS: a cosine of .99 and more."""
    of = crops(1, 24)
    of = Crops(of.rgb, torch.ones_like(of.is_real), of.labels, of.scale)
    probs = probabilities(of, torch.float32)
    gaussians = Gaussians(of, 25.0, 8.0)
    loss = {"bilinear": bilinear, "ncut": normalized_cut}[name]
    value, gradient = with_gradient(lambda p: loss(Agreement(p, gaussians)), probs)
    by_lattice = gaussians.filtered(probs)
    exact = (probs.flatten(2) @ gaussians._matrices).view_as(probs)
    assert by_lattice.sum() == pytest.approx(exact.sum().item(), rel=0.5)
    gaussians.filtered = lambda v: (v.flatten(2) @ gaussians._matrices).view_as(v)
    expected, direction = with_gradient(lambda p: loss(Agreement(p, gaussians)), probs)
    assert value == pytest.approx(expected.item(), rel=0.1)
    free = gradient - gradient.mean(dim=1, keepdim=True)  # along the simplex
    ideal = direction - direction.mean(dim=1, keepdim=True)
    assert torch.nn.functional.cosine_similarity(free.flatten(), ideal.flatten(), dim=0) > 0.97


@pytest.mark.parametrize("is_gated", [False, True])
@pytest.mark.parametrize("sigma_xy", [None, 3.0])
def test_weights_of_pairs_are_the_same_on_other_devices(is_gated, sigma_xy, monkeypatch):
    of = crops(scale=0.8)
    compiled = Neighbours.of(of, half_window(2), 20.0, sigma_xy, is_gated=is_gated)
    monkeypatch.setattr(Neighbours, "_on_cpu", Neighbours._on_device)
    on_other_device = Neighbours.of(of, half_window(2), 20.0, sigma_xy, is_gated=is_gated)
    torch.testing.assert_close(on_other_device.weights, compiled.weights)
    assert compiled.weights.max() > 0.1


def test_filtering_pairs_is_the_same_on_other_devices():
    of = crops()
    probs = probabilities(of, torch.float32)
    pairs = Neighbours.of(of, half_window(2), 12.0, 3.0)
    compiled = pairs.filtered(probs)

    class OtherDevice(torch.Tensor):
        @property
        def device(self):
            return torch.device("meta")

    on_other_device = pairs.filtered(probs.as_subclass(OtherDevice)).as_subclass(torch.Tensor)
    torch.testing.assert_close(on_other_device, compiled)


def test_gradients_of_pointwise_losses():
    of = crops()
    probs = probabilities(of).clamp(min=0.01).requires_grad_()
    real = of.is_real
    assert torch.autograd.gradcheck(lambda p: entropy(p * real.unsqueeze(1)), probs)
    assert torch.autograd.gradcheck(lambda p: total_variation(p, real), probs)
    even = torch.full((1, CLASSES, 4, 4), 1 / CLASSES)
    assert entropy(even).item() == pytest.approx(1)
    assert total_variation(even, torch.ones(1, 4, 4, dtype=torch.bool)).item() == 0
    halves = torch.zeros(1, 2, 4, 4)
    halves[:, 0, :, :2] = halves[:, 1, :, 2:] = 1
    steps = total_variation(halves, torch.ones(1, 4, 4, dtype=torch.bool))
    assert steps.item() == pytest.approx(4 / 24)


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("constants", [CONSTANTS, PAPER])
def test_a_weight_does_not_depend_on_the_resolution(name, constants):
    """The same picture at twice the size, looked at in the same detail."""
    side = 48
    small = crops(1, side)
    rgb = small.rgb.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    large = Crops(
        rgb,
        torch.ones(1, 2 * side, 2 * side, dtype=torch.bool),
        torch.full((1, 2 * side, 2 * side), 255),
        torch.tensor([2.0]),
    )
    small = Crops(
        small.rgb, torch.ones_like(small.is_real), torch.full_like(small.labels, 255), small.scale
    )
    torch.manual_seed(0)
    logits = 2 * torch.randn(1, CLASSES, side // 8 + 1, side // 8 + 1)
    of = constants[name]
    scale = max(of.scale, 0.25)
    at_small = Regularizer(name, Constants(scale, of.sigma_rgb, of.sigma_xy), 1.0)
    at_large = Regularizer(name, Constants(scale / 2, of.sigma_rgb, of.sigma_xy), 1.0)
    found = at_large(logits, large, 16)
    assert found.item() == pytest.approx(at_small(logits, small, 8).item(), rel=0.02)


@pytest.mark.parametrize("name", ["tv", "gated"])
def test_logits_finer_than_the_loss_are_seen_at_its_scale(name):
    of = crops(2, 32)
    of.is_real[:] = True
    constants = CONSTANTS[name]
    torch.manual_seed(0)
    logits = torch.randn(2, CLASSES, 32, 32)
    for step in (2, 8):
        chosen = Constants(1 / step, constants.sigma_rgb, constants.sigma_xy)
        regularizer = Regularizer(name, chosen, 1.0)
        coarse = logits[..., ::step, ::step].contiguous()
        found, expected = regularizer(logits, of, 1), regularizer(coarse, of, step)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", CONSTANTS)
def test_padding_and_batch_do_not_count(name):
    of = crops(2, 32)
    of.is_real[:] = True
    of.is_real[:, 20:] = False
    constants = CONSTANTS[name]
    regularizer = Regularizer(name, Constants(1.0, constants.sigma_rgb, constants.sigma_xy), 1.0)
    torch.manual_seed(0)
    logits = torch.randn(2, CLASSES, 5, 5)
    value = regularizer(logits, of, 8)
    other = Crops(of.rgb.clone(), of.is_real, of.labels, of.scale)
    other.rgb[:, :, 20:] = 0
    assert regularizer(logits, other, 8).item() == pytest.approx(value.item(), rel=1e-4)
    twice = Crops(*(torch.cat([part, part]) for part in vars(of).values()))
    both = regularizer(torch.cat([logits, logits]), twice, 8)
    assert both.item() == pytest.approx(value.item(), rel=1e-5)


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_crop_beyond_its_image_adds_nothing(name):
    of = crops(2, 16)
    of.is_real[:] = True
    logits = torch.randn(2, CLASSES, 3, 3, requires_grad=True)
    constants = CONSTANTS[name]
    regularizer = Regularizer(name, Constants(1.0, constants.sigma_rgb, constants.sigma_xy), 1.0)
    alone = Crops(*(part[:1] for part in vars(of).values()))
    expected = regularizer(logits[:1], alone, 8).item() / 2
    of.is_real[1] = False
    loss = regularizer(logits, of, 8)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.isfinite().all() and (gradient[1] == 0).all()


def test_what_is_too_fine_for_a_lattice_names_the_option():
    with pytest.raises(UsageError, match="--loss-sigma-xy"):
        Gaussians(crops(1, 32, 0.01), 10.0, 0.1).filtered(torch.ones(1, 1, 32, 32))


def test_the_weight_grows():
    regularizer = Regularizer("tv", CONSTANTS["tv"], 2.0, begin=10)
    weights = [regularizer.weight_at(i) for i in (0, 9, 10, 14, 19, 50)]
    assert weights == pytest.approx([0, 0, 0.2, 1.0, 2.0, 2.0])
    assert Regularizer("tv", CONSTANTS["tv"], 2.0).weight_at(0) == 2.0
