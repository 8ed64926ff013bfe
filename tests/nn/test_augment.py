"""Views of images: exact crops, padding, the same geometry for images and labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wsstools.core.compiled.warp import warp_image
from wsstools.core.maps import ProbabilityMap
from wsstools.nn.data.augment import View, crop_view, draw_view
from wsstools.nn.data.crops import Samples, batches
from wsstools.nn.training.schedules import SCHEDULES

MEAN = 255 * np.array([0.485, 0.456, 0.406])


class Pictures:
    """Small random pictures with labels."""

    def __init__(self, n=5, size=(20, 26)):
        rng = np.random.default_rng(0)
        self.images = [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(n)]
        self.labels = [rng.integers(0, 3, size, np.uint8) for _ in range(n)]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def test_plain_view_is_the_image_padded():
    image, labels = Pictures()[0]
    pixels, classes = crop_view(image, labels, View(row=4, column=-3), crop=24)
    expected = np.broadcast_to(MEAN, (24, 24, 3)).copy()
    expected[:16, 3:] = image[4:, :21]
    np.testing.assert_allclose(pixels, expected, atol=0.01)
    assert (classes[:16, 3:] == labels[4:, :21]).all()
    assert (classes[16:] == 255).all()
    assert (classes[:, :3] == 255).all()
    assert (pixels.dtype, classes.dtype) == (np.float32, np.uint8)


def test_mirror_and_quarter_turn():
    image, labels = Pictures(size=(24, 24))[0]
    pixels, classes = crop_view(image, labels, View(mirror=True), crop=24)
    assert (classes == labels[:, ::-1]).all()
    np.testing.assert_allclose(pixels, image[:, ::-1], atol=0.01)
    pixels, classes = crop_view(image, labels, View(rotation=90), crop=24)
    assert (classes == np.rot90(labels, k=-1)).all()  # clockwise
    np.testing.assert_allclose(pixels, np.rot90(image, k=-1), atol=0.01)


def test_threefold_scale_repeats_labels():
    image, labels = Pictures()[0]
    _, classes = crop_view(image, labels, View(scale=3), crop=30)
    assert (classes == labels[:10, :10].repeat(3, 0).repeat(3, 1)).all()


def test_image_and_labels_keep_their_register():
    """A picture whose left half is bright and of class 1 stays so in any view."""
    labels = np.zeros((60, 60), np.uint8)
    labels[:, :30] = 1
    image = np.repeat(labels[..., None] * np.float32(255), 3, axis=2)
    schedule = replace(SCHEDULES["pspnet-resnet50"], crop=33, max_rotation=30.0)
    rng = np.random.default_rng(1)
    for _ in range(20):
        view = draw_view(labels.shape, schedule, rng=rng)
        pixels, classes = crop_view(image, labels, view, crop=33)
        sure = (classes != 255) & ((pixels[..., 0] < 50) | (pixels[..., 0] > 205))
        assert ((pixels[..., 0] > 127) == classes)[sure].all()


def test_views_cover_the_image_and_the_padding():
    schedule = replace(SCHEDULES["deeplabv2-mobilenetv2"], crop=24, min_scale=1, max_scale=1)
    rng = np.random.default_rng(0)
    views = [draw_view((20, 26), schedule, rng=rng) for _ in range(300)]
    assert {view.row for view in views} == set(range(-4, 1))
    assert {view.column for view in views} == set(range(3))
    assert {view.mirror for view in views} == {False, True}


def test_epochs_go_through_all_images_each_in_its_own_order():
    schedule = replace(SCHEDULES["deeplabv2-mobilenetv2"], iterations=5, batch=2, crop=16)
    seen = []

    class Spy(Pictures):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    samples = Samples(Spy(), schedule, seed=3)
    assert len(samples) == 10
    for n in range(10):
        samples[n]
    assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))
    assert seen[:5] != seen[5:]


def test_workers_and_resuming_do_not_change_the_samples():
    schedule = replace(SCHEDULES["deeplabv2-mobilenetv2"], iterations=4, batch=2, crop=16)
    samples = Samples(Pictures(), schedule, seed=3)
    alone = list(batches(samples))
    helped = list(batches(samples, workers=2))
    resumed = list(batches(samples, first=2))
    assert len(alone) == len(helped) == 4
    for batch, others in zip(alone, helped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, others, strict=True))
    for batch, others in zip(alone[2:], resumed, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, others, strict=True))
    assert not torch.equal(alone[0][0], next(batches(Samples(Pictures(), schedule, seed=4)))[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_a_reader_keep_their_line(workers):
    class Broken(Pictures):
        def __getitem__(self, index):
            raise OSError("lake.jpg: cut off")

    schedule = replace(SCHEDULES["deeplabv2-mobilenetv2"], iterations=1, batch=2, crop=16)
    with pytest.raises(OSError, match=r"^lake\.jpg: cut off$"):
        next(batches(Samples(Broken(), schedule, seed=0), workers=workers))


def test_probabilities_are_seen_as_the_image_is():
    """Three maps that repeat the colours of the image."""
    image, _ = Pictures()[0]
    probs = image.transpose(2, 0, 1).astype(np.float32) + 1
    total = probs.sum(0)
    as_map = ProbabilityMap(probs / total, np.array([0, 2, 3]), 5)
    picture = np.moveaxis(as_map.probs, 0, -1)
    rng = np.random.default_rng(3)
    schedule = replace(SCHEDULES["pspnet-resnet50"], crop=25)
    for _ in range(5):
        view = draw_view((20, 26), schedule, rng=rng)
        _, found = crop_view(image, as_map, view, crop=25)
        matrix = view.matrix((20, 26), 25)
        expected = warp_image(picture, matrix, 25, (0, 0, 0))
        inside = expected.sum(-1) >= 0.5
        expected[inside] /= expected[inside].sum(-1, keepdims=True)
        expected[~inside] = 0
        np.testing.assert_allclose(np.moveaxis(found[[0, 2, 3]], 0, -1), expected, atol=1e-6)
        assert (found[[1, 4]] == 0).all()
        assert found.sum(0)[inside] == pytest.approx(1)


def test_pixels_whose_best_class_is_improbable_are_ignored():
    probs = np.stack([np.full((4, 4), 0.6), np.full((4, 4), 0.4)]).astype(np.float32)
    probs[:, 0, 0] = 0.9, 0.1
    as_map = ProbabilityMap(probs, np.arange(2), 2)
    image = np.zeros((4, 4, 3), np.uint8)
    _, found = crop_view(image, as_map, View(), crop=4, min_prob=0.7)
    assert found[:, 0, 0] == pytest.approx([0.9, 0.1])
    assert found.sum() == pytest.approx(1)
    _, found = crop_view(image, as_map, View(), crop=4)
    assert found.sum() == pytest.approx(16)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\), expected \(H, W, 3\)"),
        (np.zeros((4, 4, 3)), "holds float64, expected uint8 or float32"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        warp_image(image, View().matrix((4, 4), 4), 4, (0, 0, 0))
