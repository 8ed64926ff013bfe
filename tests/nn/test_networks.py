"""Networks: shapes, sizes, registration of logits and pixels, parameter groups, weights."""

import io
from argparse import Namespace
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from wsstools.errors import DataError
from wsstools.nn.cpu.depthwise import Depthwise
from wsstools.nn.models.backbones import MobileNetV2, ResNet
from wsstools.nn.models.heads import AtrousHead
from wsstools.nn.models.initial import load_initial, read_state
from wsstools.nn.models.networks import build, freeze_batch_norm, parameter_groups, upsample
from wsstools.nn.models.resizing import bilinear, bin_means
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.training.schedules import SCHEDULES, output_strides


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "classifier"), [("resnet50", 2049 * 1000), ("resnet101", 2049 * 1000)]
)
def test_resnet_is_torchvisions_without_the_classifier(name, classifier):
    with torch.device("meta"):
        whole = getattr(import_torchvision().models, name)()
        assert n_parameters(ResNet(name)) == n_parameters(whole) - classifier


def test_mobilenet_is_torchvisions_without_the_last_convolution_and_classifier():
    whole = import_torchvision().models.mobilenet_v2()
    expected = n_parameters(whole) - n_parameters(whole.features[18]) - 1281 * 1000
    backbone = MobileNetV2()
    assert n_parameters(backbone) == expected
    assert backbone.state_dict().keys() < whole.state_dict().keys()


@pytest.mark.parametrize("arch", SCHEDULES)
def test_logits_reach_to_the_last_pixel(arch, shallow):
    """At the output stride, but for DeepLabV3+, which has them at stride 4."""
    at_stride = {
        (65, 64): {1: (65, 64), 4: (17, 17), 8: (9, 9), 16: (5, 5)},
        (57, 66): {1: (57, 66), 4: (15, 18), 8: (8, 10), 16: (5, 6)},
        (1, 2): {1: (1, 2), 4: (1, 2), 8: (1, 2), 16: (1, 2)},
    }
    shapes = []
    for output_stride in output_strides(arch):
        with torch.device("meta"):
            network = build(arch, 5, output_stride=output_stride).eval()
            stride = network.logit_stride
            assert stride == (4 if arch.startswith("deeplabv3plus") else output_stride)
            for size, expected in at_stride.items():
                (logits,) = network(torch.zeros(2, 3, *size))
                assert logits.shape == (2, 5, *expected[stride])
                assert upsample(logits, size, stride).shape == (2, 5, *size)
        state = network.state_dict()
        shapes.append({name: tensor.shape for name, tensor in state.items()})
    assert shapes[0] == shapes[-1]


@pytest.mark.parametrize(
    ("arch", "published"),
    [("pspnet-resnet50", 8), ("deeplabv2-vgg16", 8), ("deeplabv3plus-resnet50", 16), ("unet", 1)],
)
def test_the_output_stride_is_the_published_one_where_none_is_given(arch, published):
    with torch.device("meta"):
        assert build(arch, 2).output_stride == published
    assert set(output_strides(arch)) == ({1} if arch == "unet" else {8, 16})


def test_pspnet_has_auxiliary_logits_in_training_only():
    with torch.device("meta"):
        network = build("pspnet-resnet50", 4)
        images = torch.zeros(2, 3, 33, 33)
        assert [logits.shape for logits in network.train()(images)] == [(2, 4, 5, 5)] * 2
        assert len(network.eval()(images)) == 1


@pytest.mark.parametrize("size", [(17, 25), (16, 20)])
def test_logits_sit_on_every_eighth_pixel(size):
    logits = torch.randn(1, 2, 3, 4)
    pixels = upsample(logits, size)
    height, width = -(-size[0] // 8), -(-size[1] // 8)
    torch.testing.assert_close(pixels[..., ::8, ::8], logits[..., :height, :width])
    torch.testing.assert_close(pixels[..., 0, 4], (logits[..., 0, 0] + logits[..., 0, 1]) / 2)


def test_logits_of_stride_16_sit_on_every_sixteenth_pixel():
    logits = torch.randn(1, 2, 3, 2)
    pixels = upsample(logits, (33, 17), 16)
    torch.testing.assert_close(pixels[..., ::16, ::16], logits)
    torch.testing.assert_close(pixels[..., 0, 8], (logits[..., 0, 0] + logits[..., 0, 1]) / 2)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (1, 4)])
