"""Training, prediction and model files: small runs of the MobileNetV2 network."""

import copy
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import SHARED

from wsstools.core.evaluation.metrics import confusion_matrix, scores
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import DataError, UsageError
from wsstools.nn.models import model_files
from wsstools.nn.models.backbones import MobileNetV2
from wsstools.nn.models.heads import AuxiliaryHead, PyramidHead
from wsstools.nn.models.initial import imagenet_state, load_initial, read_state
from wsstools.nn.models.model_files import (
    decode_checkpoint,
    decode_model,
    encode_checkpoint,
    encode_model,
)
from wsstools.nn.models.networks import SegmentationNetwork, build
from wsstools.nn.predict import predict_probs
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training import loop, replay
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.loop import Progress, TrainingStopped, poly_learning_rate, train
from wsstools.nn.training.schedules import SCHEDULES
from wsstools.nn.training.validation import mean_iou

pytestmark = pytest.mark.trains
ARCH = "deeplabv2-mobilenetv2"
SMALL = replace(SCHEDULES[ARCH], iterations=6, batch=2, crop=33)


class Halves:
    """Noisy pictures, the left part of class 0 and dark, the right of class 1 and bright."""

    def __init__(self, n=3, value=1):
        self.n, self.value = n, value

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        labels = np.zeros((40, 48), np.uint8)
        labels[:, 20 + 4 * index :] = self.value
        image = 60 + 120 * (labels[..., None] > 0) + rng.integers(0, 30, (40, 48, 3))
        labels[::3] = 255
        return image.astype(np.uint8), labels


def small_run(pairs=None, **changes):
    options = {"arch": ARCH, "n_classes": 2, "schedule": SMALL, "seed": 1, "precision": "float32"}
    options |= changes
    return train(Halves() if pairs is None else pairs, **options)


def assert_same(state, other):
    assert state.keys() == other.keys()
    assert [name for name in state if not torch.equal(state[name], other[name])] == []


@pytest.fixture(scope="module")
def whole_run():
    """Final weights, checkpoint files and progress of one small run."""
    files, progress = [], []
    state = small_run(
        on_iteration=progress.append,
        on_checkpoint=lambda checkpoint: files.append(encode_checkpoint(checkpoint)),
        checkpoint_every=3,
    )
    return state, files, progress


def test_two_runs_and_a_resumed_one_give_the_same_bits(whole_run):
    state, files, progress = whole_run
    assert_same(small_run(), state)
    seen = []
    resumed = small_run(resume=decode_checkpoint(files[0]), on_iteration=seen.append)
    assert_same(resumed, state)
    assert seen == progress[3:]
    assert len(files) == 2
    assert_same(small_run(resume=decode_checkpoint(files[1])), state)  # nothing left to do
    assert [name for name, tensor in small_run(seed=2).items() if not tensor.equal(state[name])]


def test_bfloat16_is_used_where_it_is_fast(monkeypatch):
    def chosen(precision, device="cpu"):
        return loop.uses_bfloat16(precision, torch.device(device))

    for has_bfloat16 in (False, True):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda has=has_bfloat16: has, raising=False
        )
        found = chosen("auto"), chosen("auto", "cuda"), chosen("float32"), chosen("bfloat16")
        assert found == (has_bfloat16, True, False, True)


def test_training_leaves_torchs_generator_alone(whole_run):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    small_run(schedule=replace(SMALL, iterations=1))
    assert torch.equal(torch.rand(1), expected)


def test_progress_follows_the_poly_schedule(whole_run):
    _, _, progress = whole_run
    assert progress[0] == Progress(1, progress[0].loss, SMALL.learning_rate)
    for step in progress:
        expected = SMALL.learning_rate * (1 - (step.iteration - 1) / 6) ** 0.9
        assert step.learning_rate == pytest.approx(expected)
    schedule = replace(SMALL, iterations=10, learning_rate=1.0, power=2.0)
    assert [poly_learning_rate(schedule, n) for n in (0, 5, 10)] == [1.0, 0.25, 0.0]


def test_checkpoints_of_other_runs_are_refused(whole_run):
    _, files, _ = whole_run
    checkpoint = decode_checkpoint(files[0])
    with pytest.raises(DataError, match="of a run with seed 1, not 4"):
        small_run(resume=checkpoint, seed=4)
    with pytest.raises(DataError, match="of a run with batch 2, not 3"):
        small_run(resume=checkpoint, schedule=replace(SMALL, batch=3))
    with pytest.raises(DataError, match="of a run with images 3, not 4"):
        small_run(Halves(4), resume=checkpoint)


