"""The tree of a picture against that of scipy, and its filter against sums over all paths."""

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from wsstools.core.compiled.spanning import spanning_tree
from wsstools.nn.regularizing.affinities import Crops
from wsstools.nn.regularizing.trees import Trees, tree_energy

HEIGHT, WIDTH, SIGMA = 6, 5, 40.0


def crops(seed=0, n=2):
    rng = np.random.default_rng(seed)
    rgb = torch.from_numpy(rng.uniform(0, 255, (n, 3, HEIGHT, WIDTH))).float()
    real = torch.ones(n, HEIGHT, WIDTH, dtype=torch.bool)
    labels = torch.from_numpy(np.where(rng.random((n, HEIGHT, WIDTH)) < 0.3, 1, 255))
    return Crops(rgb, real, labels, torch.ones(n))


def tree_of(of, image=0):
    n = HEIGHT * WIDTH
    order, parents, weights = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    spanning_tree(
        of.rgb[image].numpy(), of.is_real[image].numpy(), np.float32(0.5 / SIGMA**2),
        order, parents, weights,
    )  # fmt: skip
    return order, parents, weights


def cost(of, image, one, other):
    colours = of.rgb[image].double().flatten(1)
    return float((colours[:, one] - colours[:, other]).square().sum())


def test_the_tree_costs_what_that_of_scipy_does():
    of = crops()
    order, parents, weights = tree_of(of)
    edges = [
        (i * WIDTH + j, (i + down) * WIDTH + j + 1 - down)
        for i in range(HEIGHT)
        for j in range(WIDTH)
        for down in (0, 1)
        if i + down < HEIGHT and j + 1 - down < WIDTH
    ]
    costs = [cost(of, 0, *edge) for edge in edges]
    size = (HEIGHT * WIDTH,) * 2
    expected = minimum_spanning_tree(coo_array((costs, np.transpose(edges)), shape=size).tocsr())
    found = [cost(of, 0, p, parents[p]) for p in range(1, HEIGHT * WIDTH)]
    assert sum(found) == pytest.approx(expected.sum())
    np.testing.assert_allclose(weights[1:], np.exp(-np.array(found) / (2 * SIGMA**2)), rtol=1e-4)
    assert sorted(order) == list(range(HEIGHT * WIDTH))
    place = np.argsort(order)
    assert parents[0] == -1 and all(place[parents[p]] < place[p] for p in order[1:])


def path_weights(of, image):
    """(pixels, pixels) products of the weights on the paths, found by walking up to the root."""
    _, parents, weights = tree_of(of, image)
    n = len(parents)

    def up(pixel):
        found, weight = {pixel: 1.0}, 1.0
        while parents[pixel] >= 0:
            weight *= weights[pixel]
            pixel = parents[pixel]
            found[pixel] = weight
        return found

    ways = [up(pixel) for pixel in range(n)]
    products = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            meeting = next(pixel for pixel in ways[i] if pixel in ways[j])
            products[i, j] = ways[i][meeting] * ways[j][meeting]
    return torch.from_numpy(products)


def probabilities():
    torch.manual_seed(0)
    return torch.randn(2, 3, HEIGHT, WIDTH, dtype=torch.float64).softmax(dim=1)


def test_the_filter_is_the_sum_over_all_paths():
    of = crops()
    probs = probabilities()
    found = Trees(of, SIGMA).filtered(probs)
    for image in range(2):
        expected = probs[image].flatten(1) @ path_weights(of, image)
        torch.testing.assert_close(found[image].flatten(1).double(), expected, rtol=1e-4, atol=1e-5)


def test_value_and_gradient_of_the_energy():
    of = crops()
    is_open = (~of.is_labelled).double()
    matrices = torch.stack([path_weights(of, image) for image in range(2)])

    def brute(probs):
        smooth = probs.flatten(2) @ matrices / matrices.sum(1, keepdim=True)
        distances = 0.5 * (probs.flatten(2) - smooth).abs().sum(1) * is_open.flatten(1)
        return (distances.sum(1) / is_open.sum((1, 2))).mean()

    def gradient(loss, probs):
        probs = probs.clone().requires_grad_()
        value = loss(probs)
        return value.detach().double(), torch.autograd.grad(value, probs)[0].double()

    probs = probabilities()
    trees = Trees(of, SIGMA)
    found = gradient(lambda p: tree_energy(p, trees, is_open.float()), probs.float())
    torch.testing.assert_close(found, gradient(brute, probs), rtol=1e-3, atol=1e-5)


def test_nothing_goes_through_what_is_not_real():
    of = crops()
    of.is_real[:, 3] = False
    values = torch.zeros(2, 1, HEIGHT, WIDTH)
    values[:, :, 0, 0] = 1
    found = Trees(of, 1000.0).filtered(values)
    assert (found[:, :, :3] > 0.5).all()
    assert (found[:, :, 4:] == 0).all()


def test_pictures_of_one_colour_are_one():
    of = crops()
    of.rgb[:] = 7
    found = Trees(of, SIGMA).filtered(torch.ones(2, 1, HEIGHT, WIDTH))
    torch.testing.assert_close(found, torch.full_like(found, HEIGHT * WIDTH))
