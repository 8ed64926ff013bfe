"""`train --loss`: what is learned, recorded, resumed and refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from wsstools.nn.data.augment import View, crop_view, real_pixels
from wsstools.nn.models.model_files import read_model_header
from wsstools.nn.models.networks import build
from wsstools.nn.regularizing.affinities import Crops
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training.loop import TrainingStopped, train
from wsstools.nn.training.schedules import SCHEDULES

pytestmark = pytest.mark.trains
ARCH = "deeplabv2-mobilenetv2"
SMALL = replace(SCHEDULES[ARCH], iterations=3, batch=2, crop=33)


class Scenes:
    """Pictures of which a few pixels are labelled; the second one has strokes beside labels."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = rng.uniform(0, 255, (40, 28, 3)).astype(np.float32)
        labels = np.full((40, 28), 255, np.uint8)
        labels[5:8, 4:20], labels[20:22, 2:9] = 0, 1
        return image, labels


def trained(regularizer, **more):
    given = {"schedule": SMALL, "precision": "float32", **more}
    return train(Scenes(), arch=ARCH, n_classes=2, regularizer=regularizer, **given)


def differ(one, other):
    return any(not torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def plain():
    """What is learned without a loss beside the cross entropy."""
    return trained(None)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTANTS)
def test_each_loss_changes_what_is_learned_and_one_seed_gives_one_network(plain, name):
    regularizer = Regularizer(name, CONSTANTS[name], 1.0)
    found = trained(regularizer)
    assert differ(plain, found)
    assert not differ(found, trained(regularizer))
    assert all(value.isfinite().all() for value in found.values())


def test_a_loss_without_weight_or_before_its_time_is_none(plain):
    assert not differ(plain, trained(Regularizer("potts", CONSTANTS["potts"], 0.0)))
    assert not differ(plain, trained(Regularizer("potts", CONSTANTS["potts"], 1.0, begin=3)))
    assert differ(plain, trained(Regularizer("potts", CONSTANTS["potts"], 1.0, begin=2)))


def test_a_resumed_run_and_other_constants():
    regularizer = Regularizer("gated", CONSTANTS["gated"], 1.0, begin=1)
    states = []
    with pytest.raises(TrainingStopped):
        trained(regularizer, on_checkpoint=states.append, should_stop=lambda: True)
    assert not differ(trained(regularizer), trained(regularizer, resume=states[0]))
    other = replace(regularizer, weight=2.0)
    with pytest.raises(Exception, match="regulariser"):
        trained(other, resume=states[0])


def test_dice_changes_what_is_learned(plain):
    assert differ(plain, trained(None, dice=True))


@pytest.mark.slow
def test_entropy_and_variation_fall_with_their_loss():
    """Pushed hard, a network is surer, or smoother, than without."""
    schedule = replace(SMALL, iterations=20, min_scale=1.0, max_scale=1.0, mirror=False)
    without = trained(None, schedule=schedule)
    for name, measure in {"entropy": _entropy, "tv": _variation}.items():
        pushed = trained(Regularizer(name, CONSTANTS[name], 20.0), schedule=schedule)
        assert measure(pushed) < measure(without)


def _probs(state):
    network = build(ARCH, 2)
    network.load_state_dict(state)
    image = torch.from_numpy(Scenes()[0][0]).permute(2, 0, 1).unsqueeze(0)
    with torch.no_grad():
        return network.train()(image)[0].softmax(dim=1)  # the statistics of few images are unsure


def _entropy(state):
    probs = _probs(state)
    return -(probs * probs.clamp(min=1e-9).log()).sum(1).mean().item()


def _variation(state):
    probs = _probs(state)
    return probs.diff(dim=2).abs().mean().item() + probs.diff(dim=3).abs().mean().item()