def test_dropout_is_resumed_too(monkeypatch):
    def small_pspnet(arch, n_classes, *, output_stride):
        heads = PyramidHead(320, n_classes, width=16), AuxiliaryHead(96, n_classes)
        return SegmentationNetwork(MobileNetV2(), *heads)

    monkeypatch.setattr(loop, "build", small_pspnet)
    schedule = replace(SCHEDULES["pspnet-resnet50"], iterations=2, batch=2, crop=17)
    checkpoints = []
    options = {"arch": "pspnet-resnet50", "schedule": schedule}
    state = small_run(**options, on_checkpoint=checkpoints.append, checkpoint_every=1)
    assert_same(small_run(**options, resume=checkpoints[0]), state)
    with pytest.raises(UsageError, match=r"deeplabv3plus-resnet50 .*at least 2"):
        small_run(arch="deeplabv3plus-resnet50", schedule=replace(SMALL, batch=1))
    with pytest.raises(UsageError, match="at least 2"):
        small_run(**options | {"schedule": replace(schedule, batch=1)})


def test_frozen_batch_norm_stays_and_random_weights_train_it():
    schedule = replace(SMALL, iterations=1, frozen_batch_norm=True)
    initial = build(ARCH, 2).state_dict()
    frozen = small_run(schedule=schedule, initial_state=initial)
    name = "backbone.features.1.conv.0.1."
    for part in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(frozen[name + part], initial[name + part])
    assert not torch.equal(frozen["head.branches.0.bias"], initial["head.branches.0.bias"])
    assert (small_run(schedule=schedule)[name + "running_mean"] != 0).all()


def test_l2sp_pulls_towards_the_initial_weights():
    """On images without labels only the pull moves the weights, and at the start it is 0."""

    class Unlabelled(Halves):
        def __getitem__(self, index):
            image, labels = super().__getitem__(index)
            return image, np.full_like(labels, 255)

    initial = build(ARCH, 2).state_dict()
    schedule = replace(SMALL, iterations=2, weight_decay=0.5, l2sp_alpha=0.5)
    pulled = small_run(Unlabelled(), schedule=schedule, initial_state=initial)
    name = "backbone.features.1.conv.1.weight"
    assert torch.equal(pulled[name], initial[name])
    decayed = small_run(
        Unlabelled(), schedule=replace(schedule, l2sp_alpha=None), initial_state=initial
    )
    assert decayed[name].norm() < initial[name].norm()


@pytest.mark.parametrize("value", [2, 254])
def test_labels_outside_the_classes_are_refused(value):
    with pytest.raises(DataError, match=f"hold the value {value}; there are classes 0..1"):
        small_run(Halves(value=value))


def test_loss_that_is_not_finite_stops_the_run():
    class Nan(Halves):
        def __getitem__(self, index):
            image, labels = super().__getitem__(index)
            return image * np.float32("nan"), labels

    with pytest.raises(DataError, match="the loss is nan at iteration 1"):
        small_run(Nan())
    with pytest.raises(DataError, match="no images"):
        small_run(Halves(0))
    with pytest.raises(ValueError, match="precision is 'half'"):
        small_run(precision="half")


def test_no_checkpoint_is_made_of_weights_that_are_not_finite():
    """The loss of an iteration is finite, its step is not: only the next loss would show it."""
    seen, checkpoints = [], []
    with pytest.raises(DataError, match="a weight is not finite after iteration 1"):
        small_run(
            schedule=replace(SMALL, learning_rate=1e3, weight_decay=1e38),
            on_iteration=seen.append,
            on_checkpoint=checkpoints.append,
            checkpoint_every=1,
        )
    assert np.isfinite(seen[0].loss)
    assert checkpoints == []


def test_a_run_that_is_asked_to_stop_leaves_a_checkpoint_to_go_on_from(whole_run):
    state = whole_run[0]
    seen, checkpoints = [], []
    with pytest.raises(TrainingStopped):
        small_run(
            on_iteration=seen.append,
            on_checkpoint=checkpoints.append,
            should_stop=lambda: len(seen) > 2,
        )
    assert [checkpoint["iteration"] for checkpoint in checkpoints] == [len(seen)]
    assert 2 < len(seen) < 6
    assert_same(small_run(resume=checkpoints[0]), state)


