"""The drawn scenes of the demo."""

import numpy as np
import pytest

from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.demo.sample_images import load_textures
from wsstools.demo.scenes import SCENE_CLASSES, SCENE_TEXTURES, draw_scene

N_SCENES = 40


@pytest.fixture(scope="module")
def textures():
    return load_textures()


@pytest.fixture(scope="module")
def scenes(textures):
    """Half the usual size, which the layout does not depend on."""
    return [
        draw_scene(np.random.default_rng([7, i]), textures, height=80, width=104)
        for i in range(N_SCENES)
    ]


def test_scene_has_size_and_types(textures):
    image, labels = draw_scene(np.random.default_rng(0), textures)
    assert image.shape == (160, 208, 3) and image.dtype == np.uint8
    assert labels.shape == (160, 208) and labels.dtype == np.uint8
    assert labels.max() < len(SCENE_CLASSES)


def test_textures_come_from_the_wheel(textures):
    assert sorted(textures) == sorted(SCENE_TEXTURES)
    assert all(texture.ndim == 2 for texture in textures.values())


def test_same_seed_same_scene(textures):
    first, second, other = (
        draw_scene(np.random.default_rng(seed), textures, height=64, width=64) for seed in (4, 4, 5)
    )
    assert first[0].tobytes() == second[0].tobytes() != other[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes() != other[1].tobytes()


@pytest.mark.slow
def test_every_class_is_common_enough(scenes):
    shares = np.array(
        [np.bincount(labels.ravel(), minlength=len(SCENE_CLASSES)) for _, labels in scenes]
    ) / (80 * 104)
    assert shares.shape[1] == len(SCENE_CLASSES)
    assert (shares.mean(axis=0) >= 0.02).all()
    assert ((shares > 0.002).mean(axis=0) >= 0.5).all()


def test_scenes_are_lit_and_differ(scenes):
    images = np.stack([image for image, _ in scenes]).astype(float)
    assert 60 < images.mean() < 190
    assert (images.std(axis=(1, 2, 3)) > 20).all()
    assert images.mean(axis=(1, 2)).std(axis=0).min() > 5


def test_colour_alone_does_not_tell_the_class(scenes):
    """Over the set the nearest mean colour is often wrong; inside one image it does better."""

    def accuracy(pixels, labels):
        present = np.unique(labels)
        means = np.stack([pixels[labels == label].mean(axis=0) for label in present])
        distance = ((pixels[:, None] - means) ** 2).sum(axis=2)
        return (present[distance.argmin(axis=1)] == labels).mean()

    flat = [
        (image.reshape(-1, 3)[::5].astype(float), labels.ravel()[::5]) for image, labels in scenes
    ]
    inside = np.mean([accuracy(*pair) for pair in flat])
    across = accuracy(*(np.concatenate(part) for part in zip(*flat, strict=True)))
    assert across < 0.65 < inside


def test_scene_can_be_scribbled(textures):
    _, labels = draw_scene(np.random.default_rng(1), textures)
    scribbles = simulate_scribbles(labels, rng=np.random.default_rng(1), width=2)
    drawn = scribbles != 255
    assert np.array_equal(scribbles[drawn], labels[drawn])
    assert set(np.unique(scribbles[drawn])) == set(np.unique(labels))
    assert 0.01 < drawn.mean() < 0.03


def test_bad_input_is_named(textures):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fur is missing"):
        draw_scene(rng, {k: v for k, v in textures.items() if k != "fur"})
    with pytest.raises(ValueError, match=r"expected \(H, W\)"):
        draw_scene(rng, {**textures, "grass": np.zeros((4, 4, 3))})
    with pytest.raises(ValueError, match="32"):
        draw_scene(rng, textures, height=20)
