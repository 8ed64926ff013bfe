"""Batch normalization on the CPU against that of torch."""

import numpy as np
import pytest
import torch
from torch import nn

from wsstools.nn.cpu.batch_norm import BatchNorm, Rectified
from wsstools.nn.models.backbones import MobileNetV2


def plain_and_ours(kind):
    """A convolution, batch normalization and what follows, by torch and by us, alike."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 7, 3, stride=2, bias=False), nn.BatchNorm2d(7), nn.ReLU6()]
    nn.init.normal_(layers[1].weight, 1.5)
    nn.init.normal_(layers[1].bias, 1)
    norm = BatchNorm(7)
    norm.load_state_dict(layers[1].state_dict())
    if kind == "rectified":
        return nn.Sequential(*layers), Rectified(layers[0], norm, layers[2])
    return nn.Sequential(*layers[:2]), nn.Sequential(layers[0], norm)


def gradients(network, image, above):
    result = network(image)
    return result, torch.autograd.grad((result * above).sum(), [image, *network.parameters()])


@pytest.mark.parametrize("kind", ["rectified", "linear"])
@pytest.mark.parametrize("size", [(9, 12), (64, 47), (3, 7)])
def test_training_is_as_with_torchs_batch_norm(kind, size):
    plain, ours = plain_and_ours(kind)
    image = torch.randn(3, 3, *size, requires_grad=True)
    above = torch.randn_like(ours.eval()(image))
    ours.train()
    for _ in range(2):  # the running statistics move too
        expected = gradients(plain, image, above)
        found = gradients(ours, image, above)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    state, reference = ours.state_dict(), plain.state_dict()
    assert state.keys() == reference.keys()
    torch.testing.assert_close(list(state.values())[1:], list(reference.values())[1:])
    torch.testing.assert_close(ours.eval()(image), plain.eval()(image))


def test_statistics_can_be_those_of_all_batches():
    plain, ours = plain_and_ours("linear")
    plain[1].momentum = ours[1].momentum = None
    for _ in range(3):
        image = torch.randn(2, 3, 9, 9)
        plain(image)
        ours(image)
    torch.testing.assert_close(ours[1].running_mean, plain[1].running_mean)
    torch.testing.assert_close(ours[1].running_var, plain[1].running_var)


@pytest.mark.parametrize("kind", ["rectified", "linear"])
def test_bfloat16_is_as_near_to_float32_as_torchs(kind):
    plain, ours = plain_and_ours(kind)
    image = torch.randn(4, 3, 33, 21, requires_grad=True)
    above = torch.randn_like(plain(image))
    expected = gradients(plain, image, above)

    def error(network):
        with torch.autocast("cpu", torch.bfloat16):
            result, parts = gradients(network, image, above)
        assert result.dtype == torch.bfloat16
        assert all(part.dtype == torch.float32 for part in parts)
        pairs = zip((result, *parts), (expected[0], *expected[1]), strict=True)
        return [(a.float() - b).norm().item() / b.norm().item() for a, b in pairs]

    for ours_is, torchs_is in zip(error(ours), error(plain), strict=True):
        assert ours_is <= 1.2 * torchs_is + 1e-3


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_bits_do_not_depend_on_the_number_of_threads(precision):
    norm = BatchNorm(5)
    image = torch.randn(5, 5, 17, 11).to(precision).requires_grad_()
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            result = norm.normalized(image, (0.0, 6.0))
            of_image, of_weight = torch.autograd.grad(result.float().sum(), [image, norm.weight])
            found.append([result, of_image, of_weight])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(other, found[0], strict=True))


def test_a_mean_far_from_zero_costs_no_digits():
    norm = BatchNorm(2)
    spread = torch.randn(2, 2, 40, 40)
    expected = norm(spread)
    torch.testing.assert_close(norm(spread + 1000), expected, rtol=1e-3, atol=2e-3)


def test_one_value_is_refused_and_nan_stays():
    norm = BatchNorm(2)
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(torch.ones(1, 2, 1, 1))
    image = torch.ones(1, 2, 2, 2)
    image[0, 1, 0, 0] = float("nan")
    found = norm.normalized(image, (0.0, 6.0))
    assert np.isnan(found[0, 1].detach().numpy()).all()
    assert (found[0, 0] == 0).all()


def test_layers_that_are_kept_as_they_are_use_the_running_statistics():
    plain, ours = plain_and_ours("rectified")
    plain[1].eval()
    ours[1].eval()
    image = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(ours(image), plain(image))
    assert ours[1].num_batches_tracked == 0


def test_mobilenet_has_them_everywhere():
    norms = [layer for layer in MobileNetV2().modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 51
    assert all(type(norm) is BatchNorm for norm in norms)
    rectified = [layer for layer in MobileNetV2().modules() if isinstance(layer, nn.ReLU6)]
    assert len(rectified) == sum(isinstance(m, Rectified) for m in MobileNetV2().modules()) == 34