def test_validation_sees_the_network_as_it_is_and_changes_nothing(whole_run):
    state, _, progress = whole_run
    modes = []

    def validate(network):
        modes.append((network.training, network.backbone.features[0][1].training))
        return mean_iou(network, Halves(), 2, ProcessGroup())

    seen = []
    assert_same(small_run(validate=validate, validate_every=4, on_iteration=seen.append), state)
    assert [step.iteration for step in seen if step.val_miou is not None] == [4, 6]
    assert modes == [(False, False)] * 2
    assert [replace(step, val_miou=None) for step in seen] == progress
    network = build(ARCH, 2).eval()
    network.load_state_dict(state)
    total = np.zeros((256, 256), np.int64)
    for image, labels in (Halves()[index] for index in range(3)):
        total += confusion_matrix(predict_probs(network, image).argmax(0).astype(np.uint8), labels)
    assert seen[-1].val_miou == scores(total).mean_iou


def test_soft_maps_of_certain_labels_train_as_the_labels():
    """On views that are the image itself, so that nothing is interpolated."""

    class Whole(Halves):
        def __getitem__(self, index):
            image, labels = super().__getitem__(index)
            return image, np.where(labels == 255, 0, labels)

    class Soft(Whole):
        def __getitem__(self, index):
            image, labels = super().__getitem__(index)
            probs = np.stack([labels == 0, labels == 1]).astype(np.float32)
            return image, ProbabilityMap(probs, np.arange(2), 2)

    schedule = replace(SMALL, iterations=3, min_scale=1, max_scale=1, mirror=False)
    losses = {}
    for pairs in (Whole(), Soft()):
        progress = losses.setdefault(type(pairs).__name__, [])
        small_run(pairs, schedule=schedule, on_iteration=progress.append)
    for hard, soft in zip(losses["Whole"], losses["Soft"], strict=True):
        assert soft.loss == pytest.approx(hard.loss, rel=1e-4)
    with pytest.raises(DataError, match="maps are of 2 classes, expected 3"):
        small_run(Soft(), n_classes=3)


def test_a_class_of_weight_0_trains_as_if_it_were_not_labelled():
    class Dark(Halves):
        def __getitem__(self, index):
            image, labels = super().__getitem__(index)
            return image, np.where(labels == 1, 255, labels).astype(np.uint8)

    schedule = replace(SMALL, iterations=3)
    weighted, ignored = [], []
    small_run(schedule=schedule, class_weights=np.array([2, 0]), on_iteration=weighted.append)
    small_run(Dark(), schedule=schedule, on_iteration=ignored.append)
    for one, other in zip(weighted, ignored, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


needs_bfloat16 = pytest.mark.skipif(
    not loop.uses_bfloat16("auto", torch.device("cpu")), reason="bfloat16 is emulated: minutes"
)


@pytest.mark.parametrize(
    ("precision", "stride"),
    [
        ("float32", 8),
        pytest.param("float32", 16, marks=pytest.mark.slow),
        pytest.param("bfloat16", 8, marks=[pytest.mark.slow, needs_bfloat16]),
    ],
)
def test_training_learns_what_two_classes_look_like(precision, stride):
    schedule = replace(
        SMALL, iterations=80, batch=4, crop=48, learning_rate=0.01, min_scale=0.9, max_scale=1.1
    )
    losses = []
    state = small_run(
        schedule=schedule,
        output_stride=stride,
        precision=precision,
        on_iteration=lambda step: losses.append(step.loss),
    )
    network = build(ARCH, 2, output_stride=stride).eval()
    load_initial(network, state)
    for image, labels in (Halves()[index] for index in range(3)):
        found = predict_probs(network, image).argmax(0)
        assert (found == labels)[labels != 255].mean() > 0.85  # the larger class alone: 0.58
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


@pytest.mark.parametrize(
    ("arch", "stride", "rate"),
    [
        ("unet", 1, 0.05),
        ("deeplabv3plus-mobilenetv2", 16, 0.02),
        pytest.param("deeplabv3plus-mobilenetv2", 8, 0.02, marks=pytest.mark.slow),
    ],
)
def test_networks_with_decoders_learn_and_go_on_from_checkpoints(arch, stride, rate):
    schedule = replace(
        SCHEDULES[arch], iterations=24, batch=2, crop=33, learning_rate=rate, min_scale=1,
        max_scale=1, max_rotation=0,
    )  # fmt: skip
    losses, checkpoints = [], []
    options = {"arch": arch, "schedule": schedule, "output_stride": stride}
    state = small_run(
        **options,
        on_iteration=lambda step: losses.append(step.loss),
        on_checkpoint=checkpoints.append,
        checkpoint_every=20,
    )
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])
    resumed = decode_checkpoint(encode_checkpoint(checkpoints[0]))
    assert_same(small_run(**options, resume=resumed), state)
    data = encode_model(arch, 2, ["dark", "bright"], state, "{}", output_stride=stride)
    model = decode_model(data)
    assert (model.arch, model.network.output_stride) == (arch, stride)
    assert_same(model.network.state_dict(), state)