@pytest.mark.parametrize("size", [(9, 8), (3, 7)])
@pytest.mark.parametrize("channels", [6, 32])  # the former fill no vector
def test_depthwise_trains_as_the_plain_convolution(stride, dilation, size, channels):
    torch.manual_seed(0)
    layer = Depthwise(channels, stride=stride, dilation=dilation)
    image = torch.randn(2, channels, *size, requires_grad=True)
    plain = layer.eval()(image)
    weight = torch.randn_like(plain)
    expected = torch.autograd.grad((plain * weight).sum(), [image, layer.weight])
    convolved = layer.train()(image)
    found = torch.autograd.grad((convolved * weight).sum(), [image, layer.weight])
    torch.testing.assert_close(convolved, plain)
    torch.testing.assert_close(found, expected)
    with torch.autocast("cpu", torch.bfloat16):
        convolved = layer(image)
        halves = torch.autograd.grad((convolved * weight).sum(), [image, layer.weight])
    assert convolved.dtype == torch.bfloat16
    assert [part.dtype for part in halves] == [torch.float32] * 2
    torch.testing.assert_close(halves, expected, rtol=0.02, atol=0.15)


def test_depthwise_of_doubles_is_torchs():
    torch.manual_seed(0)
    layer = Depthwise(32, stride=2).double()
    image = torch.randn(1, 32, 9, 8, dtype=torch.double, requires_grad=True)
    expected = torch.autograd.grad(layer.eval()(image).square().sum(), [image, layer.weight])
    found = torch.autograd.grad(layer.train()(image).square().sum(), [image, layer.weight])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size", [(7, 5), (6, 9), (1, 4)])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_bins_and_what_is_between_pixels_are_those_of_torch(size, n):
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(bin_means(x, n), F.adaptive_avg_pool2d(x, n))
    wide = F.interpolate(x, (9, 11), mode="bilinear", align_corners=True)
    torch.testing.assert_close(bilinear(x, (9, 11)), wide)
    for scale in (None, 1):
        assert torch.equal(bilinear(x.double(), size, scale), x)


def test_atrous_head_trains_as_the_plain_convolutions():
    torch.manual_seed(0)
    head = AtrousHead(5, 3, rates=(1, 2, 6))
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    features = torch.randn(2, 5, 7, 9, requires_grad=True)
    weight = torch.randn(2, 3, 7, 9)
    plain = head.eval()(features)
    expected = torch.autograd.grad((plain * weight).sum(), [features, *head.parameters()])
    logits = head.train()(features)
    found = torch.autograd.grad((logits * weight).sum(), [features, *head.parameters()])
    torch.testing.assert_close(logits, plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'segnet'.*deeplabv2-resnet101, .*pspnet-resnet50"):
        build("segnet", 2)
    with pytest.raises(ValueError, match="n_classes is 0"):
        build("pspnet-resnet50", 0)
    with pytest.raises(ValueError, match="output_stride is 32, expected 8 or 16"):
        build("pspnet-resnet50", 2, output_stride=32)
    with pytest.raises(ValueError, match="output_stride is 8, expected 1"):
        build("unet", 2, output_stride=8)


@pytest.mark.parametrize("arch", ["deeplabv3plus-mobilenetv2", "unet"])
def test_groups_of_networks_with_one_rate(arch):
    network = build(arch, 3)
    groups = parameter_groups(network, SCHEDULES[arch], l2sp=False)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    assert [group["lr_factor"] for group in groups] == [1, 1, 1, 1]
    assert [group["weight_decay"] for group in groups] == [1e-4, 0, 1e-4, 0]


def test_groups_hold_each_trainable_parameter_once():
    network = build("deeplabv2-mobilenetv2", 3)
    schedule = SCHEDULES["deeplabv2-mobilenetv2"]
    groups = parameter_groups(network, schedule, l2sp=False)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    assert [group["lr_factor"] for group in groups] == [
        1,
        1,
        schedule.head_lr_factor,
        schedule.head_bias_lr_factor,
    ]
    assert [group["weight_decay"] for group in groups] == [5e-4, 0, 5e-4, 0]
    freeze_batch_norm(network.backbone)
    groups = parameter_groups(network, replace(schedule, l2sp_beta=0.25), l2sp=True)
    assert [group["weight_decay"] for group in groups] == [0, 0.25, 0]  # no backbone vectors left


def test_backbone_state_leaves_the_head_alone():
    network = build("deeplabv2-mobilenetv2", 3)
    head = {name: tensor.clone() for name, tensor in network.head.state_dict().items()}
    state = import_torchvision().models.mobilenet_v2().state_dict()
    load_initial(network, state)
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, state[name])
    for name, tensor in network.head.state_dict().items():
        assert torch.equal(tensor, head[name])


