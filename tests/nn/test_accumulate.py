"""A batch in parts: the gradient of the whole one, less memory, and runs that go on."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from wsstools.errors import DataError, UsageError
from wsstools.nn.data.crops import Batch
from wsstools.nn.models.networks import build, freeze_batch_norm
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training import loop
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.loop import TrainingStopped, train
from wsstools.nn.training.losses import dice_loss, dice_part, dice_sums
from wsstools.nn.training.schedules import SCHEDULES, output_strides

pytestmark = pytest.mark.trains
ARCH = "deeplabv2-mobilenetv2"
CLASSES, CROPS, CROP = 3, 5, 17
SMALL = replace(SCHEDULES[ARCH], iterations=4, batch=CROPS, crop=CROP)
WEIGHTS = np.array([0.5, 1.0, 2.0], np.float32)


class Scenes:
    """Pictures with strokes of other lengths, other classes, or none."""

    def __len__(self):
        return CROPS

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = rng.uniform(0, 255, (40, 44, 3)).astype(np.float32)
        labels = np.full((40, 44), 255, np.uint8)
        if index != 2:
            labels[8 : 10 + 5 * index, 4:40] = index % CLASSES
            labels[3:5, 10:30] = (index + 1) % CLASSES
        return image, labels


def made_run(accumulate, *, arch="unet", loss=None, dice=False, frozen=True):
    """A run; where `frozen` in double precision, with batch normalization as it is, no dropout."""
    regularizer = loss and Regularizer(loss, CONSTANTS[loss], 1.0)
    schedule = replace(SCHEDULES[arch], batch=CROPS, crop=CROP)
    run = loop._Run(
        arch, CLASSES, output_strides(arch)[0], schedule, 0, None, ProcessGroup(), False, WEIGHTS,
        regularizer, dice, accumulate,
    )  # fmt: skip
    if frozen:
        freeze_batch_norm(run.network)
        run.network.double()
        for layer in run.network.modules():
            if isinstance(layer, (torch.nn.Dropout, torch.nn.Dropout2d)):
                layer.p = 0.0
    return run


def whole_batch(dtype=torch.double, soft=False):
    """Crops with 0 to a few hundred labelled pixels; one reaches beyond its image."""
    parts = [Scenes()[index] for index in range(CROPS)]
    images = torch.tensor(np.stack([image[:CROP, :CROP] for image, _ in parts])).to(dtype)
    labels = torch.tensor(np.stack([labels[:CROP, :CROP] for _, labels in parts]))
    real = torch.ones(CROPS, CROP, CROP, dtype=torch.bool)
    real[3, 12:] = False
    labels[3, 12:] = 255
    if soft:
        known = (labels != 255).unsqueeze(1)
        labels = torch.rand(CROPS, CLASSES, CROP, CROP).softmax(dim=1) * known
    return Batch(images.permute(0, 3, 1, 2), labels, real, torch.linspace(0.7, 1.4, CROPS))


def gradient(run, batch):
    losses = run._gradients(batch)
    found = [p.grad.flatten() for p in run.network.parameters() if p.grad is not None]
    return torch.cat(found), losses


@pytest.mark.parametrize(
    ("arch", "loss", "dice", "soft"),
    [
        ("unet", None, False, False),
        ("unet", None, True, False),
        ("unet", None, True, True),
        pytest.param("unet", "potts", False, False, marks=pytest.mark.slow),
        pytest.param("unet", "densecrf", True, False, marks=pytest.mark.slow),
        pytest.param(ARCH, "gated", True, False, marks=pytest.mark.slow),
        pytest.param("deeplabv2-vgg16", None, True, False, marks=pytest.mark.slow),
        pytest.param("pspnet-resnet50", None, False, False, marks=pytest.mark.slow),
    ],
)
def test_parts_have_the_gradient_of_the_whole_batch(arch, loss, dice, soft, shallow):
    """Plain, with Dice, with losses of neighbours and of all pairs, on labels and on maps.

    One part has no label, and parts have other numbers of crops and labels.
    """
    torch.manual_seed(0)
    batch = whole_batch(soft=soft)
    whole, losses = gradient(made_run(1, arch=arch, loss=loss, dice=dice), batch)
    assert whole.norm() > 0
    for n in (2, CROPS):
        found, seen = gradient(made_run(n, arch=arch, loss=loss, dice=dice), batch)
        assert (found - whole).norm() < 1e-6 * whole.norm()
        torch.testing.assert_close(seen, losses, rtol=1e-6, atol=0)


def test_a_mean_over_parts_would_be_another_gradient():
    """What the tolerances above distinguish: labels are not spread evenly over the parts."""
    batch = whole_batch()
    whole, _ = gradient(made_run(1, dice=True), batch)
    means = sum(gradient(made_run(1, dice=True), part)[0] for part in batch.parts(CROPS)) / CROPS
    assert (means - whole).norm() > 0.1 * whole.norm()


@pytest.mark.parametrize("arch", [ARCH, "unet", "deeplabv3plus-mobilenetv2"])
def test_gradients_of_parts_add_up_in_float32_as_networks_are_trained(arch):
    """Those of compiled layers too: a gradient in the memory of another would count twice."""
    batch, mass = whole_batch(torch.float32), torch.tensor(100.0)
    run = made_run(2, arch=arch, frozen=False)
    before = [buffer.clone() for buffer in run.network.buffers()]

    def gradients(*parts):
        run.optimizer.zero_grad()
        for part in parts:
            run._seed()
            for buffer, value in zip(run.network.buffers(), before, strict=True):
                buffer.copy_(value)  # sums are taken around the running mean
            run._add_gradients(part, 0.5, mass, None)
        return {name: p.grad.clone() for name, p in run.network.named_parameters()}

    one, other = batch.parts(2)
    first, second, both = gradients(one), gradients(other), gradients(one, other)
    for name, found in both.items():
        assert torch.equal(found, first[name] + second[name]), name


def test_parts_are_in_order_and_nearly_equal():
    batch = whole_batch()
    for n, sizes in ((1, [5]), (2, [3, 2]), (3, [2, 2, 1]), (5, [1] * 5)):
        parts = batch.parts(n)
        assert [len(part.images) for part in parts] == sizes
        for name, whole in batch._asdict().items():
            joined = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(joined, whole)
        assert parts[0].images.is_contiguous(memory_format=torch.channels_last)


def test_shares_of_dice_add_up_to_it():
    torch.manual_seed(0)
    logits = torch.randn(4, CLASSES, 5, 4, dtype=torch.double, requires_grad=True)
    target = torch.randint(0, CLASSES, (4, 33, 25), dtype=torch.uint8)
    target[1:, 4:] = 255
    target[2] = 255
    whole = dice_loss(logits, target)
    (expected,) = torch.autograd.grad(whole, logits)
    halves = [dice_sums(logits[k], target[k]) for k in (np.s_[:1], np.s_[1:])]
    total = torch.stack(halves).sum(0)
    parts = [
        dice_part(sums, total, share) for sums, share in zip(halves, (1 / 4, 3 / 4), strict=True)
    ]
    torch.testing.assert_close(sum(parts).detach(), whole.detach(), rtol=1e-5, atol=0)
    (found,) = torch.autograd.grad(sum(parts), logits)
    assert (found - expected).norm() < 1e-6 * expected.norm()


def small_run(**changes):
    options = {"arch": ARCH, "n_classes": CLASSES, "schedule": SMALL, "precision": "float32"}
    return train(Scenes(), **options | changes)


def assert_same(state, other):
    assert [name for name in state if not torch.equal(state[name], other[name])] == []


def test_a_run_sees_the_same_crops_in_parts():
    initial = build(ARCH, CLASSES).state_dict()
    schedule = replace(SMALL, frozen_batch_norm=True, learning_rate=1e-3)
    logs = []
    for n in (1, 2):
        seen = []
        small_run(
            accumulate=n, initial_state=initial, schedule=schedule, class_weights=WEIGHTS,
            on_iteration=lambda step, seen=seen: seen.append(step.loss),
        )  # fmt: skip
        logs.append(seen)
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    assert max(logs[0]) > 1.01 * min(logs[0])


def test_a_run_in_parts_goes_on_from_its_checkpoint_and_from_no_other():
    options = {"accumulate": 2, "dice": True}
    checkpoints, seen = [], []
    state = small_run(**options)
    with pytest.raises(TrainingStopped):
        small_run(
            **options, on_iteration=seen.append, on_checkpoint=checkpoints.append,
            should_stop=lambda: len(seen) > 1,
        )  # fmt: skip
    assert 1 < checkpoints[0]["iteration"] < SMALL.iterations
    assert_same(small_run(**options, resume=checkpoints[0]), state)
    with pytest.raises(DataError, match="a run with accumulate 2, not None"):
        small_run(dice=True, resume=checkpoints[0])
    with pytest.raises(DataError, match="a run with accumulate 2, not 3"):
        small_run(dice=True, accumulate=3, resume=checkpoints[0])


def test_trained_batch_norm_sees_parts_once_each():
    """Also where Dice shows the network all parts before: that pass leaves no trace."""
    statistics = []
    for dice in (False, True):
        run = made_run(2, arch=ARCH, dice=dice, frozen=False)
        run._gradients(whole_batch(torch.float32))
        statistics.append([buffer.clone() for buffer in run.network.buffers()])
        layer = run.network.backbone.features[0][1]
        assert layer.num_batches_tracked == 2 and layer.running_mean.abs().max() > 0
    assert all(map(torch.equal, *statistics))


def test_both_passes_of_dice_draw_the_same_dropout(monkeypatch):
    run = made_run(3, dice=True, frozen=False)
    calls = []
    monkeypatch.setattr(loop, "dice_part", lambda *given: calls.append(given) or dice_part(*given))
    run._seed()
    run._gradients(whole_batch(torch.float32))
    assert len(calls) == 3
    together = torch.stack([sums for sums, _, _ in calls]).sum(0).detach()
    for _, total, _ in calls:
        torch.testing.assert_close(total, together, rtol=1e-6, atol=0)
    assert sum(share for _, _, share in calls) == pytest.approx(1)


def most_saved(run, batch):
    """Most bytes of what forward passes keep for backward passes, at a time; weights left out."""
    own = {p.untyped_storage().data_ptr() for p in run.network.parameters()}
    live, most, now = {}, 0, 0

    class Kept:
        def __init__(self, tensor):
            self.tensor = tensor

    def pack(tensor):
        nonlocal now, most
        storage = tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        kept = Kept(tensor)
        if place in own:
            return kept
        if not live.get(place):
            now += size
        live[place] = live.get(place, 0) + 1
        most = max(most, now)

        def drop():
            nonlocal now
            live[place] -= 1
            if not live[place]:
                now -= size

        weakref.finalize(kept, drop)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        run._gradients(batch)
    assert now == 0
    return most


@pytest.mark.parametrize("dice", [False, True])
def test_parts_keep_less_in_memory(dice):
    run = made_run(1, arch=ARCH, dice=dice, frozen=False)
    batch = whole_batch(torch.float32)
    whole = most_saved(run, batch)
    for n in (2, CROPS):
        run.accumulate = n
        largest = -(-CROPS // n) / CROPS  # share of the largest part
        assert 0.9 * largest < most_saved(run, batch) / whole < largest + 0.06  # and what is small


@pytest.mark.parametrize(
    ("arch", "batch", "n", "message"),
    [
        (ARCH, 5, 6, "a batch of 5 cannot be split into 6 parts"),
        (ARCH, 5, 0, "a batch of 5 cannot be split into 0 parts"),
        ("pspnet-resnet50", 5, 3, r"at least 2 crops in each part \(--batch, --accumulate\)"),
    ],
)
def test_parts_without_crops_are_refused(arch, batch, n, message):
    schedule = replace(SCHEDULES[arch], batch=batch, crop=CROP)
    with pytest.raises(UsageError, match=message):
        small_run(arch=arch, schedule=schedule, accumulate=n)


def test_each_process_has_parts_of_its_own_crops():
    loop.check_parts(ARCH, 2, 2, processes=3)
    loop.check_parts("pspnet-resnet50", 2, 2, processes=3)  # normalizes over three processes
    with pytest.raises(UsageError, match=r"6 \(2 for each of 3 processes\) cannot be split into 3"):
        loop.check_parts(ARCH, 2, 3, processes=3)
