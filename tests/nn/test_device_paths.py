"""What only a GPU runs, here without one: on `meta`, on the CPU's numbers, and from a tape.

Tensors of the device `meta` have shapes and dtypes and no values: code that waits for one, or mixes
devices, fails on them as it is slow, or fails, on a GPU.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from wsstools.core.potts.levels import Problem
from wsstools.nn.data.crops import Batch
from wsstools.nn.device import reproducible
from wsstools.nn.gpu import depthwise as gpu
from wsstools.nn.models.networks import freeze_batch_norm
from wsstools.nn.potts import DeviceIteration
from wsstools.nn.regularizing.affinities import Crops, Gaussians, Neighbours
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training import loop, replay
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.schedules import SCHEDULES, output_strides

ARCHS = [
    arch
    if arch in ("unet", "deeplabv2-mobilenetv2")
    else pytest.param(arch, marks=pytest.mark.slow)
    for arch in SCHEDULES
]
CLASSES, CROPS, CROP = 3, 4, 33


def made_run(arch, accumulate=1, *, device="cpu", loss=None, weights=None):
    schedule = replace(SCHEDULES[arch], batch=CROPS, crop=CROP)
    regularizer = loss and Regularizer(loss, CONSTANTS[loss], 1.0)
    world = ProcessGroup(device=device)
    return loop._Run(
        arch, CLASSES, output_strides(arch)[0], schedule, 0, None, world, False, weights,
        regularizer, False, accumulate,
    )  # fmt: skip


def a_batch(seed=0, *, soft=False):
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.uniform(0, 255, (CROPS, CROP, CROP, 3)).astype("f4"))
    labels = rng.integers(0, CLASSES, (CROPS, CROP, CROP)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.7] = 255
    targets = torch.from_numpy(labels)
    if soft:
        probs = torch.from_numpy(rng.random((CROPS, CLASSES, CROP, CROP)).astype("f4"))
        targets = probs.softmax(dim=1) * (targets != 255).unsqueeze(1)
    real = torch.ones(CROPS, CROP, CROP, dtype=torch.bool)
    real[1, 20:] = False
    return Batch(images.permute(0, 3, 1, 2), targets, real, torch.ones(CROPS))


@pytest.mark.parametrize("arch", ARCHS)
def test_a_step_to_be_recorded_never_waits_for_the_device(arch, shallow):
    """Forward and backward passes, one part and two, with and without weights of classes."""
    batch = Batch(*(part.to("meta") for part in a_batch()))
    for accumulate, weights in ((1, None), (2, np.ones(CLASSES, np.float32))):
        run = made_run(arch, accumulate, device="meta", weights=weights)
        losses = run._gradients(batch)
        assert (losses.device.type, losses.shape, losses.dtype) == ("meta", (2,), torch.float32)
        for parameter in run.network.parameters():
            assert parameter.grad.shape == parameter.shape
            assert parameter.grad.dtype == torch.float32
        run._descend()


@pytest.mark.parametrize("loss", [name for name in CONSTANTS if name != "tree"])
def test_losses_stay_on_the_device(loss):
    """All but the tree's, which is found on the CPU."""
    run = made_run("unet", 2, device="meta", loss=loss)
    losses = run._gradients(Batch(*(part.to("meta") for part in a_batch())))
    assert losses.device.type == "meta"


@pytest.fixture
def on_meta(monkeypatch):
    """Let affinities compute by the code of other devices, on the numbers of the CPU."""
    for kind, name, other in (
        (Neighbours, "_on_cpu", Neighbours._on_device),
        (Neighbours, "filtered", Neighbours._filtered_on_device),
        (Gaussians, "_on_cpu", Gaussians._on_device),
    ):
        monkeypatch.setattr(kind, name, other)


