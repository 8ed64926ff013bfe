"""MobileNetV2's bottleneck: the same numbers and gradients as its parts one by one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wsstools.nn.cpu.batch_norm import BatchNorm, Rectified
from wsstools.nn.cpu.bottleneck import Bottleneck
from wsstools.nn.cpu.depthwise import Depthwise
from wsstools.nn.models.backbones import MobileNetV2

SHAPES = [(1, 1), (2, 1), (1, 2), (1, 4)]
SIZES = [(9, 8), (3, 7), (26, 17)]


def bottleneck(channels=48, stride=1, dilation=1):
    torch.manual_seed(0)
    ours = Bottleneck(
        Rectified(nn.Conv2d(3, channels, 1, bias=False), BatchNorm(channels), nn.ReLU6()),
        Rectified(
            Depthwise(channels, stride=stride, dilation=dilation), BatchNorm(channels), nn.ReLU6()
        ),
        nn.Conv2d(channels, 5, 1, bias=False),
        BatchNorm(5),
    )
    for norm in ours.modules():
        if isinstance(norm, BatchNorm):
            nn.init.normal_(norm.weight, 1.5)
            nn.init.normal_(norm.bias, 1)
    return ours


def by_torch(layers, x):
    """What a bottleneck gives in training, by torch's functions; its statistics follow."""
    (widen, norm, _), (depthwise, norm_after, _), narrow, last = layers
    for layer, its_norm in ((widen, norm), (depthwise, norm_after), (narrow, last)):
        x = F.conv2d(
            x, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
        )
        x = F.batch_norm(
            x, its_norm.running_mean, its_norm.running_var, its_norm.weight, its_norm.bias,
            True, its_norm.momentum, its_norm.eps,
        )  # fmt: skip
        x = x if its_norm is last else F.relu6(x)
    return x


def gradients(layers, run, x, above):
    result = run(x)
    return result, torch.autograd.grad((result * above).sum(), [x, *layers.parameters()])


@pytest.mark.parametrize(("stride", "dilation"), SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_training_is_as_with_torchs_layers(stride, dilation, size):
    ours, reference = (bottleneck(48, stride, dilation) for _ in range(2))
    x = torch.randn(3, 3, *size, requires_grad=True)
    above = torch.randn_like(by_torch(bottleneck(48, stride, dilation), x))
    for _ in range(2):  # the running statistics move too
        expected = gradients(reference, lambda x: by_torch(reference, x), x, above)
        found = gradients(ours, ours, x, above)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    for name, value in ours.named_buffers():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value, reference.get_buffer(name))
    assert ours[0][1].num_batches_tracked == ours[1][1].num_batches_tracked == 2


@pytest.mark.parametrize(("stride", "dilation"), SHAPES)
def test_bfloat16_is_as_near_to_float32_as_torchs(stride, dilation):
    layers = bottleneck(96, stride, dilation)
    x = torch.randn(4, 3, 21, 18, requires_grad=True)
    above = torch.randn_like(by_torch(layers, x))
    expected = gradients(layers, lambda x: by_torch(layers, x), x, above)

    def error(run):
        with torch.autocast("cpu", torch.bfloat16):
            result, parts = gradients(layers, run, x, above)
        assert all(part.dtype == torch.float32 for part in parts)
        pairs = zip((result, *parts), (expected[0], *expected[1]), strict=True)
        errors = [(a.float() - b).norm().item() / b.norm().item() for a, b in pairs]
        return sum(errors) / len(errors)  # a single one varies by half with the numbers drawn

    assert error(layers) <= 1.2 * error(lambda x: by_torch(layers, x))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [32, 400])  # more than are worked on at a time
def test_the_bits_do_not_depend_on_the_number_of_threads(precision, channels):
    image = torch.randn(5, 3, 40, 33)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            layers = bottleneck(channels, stride=2)
            convolved = layers[0][0](image).to(precision)
            layers[0][0] = nn.Identity()
            layers[2] = layers[3] = nn.Identity()  # ours alone: torch's bits may depend on them
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                result = layers(convolved)
            found.append([result, *torch.autograd.grad(result.float().sum(), layers[1][0].weight)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(other, found[0], strict=True))


def test_many_channels_are_as_few():
    layers = bottleneck(400, dilation=2)
    x = torch.randn(2, 3, 40, 33, requires_grad=True)
    above = torch.randn(2, 5, 40, 33)
    expected = gradients(layers, lambda x: by_torch(layers, x), x, above)
    torch.testing.assert_close(gradients(layers, layers, x, above), expected, rtol=2e-3, atol=2e-3)


def test_channels_that_fill_no_vector_and_kept_statistics_train_too():
    x = torch.randn(2, 3, 9, 9)
    odd = bottleneck(7)
    torch.testing.assert_close(odd(x), by_torch(bottleneck(7), x), rtol=1e-4, atol=1e-4)
    kept = bottleneck()
    expected = kept.eval()(x)
    kept.train()
    for norm in (kept[0][1], kept[1][1], kept[3]):
        norm.eval()
    torch.testing.assert_close(kept(x), expected)
    assert kept[0][1].num_batches_tracked == 0


def test_means_far_from_zero_cost_few_digits():
    layers, reference = bottleneck(), bottleneck()
    with torch.no_grad():
        for one in (layers, reference):
            one[0][1].bias.fill_(3)  # rectified features of about 3, whose sum of nine is convolved
            one[1][0].weight.abs_().add_(1)
    x = torch.randn(2, 3, 30, 30)
    for _ in range(2):
        expected = by_torch(reference, x)
        torch.testing.assert_close(layers(x), expected, rtol=1e-3, atol=2e-3)


def test_nan_stays():
    x = torch.randn(2, 3, 9, 9)
    x[0, 0, 0, 0] = float("nan")
    assert bottleneck()(x).isnan().any()


def test_mobilenet_has_them_wherever_it_widens():
    assert sum(isinstance(layer, Bottleneck) for layer in MobileNetV2().modules()) == 16