@pytest.mark.parametrize("loss", ["tv", "potts"])
@pytest.mark.parametrize("arch", ["unet", "deeplabv3plus-mobilenetv2"])
def test_losses_on_probabilities_follow_the_stride_of_the_logits(arch, loss):
    schedule = replace(SCHEDULES[arch], iterations=1, batch=2, crop=33)
    plain, added = (
        small_run(arch=arch, schedule=schedule, regularizer=regularizer, dice=True)
        for regularizer in (None, Regularizer(loss, CONSTANTS[loss], 1.0))
    )
    name = "head.weight" if arch == "unet" else "head.classifier.2.weight"
    assert not torch.equal(plain[name], added[name])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = build(ARCH, 3).eval()
    torch.nn.init.normal_(network.head.branches[0].weight)
    return network


def test_model_file_keeps_everything_and_its_bytes(network):
    meta = json.dumps({"step": "train"})
    data = encode_model(ARCH, 3, ["sky", "sky", "tree"], network.state_dict(), meta)
    assert data == encode_model(ARCH, 3, ["sky", "sky", "tree"], network.state_dict(), meta)
    model = decode_model(data)
    assert (model.arch, model.n_classes, model.meta) == (ARCH, 3, meta)
    assert model.class_names == ("sky", "sky", "tree")
    assert not model.network.training
    assert_same(model.network.state_dict(), network.state_dict())
    assert_same(read_state(data), network.state_dict())
    again = encode_model(
        model.arch, model.n_classes, model.class_names, model.network.state_dict(), model.meta
    )
    assert again == data
    strided = copy.deepcopy(network).to(memory_format=torch.channels_last).state_dict()
    assert strided["backbone.features.1.conv.1.weight"].stride()[1] == 1
    assert encode_model(ARCH, 3, ["sky", "sky", "tree"], strided, meta) == data
    with pytest.raises(ValueError, match="2 class names, expected 3"):
        encode_model(ARCH, 3, ["sky", "tree"], network.state_dict(), meta)


def test_a_model_keeps_its_output_stride_and_class_weights(network):
    names, state = ["sky", "sky", "tree"], network.state_dict()
    plain = encode_model(ARCH, 3, names, state, "{}")
    assert encode_model(ARCH, 3, names, state, "{}", output_stride=8) == plain
    header = json.loads(torch.load(io.BytesIO(plain), weights_only=True)["header"])
    assert header.keys() == {"format", "version", "arch", "n_classes", "class_names", "meta"}
    assert header["version"] == 1
    assert decode_model(plain).network.output_stride == 8
    assert decode_model(plain).class_weights is None
    data = encode_model(
        ARCH, 3, names, state, "{}", output_stride=16, class_weights=[0.5, 2.25, 0.0]
    )
    model = decode_model(data)
    assert model.network.output_stride == 16
    assert [branch.dilation[0] for branch in model.network.head.branches] == [3, 6, 9, 12]
    assert model.class_weights == (0.5, 2.25, 0.0)
    assert_same(model.network.state_dict(), state)
    version = json.loads(torch.load(io.BytesIO(data), weights_only=True)["header"])["version"]
    assert version == 2  # earlier versions would take it for 8
    for bad in ({"output_stride": 4}, {"class_weights": [1.0, 2.0]}, {"class_weights": [0.0] * 3}):
        with pytest.raises(DataError, match="not a complete wsstools model: its "):
            decode_model(encode_model(ARCH, 3, names, state, "{}", **bad))


def test_a_run_of_another_output_stride_does_not_go_on(whole_run):
    checkpoints = []
    schedule = replace(SMALL, iterations=2)
    options = {"schedule": schedule, "output_stride": 16}
    state = small_run(**options, on_checkpoint=checkpoints.append, checkpoint_every=1)
    assert_same(small_run(**options, resume=checkpoints[0]), state)
    with pytest.raises(DataError, match="a run with output_stride 16, not None"):
        small_run(schedule=schedule, resume=checkpoints[0])
    with pytest.raises(DataError, match="a run with output_stride None, not 16"):
        small_run(output_stride=16, resume=decode_checkpoint(whole_run[1][0]))