def regularized(loss, logits):
    """Value, and gradient along the simplex of the probabilities of each logit."""
    batch = a_batch()
    rgb = F.avg_pool2d(batch.images, 5, 1, 2)  # as smooth as photographs, more or less
    crops = Crops(rgb, batch.is_real, batch.targets, batch.scale)
    logits = logits.clone().requires_grad_()
    value = Regularizer(loss, replace(CONSTANTS[loss], scale=1.0), 1.0)(logits, crops, 8)
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient.flatten()


def logits():
    return torch.randn(CROPS, CLASSES, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("loss", ["gated", "potts", "potts-collision", "potts-soft"])
def test_losses_of_neighbours_are_those_of_the_compiled_code(loss, request):
    compiled = regularized(loss, logits())
    request.getfixturevalue("on_meta")
    torch.testing.assert_close(regularized(loss, logits()), compiled, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("loss", ["densecrf", "ncut", "kernelcut"])
def test_losses_of_all_pairs_are_near_those_of_the_lattice(loss, request):
    value, gradient = regularized(loss, logits())
    request.getfixturevalue("on_meta")
    exact, direction = regularized(loss, logits())
    assert value.item() == pytest.approx(exact.item(), rel=0.1)
    assert F.cosine_similarity(gradient, direction, dim=0) > 0.97
    assert gradient.norm().item() == pytest.approx(direction.norm().item(), rel=0.3)


def without_gradient(value):
    return value.detach() if isinstance(value, torch.Tensor) else value


class Tape(TorchDispatchMode):
    """What a CUDA graph does, on a CPU: torch's operations, done again in the same memory.

    An operation whose result decides what is done next, such as the number of labelled pixels,
    cannot be recorded. Random numbers are drawn anew. Recording itself draws none.
    """

    def __init__(self):
        super().__init__()
        self.steps = []

    @contextlib.contextmanager
    def recording(self):
        state = torch.get_rng_state()
        try:
            with self:
                yield
        finally:
            torch.set_rng_state(state)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if any(word in name for word in ("_local_scalar_dense", "nonzero", "masked_select")):
            raise RuntimeError(f"{name} is not permitted when stream is capturing")
        result = function(*args, **(kwargs or {}))
        self.steps.append((function, *tree_map(without_gradient, (args, kwargs or {}, result))))
        return result

    @torch.no_grad()
    def replay(self):
        for function, args, kwargs, result in self.steps:
            again = function(*args, **kwargs)
            for place, value in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(place, torch.Tensor) and place.data_ptr() != value.data_ptr():
                    place.copy_(value)


@pytest.fixture
def tapes(monkeypatch):
    """Let a step be recorded on a tape; gives those that were made."""
    made = []

    def graph():
        made.append(Tape())
        return made[-1]

    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda tape, **_: tape.recording())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    return made


def steps(run, gradients, *, soft):
    """Losses and weights after some steps on other batches each."""
    run.gradients = gradients
    losses = []
    for seed in range(replay._BY_HAND + 4):
        step = run.step(a_batch(seed, soft=soft))
        losses.append(step._losses.clone())  # the next replay writes there
    return torch.stack(losses), [p.detach().clone() for p in run.network.parameters()]


def frozen_run(accumulate):
    """Of a network with dropout; batch normalization, which a tape would move twice, stays."""
    run = made_run("unet", accumulate)
    freeze_batch_norm(run.network)
    return run


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_recorded_step_gives_the_bits_of_one_by_hand(accumulate, tapes):
    run = frozen_run(accumulate)
    losses, weights = steps(run, run._gradients, soft=True)
    assert not tapes
    other = frozen_run(accumulate)
    replayed = replay.Replayed(other._gradients)
    found, state = steps(other, replayed, soft=True)
    assert len(tapes) == 1 and len(tapes[0].steps) > 300
    assert replayed._graph is tapes[0]
    assert torch.equal(found, losses)
    assert len(found.unique(dim=0)) == len(found)
    assert all(map(torch.equal, state, weights))


def test_a_step_that_cannot_be_recorded_is_done_by_hand(tapes):
    """On a CPU the loss of labels looks for the labelled pixels, whose number is another each time."""
    run = frozen_run(1)
    expected = steps(run, run._gradients, soft=False)
    other = frozen_run(1)
    replayed = replay.Replayed(other._gradients)
    found = steps(other, replayed, soft=False)
    assert len(tapes) == 1 and replayed._graph is None
    assert torch.equal(found[0], expected[0])
    assert all(map(torch.equal, found[1], expected[1]))


class Reference:
    """What `wsstools.nn.gpu.kernels` says that its functions give, by torch's convolutions."""

    @staticmethod
    def kernel(taps, *, flipped):
        found = taps.t().reshape(-1, 1, 3, 3)
        return found.flip(2, 3) if flipped else found

    @classmethod
    def convolve(cls, x, taps, stride, dilation, *, flipped):
        kernel = cls.kernel(taps, flipped=flipped)
        return F.conv2d(x, kernel, None, stride, dilation, dilation, x.shape[1])

    @classmethod
    def strided_back(cls, gradient, taps, x):
        kernel = cls.kernel(taps, flipped=False)
        return torch.nn.grad.conv2d_input(x.shape, kernel, gradient, 2, 1, 1, x.shape[1])

    @staticmethod
    def of_weight(x, gradient, stride, dilation, dtype):
        shape = (x.shape[1], 1, 3, 3)
        found = torch.nn.grad.conv2d_weight(
            x.float(), shape, gradient.float(), stride, dilation, dilation, x.shape[1]
        )
        return found.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_depthwise_layers_hand_their_kernels_what_these_take(stride, dilation, dtype, monkeypatch):
    """Layout of the taps, turned kernels and types, with the kernels' own functions by torch."""
    monkeypatch.setattr(gpu, "kernels", lambda: Reference)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 32, 9, 7, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(32, 1, 3, 3, generator=generator).requires_grad_()
    found = gpu.depthwise(x, weight, stride, dilation)
    expected = F.conv2d(x, weight.to(dtype), None, stride, dilation, dilation, 32)
    gradient = torch.randn(expected.shape, generator=generator)
    ours = torch.autograd.grad(found, (x, weight), gradient.to(dtype))
    theirs = torch.autograd.grad(expected, (x, weight), gradient.to(dtype))
    assert [part.dtype for part in ours] == [dtype, torch.float32]
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    for one, other in zip((found, *ours), (expected, *theirs), strict=True):
        assert (one - other).abs().max() < tolerance * other.abs().max()


def test_without_a_gpu_there_are_no_kernels():
    if not torch.cuda.is_available():
        assert gpu.kernels.__wrapped__() is None


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_potts_planes_keep_shape_and_dtype(n_classes, isotropic):
    rng = np.random.default_rng(0)
    shape, finer = (20, 17), (39, 34)
    made = [
        Problem.of(
            rng.exponential(1, (n_classes, *size)).astype(np.float32),
            np.ones(size, np.float32),
            isotropic=isotropic,
        )
        for size in (shape, finer)
    ]
    level = DeviceIteration(made[0], 1e-3, "meta")
    for size, next_problem in ((shape, made[1]), (finer, None)):
        level._iterate(3)
        planes = level._soft, level._ahead, level._moved, level._spare, level._unary
        assert {tuple(plane.shape) for plane in planes} == {(n_classes, *size)}
        assert level._field.shape == level._gradient.shape == (2, n_classes, *size)
        assert {plane.dtype for plane in (*planes, level._field)} == {torch.float32}
        if next_problem is not None:
            level = level.finer(next_problem, 1e-3)


def test_a_gpu_is_asked_for_the_same_bits_and_then_left_as_it_was(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    settings = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory

    def found():
        return torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory

    def fail():
        with reproducible(torch.device("cuda")):
            assert found() == (True, False)
            assert torch.is_deterministic_algorithms_warn_only_enabled()
            assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail()
    assert found() == (False, fill)
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
