"""Prediction: image-sized probabilities, several scales, mirrored, together, folded, halved."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wsstools.nn.models.networks import build, upsample
from wsstools.nn.predict import Views, fuse_batch_norm, network_features, predict_probs
from wsstools.nn.training.schedules import SCHEDULES, msc_scales

ARCH = "deeplabv2-mobilenetv2"


def with_statistics(arch: str) -> torch.nn.Module:
    """A network whose batch normalization and head are not as they were made."""
    torch.manual_seed(0)
    network = build(arch, 3)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, -0.1, 0.1)
    return network.eval()


@pytest.fixture(scope="module")
def network():
    made = with_statistics(ARCH)
    torch.nn.init.normal_(made.head.branches[0].weight, std=0.05)
    return made


def picture(*size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (37, 50), (64, 8)])
@pytest.mark.parametrize("views", [Views(), Views((0.5, 1.0, 1.5)), Views((0.5, 1.0), flip=True)])
def test_probabilities_are_image_sized_and_sum_to_one(network, size, views):
    image = picture(*size)
    probs = predict_probs(network, image, views=views)
    assert (probs.shape, probs.dtype) == ((3, *size), np.float32)
    np.testing.assert_allclose(probs.sum(0), 1, atol=1e-5)
    assert np.array_equal(probs, predict_probs(network, image.astype(np.float32), views=views))


def test_views_are_averaged(network):
    """Against each view by itself, resized and mirrored by hand."""
    image = picture(40, 48)
    pixels = torch.tensor(image).permute(2, 0, 1)[None].float()
    expected = torch.zeros(1, 3, 40, 48)
    with torch.no_grad():
        for size in ((20, 24), (40, 48)):
            small = F.interpolate(pixels, size, mode="bilinear", align_corners=False)
            for mirrored in (False, True):
                seen = torch.flip(small, [3]) if mirrored else small
                logits = upsample(network(seen)[0], size)
                logits = F.interpolate(logits, (40, 48), mode="bilinear", align_corners=False)
                probs = logits.softmax(1)
                expected += (torch.flip(probs, [3]) if mirrored else probs) / 4
    found = predict_probs(network, image, views=Views((0.5, 1.0), flip=True))
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


def test_a_mirrored_image_gives_the_mirrored_map(network):
    image = picture(33, 41)  # 8 k + 1: nothing is padded
    views = Views((1.0,), flip=True)
    probs = predict_probs(network, image, views=views)
    mirrored = predict_probs(network, image[:, ::-1].copy(), views=views)
    np.testing.assert_allclose(mirrored, probs[..., ::-1], atol=1e-5)


def test_images_together_give_what_each_gives(network):
    images = np.stack([picture(40, 48), picture(40, 48)[::-1], picture(40, 48)[:, ::-1]])
    together = predict_probs(network, images, views=Views((1.0, 0.5)))
    for image, probs in zip(images, together, strict=True):
        alone = predict_probs(network, image, views=Views((1.0, 0.5)))
        np.testing.assert_allclose(probs, alone, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_near(network, precision):
    image = picture(40, 48)
    full = predict_probs(network, image)
    half = predict_probs(network, image, precision=precision)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.1
    np.testing.assert_allclose(half.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize(
    "arch",
    [ARCH, "deeplabv2-resnet50", "pspnet-resnet50", "deeplabv3plus-mobilenetv2", "unet"],
)
def test_folded_batch_norm_changes_nothing(arch):
    network = with_statistics(arch)
    image = torch.tensor(picture(33, 41)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        (expected,) = network(image)
        (found,) = fuse_batch_norm(network)(image)
    left = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert left == []
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_published_scales_hold_the_image_itself():
    assert all(1.0 in msc_scales(arch) for arch in SCHEDULES)
    assert msc_scales("pspnet-resnet101")[-1] == 1.75
    assert msc_scales("deeplabv3plus-resnet50") == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    assert msc_scales("unet") == (1.0,)


@pytest.mark.parametrize(
    ("arch", "stride"),
    [
        (arch, stride)
        for arch in (
            ARCH, "deeplabv2-vgg16", "pspnet-resnet50", "deeplabv3plus-mobilenetv2",
        )
        for stride in (8, 16)
    ] + [("unet", 1)],
)  # fmt: skip
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 33)])
def test_features_lie_on_the_pixels_that_they_are_of(arch, stride, size):
    """The last are the logits, at their stride; finer levels halve the backbone's down to 2."""
    torch.manual_seed(0)
    network = build(arch, 3, output_stride=stride).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(layer.weight, 0.3)  # 50 random layers would overflow
    image = picture(*size)
    features = network_features(network, image)
    *levels, logits = features.levels
    expected = network(torch.tensor(image).permute(2, 0, 1)[None].float())[0][0]
    np.testing.assert_allclose(logits.values, expected.detach(), rtol=1e-3, atol=1e-3)
    assert logits.step == (4 if arch.startswith("deeplabv3plus") else stride)
    steps = [level.step for level in levels]
    if arch == "unet":
        assert steps == [1, 2, 4, 8, 16, 8, 4, 2, 1]
    else:
        assert steps[:3] == [2, 4, 8] and set(steps[3:]) == {stride}
        assert levels[1].values.shape[0] == network.backbone.fine_channels
    for level in features.levels:
        for side, count in zip(size, level.values.shape[1:], strict=True):
            assert (count - 1) * level.step >= side - 1
            if arch != "unet":  # sides are padded to stride k + 1, which is no more than it needs
                assert (count - 1) * level.step < side - 1 + stride


@pytest.mark.parametrize("arch", [ARCH, "deeplabv3plus-mobilenetv2", "unet"])
def test_features_move_with_the_image(arch):
    """By 16 pixels: each level by 16 over its step, which is so only if the step is right."""
    network = with_statistics(arch)
    image = np.full((1, 705, 3), 127, np.uint8)
    image[0, 344:360] = np.random.default_rng(0).integers(0, 256, (16, 3), np.uint8)
    still, moved = (
        network_features(network, array) for array in (image, np.roll(image, 16, axis=1))
    )
    for before, after in zip(still.levels[:-1], moved.levels[:-1], strict=True):
        values, others = before.values[:, 0], after.values[:, 0]
        first, last, by = 320 // before.step, 384 // before.step, 16 // before.step
        middle = values[:, first:last] - values.mean(1, keepdims=True)
        difference = np.abs(others[:, first + by : last + by] - values[:, first:last]).max()
        assert difference < 0.05 * np.abs(middle).max()