def test_checkpoint_file_keeps_its_bytes(whole_run):
    _, files, _ = whole_run
    assert encode_checkpoint(decode_checkpoint(files[0])) == files[0]
    with pytest.raises(DataError, match="this is a wsstools checkpoint, expected a wsstools model"):
        decode_model(files[0])
    assert_same(read_state(files[1]), whole_run[0])


def test_other_bytes_are_no_model(network):
    data = encode_model(ARCH, 3, ["a", "b", "c"], network.state_dict(), "{}")
    spoiled = bytearray(data)
    spoiled[len(data) // 2] ^= 255
    for bad in (b"", b"\x89PNG\r\n", data[: len(data) // 2], data[:-100], bytes(spoiled)):
        with pytest.raises(DataError, match=r"^not a wsstools model, or a damaged one$"):
            decode_model(bad)
    with pytest.raises(DataError, match="not a wsstools checkpoint"):
        decode_checkpoint(b"zip")
    state = {name: tensor for name, tensor in network.state_dict().items() if "head" not in name}
    with pytest.raises(DataError, match="not a complete wsstools model"):
        decode_model(encode_model(ARCH, 3, ["a", "b", "c"], state, "{}"))


def test_other_versions_are_named(network, monkeypatch):
    monkeypatch.setattr(model_files, "VERSION", 7)
    newer = encode_model(ARCH, 3, ["a", "b", "c"], network.state_dict(), "{}")
    monkeypatch.undo()
    with pytest.raises(DataError, match="of version 7, expected version 1"):
        decode_model(newer)


@pytest.mark.skipif(
    not (SHARED / "weights/mobilenet_v2-b0353104.pth").is_file(), reason="weights are missing"
)
def test_real_imagenet_weights_load():
    state = imagenet_state(ARCH, str(SHARED / "weights"))
    network = build(ARCH, 11)
    load_initial(network, state)
    name = "features.17.conv.1.0.weight"
    assert torch.equal(network.backbone.state_dict()[name], state[name])
    load_initial(network, read_state((SHARED / "weights/mobilenet_v2-b0353104.pth").read_bytes()))


@pytest.mark.gpu
@pytest.mark.parametrize("arch", [ARCH, "deeplabv2-resnet50", "pspnet-resnet50"])
def test_a_gpu_repeats_itself_and_agrees_with_the_cpu(arch, monkeypatch):
    """Without TF32, to which convolutions round by default, and dropout, which devices draw apart.

    After two steps, the rounding of a network of random weights has grown to tenths of its loss.
    """
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.nn.Dropout2d, "forward", lambda _, values: values)
    schedule = replace(SCHEDULES[arch], iterations=3, batch=2, crop=65, learning_rate=1e-4)
    initial = build(arch, 2).state_dict()
    options = {"arch": arch, "schedule": schedule, "initial_state": initial}
    runs = []
    for device in ("cuda", "cuda", "cpu"):
        losses = []
        state = small_run(
            **options, world=ProcessGroup(device=device), precision="float32",
            on_iteration=lambda step, losses=losses: losses.append(step.loss),
        )  # fmt: skip
        runs.append((state, losses))
    assert_same(runs[0][0], runs[1][0])
    assert runs[0][1][0] == pytest.approx(runs[2][1][0], rel=1e-3)
    assert runs[0][1][1] == pytest.approx(runs[2][1][1], rel=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("arch", [ARCH, "deeplabv2-vgg16"])
def test_a_replayed_step_gives_the_bits_of_one_by_hand(arch, precision, accumulate, monkeypatch):
    """VGG-16 has dropout, which is drawn anew in each step."""
    options = {
        "arch": arch,
        "schedule": replace(SCHEDULES[arch], iterations=8, batch=2, crop=65, learning_rate=1e-4),
        "world": ProcessGroup(device="cuda"),
        "precision": precision,
        "accumulate": accumulate,
    }
    recorded = []
    record = replay.Replayed._record

    def watched(self, batch):
        record(self, batch)
        recorded.append(self._graph is not None)

    monkeypatch.setattr(replay.Replayed, "_record", watched)
    replayed = small_run(**options)
    assert recorded == [True]
    monkeypatch.setattr(replay, "_BY_HAND", 100)
    assert_same(small_run(**options), replayed)
    assert recorded == [True]