def test_state_without_batch_counts_is_taken():
    state = import_torchvision().models.mobilenet_v2().state_dict()
    old = {name: tensor for name, tensor in state.items() if not name.endswith("tracked")}
    load_initial(build("deeplabv2-mobilenetv2", 3), old)


def test_misfitting_states_are_refused_by_tensor():
    network = build("deeplabv2-mobilenetv2", 3)
    whole = network.state_dict()
    load_initial(network, whole)
    short = {name: tensor for name, tensor in whole.items() if name != "head.branches.1.bias"}
    with pytest.raises(DataError, match=r"head\.branches\.1\.bias is missing$"):
        load_initial(network, short)
    wrong = whole | {"head.branches.0.bias": torch.zeros(4)}
    with pytest.raises(DataError, match=r"shape \(4,\), expected \(3,\)$"):
        load_initial(network, wrong)
    with pytest.raises(DataError, match=r"conv1\.weight has no place in it$"):
        load_initial(network, whole | {"conv1.weight": torch.zeros(1)})
    with pytest.raises(DataError, match=r"features\.0\.0\.weight is missing; .* more\)$"):
        load_initial(network, {})
    with torch.device("meta"):
        resnet = build("pspnet-resnet50", 2)
        deeper = import_torchvision().models.resnet101().state_dict()
    with pytest.raises(DataError, match=r"layer3\.6\.conv1\.weight has no place"):
        load_initial(resnet, deeper)


def test_read_state_refuses_what_is_none():
    for data in (b"", b"no state", b"PK\x03\x04"):
        with pytest.raises(DataError, match="neither a wsstools model nor a torch state dict"):
            read_state(data)


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "net.", "_orig_mod.", "module.model."])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {}}},
        lambda state: {"model": state, "args": None},
        lambda state: {"epoch": 1, "net": state},
        lambda state: {"network": {"state_dict": state}, "loss": 0.5},
        lambda state: {"network_weights": state, "init_args": {"plans": {}}},  # nnU-Net
    ],
)
def test_checkpoints_of_others_give_the_state_of_the_network(wrap, prefix):
    state = {"features.0.weight": torch.arange(6.0).reshape(2, 3), "model.bias": torch.ones(2)}
    data = saved(wrap({prefix + name: tensor for name, tensor in state.items()}))
    found = read_state(data)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("parallel", [torch.nn.DataParallel, torch.compile])
def test_wrapped_networks_start_training_as_the_bare_ones(parallel):
    torch.manual_seed(0)
    trained = import_torchvision().models.mobilenet_v2()
    data = saved({"epoch": 9, "model": parallel(trained).state_dict()})
    network = build("deeplabv2-mobilenetv2", 2)
    load_initial(network, read_state(data))
    torch.testing.assert_close(
        network.backbone.state_dict()["features.3.conv.0.0.weight"],
        trained.state_dict()["features.3.conv.0.0.weight"],
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "it holds nothing, expected tensors or one of state_dict, "),
        ({"epoch": 3, "optimizer": {"lr": 0.1}}, "it holds 'epoch', 'optimizer', expected tensors"),
        ({"args": Namespace(), "model": {}}, "it holds argparse.Namespace objects, .*alone"),
        ([torch.ones(2)], "neither a wsstools model nor a torch state dict$"),
        ({"model": {"model": {"model": {"model": {"model": {}}}}}}, "nor a torch state dict"),
    ],
)
def test_files_of_torch_without_a_network_are_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_state(saved(content))