def test_real_pixels_are_those_that_show_the_image():
    image = np.full((20, 30, 3), 7, np.float32)
    view = View(scale=1.0, row=-5, column=-2)
    pixels, labels = crop_view(image, np.zeros((20, 30), np.uint8), view, crop=40)
    real = real_pixels((20, 30), view, 40)
    assert (real == (labels != 255)).all()
    assert real.sum() == 20 * 30 and (pixels[real] == 7).all()


def command(dataset, model, *more):
    return [
        "train", "--images", dataset / "images", "--labels", dataset / "scribbles",
        "--arch", ARCH, "--init", "random", "--iterations", 1, "--batch", 2, "--crop", 33,
        "--precision", "float32", "-o", model, *more,
    ]  # fmt: skip


def recorded(model):
    return json.loads(read_model_header(model.read_bytes())["meta"])["options"]


def test_a_model_says_which_loss_it_had(wss, dataset, tmp_path):
    plain, gated = tmp_path / "plain.pt", tmp_path / "gated.pt"
    given = "--loss", "gated", "--loss-weight", 0.5, "--loss-sigma-xy", 9, "--dice"
    for model, more in ((plain, ()), (gated, given)):
        outcome = wss(*command(dataset, model, *more))
        assert outcome.code == 0, outcome.err
    options = recorded(gated)
    assert {key: value for key, value in options.items() if key.startswith("loss")} == {
        "loss": "gated",
        "loss_weight": 0.5,
        "loss_from": 0,
        "loss_scale": 0.5,
        "loss_sigma_rgb": 5.7,
        "loss_sigma_xy": 9.0,
    }
    assert recorded(gated)["dice"] is True
    assert not any(key.startswith(("loss", "dice")) for key in recorded(plain))
    assert "up to date" in wss(*command(dataset, gated, *given)).err
    other = wss(*command(dataset, gated))
    assert other.code == 2 and "loss_weight 0.5 (now none)" in other.err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("--loss", "gated"), "--loss gated needs --loss-weight X"),
        (("--loss-weight", 1), "--loss-weight needs --loss"),
        (("--loss-sigma-xy", 1), "--loss-sigma-xy needs --loss"),
        (("--loss", "potts", "--loss-weight", 1, "--loss-sigma-xy", 9), "has no --loss-sigma-xy"),
        (("--loss", "tv", "--loss-weight", 1, "--loss-scale", 0.3), "--loss-scale 0.3: expected"),
        (("--loss", "cut", "--loss-weight", 1), "--loss"),
        (("--loss", "tv", "--loss-weight", -1), "--loss-weight"),
        (("--loss-constants", "paper"), "--loss-constants needs --loss"),
        (("--loss", "tv", "--loss-weight", 1, "--loss-from", 1), "there are 1 iterations"),
        (("--loss", "ncut", "--loss-weight", 1, "--loss-sigma-xy", 0.05), "--loss-sigma-xy"),
    ],
)
def test_what_does_not_fit_is_refused(wss, dataset, tmp_path, given, expected):
    outcome = wss(*command(dataset, tmp_path / "net.pt", *given))
    assert outcome.code == 2
    assert expected in outcome.err
    assert not (tmp_path / "net.pt").exists()


def test_shares_of_a_batch_add_up():
    """What the processes of a group add is the loss of the whole batch, as DDP averages them."""
    regularizer = Regularizer("tv", CONSTANTS["tv"], 1.0)
    torch.manual_seed(0)
    logits = torch.randn(4, 2, 5, 5)
    real = torch.ones(4, 33, 33, dtype=torch.bool)
    rgb = torch.rand(4, 3, 33, 33) * 255
    labels = torch.full((4, 33, 33), 255)
    whole = regularizer(logits, Crops(rgb, real, labels, torch.ones(4)), 8)
    parts = [
        regularizer(logits[k::2], Crops(rgb[k::2], real[k::2], labels[k::2], torch.ones(2)), 8) / 2
        for k in range(2)
    ]
    torch.testing.assert_close(sum(parts), whole)
