"""Networks as ONNX and for torch.export: what they compute, and what the files hold."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from builders import draw_image

from wsstools.errors import DataError
from wsstools.nn.exported.program import LEAST_SIDE, exported_program
from wsstools.nn.exported.pt2_files import encode_pt2, loaded_pt2
from wsstools.nn.models.networks import build
from wsstools.nn.models.resizing import bilinear, bin_means, cropped
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.predict import fuse_batch_norm, predict_probs

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
onnx_files = pytest.importorskip("wsstools.nn.exported.onnx_files")

N_CLASSES = 5
KNOWN = (2, 97, 64)
"""Images, height and width to which a network of random weights is fitted."""
SHAPES = (KNOWN, (1, 40, 56), (2, LEAST_SIDE, 41), (3, 33, LEAST_SIDE))
TOLERANCE = 1e-3
"""Of probabilities, as in the command."""
REPEATED = (3, 6, 8, 9, 10, 12, 13, 16)
"""Blocks of MobileNetV2 of which one of the kind is before them; two that add their input stay."""
OTHERS = [
    ("deeplabv2-resnet50", 16),
    ("deeplabv2-vgg16", 8),
    ("pspnet-resnet50", 8),
    ("deeplabv3plus-mobilenetv2", 16),
]
"""With the U-Net, which `small` is, a network of each backbone and each head.

The remaining ones are of other depths, but for DeepLabV2 on MobileNetV2, whose files of free sizes
`steps/test_export.py` compares with the network.
"""


def network_with_opinions(arch, stride=None):
    """A network of random weights whose probabilities vary: it normalizes by such images."""
    torch.manual_seed(0)
    network = build(arch, N_CLASSES, output_stride=stride)
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
        if name.endswith(".bn3"):  # else the last bits grow in the residual blocks
            torch.nn.init.constant_(layer.weight, 0.2)
    images = torch.tensor(some_images(*KNOWN)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        network.train()(images)
        spread = network.eval()(images)[0].std()
        for layer in network.head.modules():
            if isinstance(layer, torch.nn.Conv2d) and layer.out_channels == N_CLASSES:
                layer.weight *= 2 / spread
    return fuse_batch_norm(network)


def some_images(n_images, height, width):
    image = np.tile(draw_image(7)[0], (3, 3, 1))[:height, :width]
    return np.stack([np.roll(image, 5 * number, axis=1) for number in range(n_images)])


@pytest.fixture
def few_blocks(monkeypatch, shallow):
    """A block or two a stage: exporting takes as long as there are blocks."""
    models = import_torchvision().models
    whole = models.mobilenet_v2

    def mobilenet(weights):
        made = whole(weights=weights)
        for number in REPEATED:
            made.features[number] = torch.nn.Identity()
        return made

    monkeypatch.setattr(models, "mobilenet_v2", mobilenet)


@dataclass
class Exported:
    """A network, its program, and both files of it."""

    network: torch.nn.Module
    program: torch.export.ExportedProgram
    onnx: bytes
    pt2: bytes


def exported(arch, stride=None):
    """A network of random weights and its files of free sizes."""
    network = network_with_opinions(arch, stride)
    program = exported_program(network, arch)
    encoded = onnx_files.encode_onnx(program, {}, is_free=True)
    return Exported(network, program, encoded, encode_pt2(program, {}))


@pytest.fixture(scope="module")
def small():
    """A U-Net."""
    return exported("unet")


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "stride"), OTHERS)
def test_each_network_of_train_can_be_exported_with_free_sizes(arch, stride, few_blocks, tmp_path):
    compare(exported(arch, stride), tmp_path)


@pytest.mark.slow
def test_a_unet_can_be_exported_with_free_sizes(small, tmp_path):
    compare(small, tmp_path)


def compare(made, folder):
    """Both files compute what their network does, of images of several sizes."""
    (folder / "a.onnx").write_bytes(made.onnx)
    (folder / "a.pt2").write_bytes(made.pt2)
    computing = {
        "a.onnx": onnx_files.loaded_onnx(folder / "a.onnx", n_threads=1),
        "a.pt2": loaded_pt2(folder / "a.pt2"),
    }
    network = made.network
    for shape in SHAPES:
        images = some_images(*shape)
        expected = predict_probs(network, images)
        assert shape != KNOWN or expected.std(axis=(0, 2, 3)).max() > 0.02
        for name, compute in computing.items():
            computed = compute(images)
            assert computed.dtype == np.float32
            assert computed.shape == expected.shape
            assert np.abs(computed - expected).max() < TOLERANCE, (name, shape)


@pytest.mark.slow
def test_the_graph_has_operators_of_onnx_alone_and_no_double(small):
    model = onnx.load_from_string(small.onnx)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    inferred = onnx.shape_inference.infer_shapes(model)
    types = {value.type.tensor_type.elem_type for value in inferred.graph.value_info}
    assert onnx.TensorProto.DOUBLE not in types
    assert not {"BatchNormalization", "Dropout"} & {node.op_type for node in model.graph.node}


@pytest.mark.slow
def test_the_program_has_operators_of_torch_alone(small):
    targets = {str(node.target) for node in small.program.graph.nodes if node.op == "call_function"}
    assert targets
    assert all(name.startswith(("aten.", "<built-in")) for name in targets), targets
    assert not any("batch_norm" in name for name in targets)


@pytest.mark.slow
def test_nothing_of_the_place_of_the_code_is_in_a_file(small):
    for data in (small.onnx, small.pt2):
        for word in (b'.py"', b".py\\", b"site-packages", b"/src/", b"stack_trace"):
            assert word not in data, word


@pytest.mark.slow
def test_the_network_stays_as_it_is(small):
    network = small.network
    before = copy.deepcopy(network)
    exported_program(network, "unet", (40, 50))
    images = some_images(1, 40, 56)
    assert np.array_equal(predict_probs(network, images), predict_probs(before, images))
    pairs = zip(network.modules(), before.modules(), strict=True)
    assert all(one.__dict__.get("inplace") == two.__dict__.get("inplace") for one, two in pairs)


@pytest.mark.slow
def test_weights_beyond_what_a_file_holds_are_an_error(small, monkeypatch):
    monkeypatch.setattr(onnx_files, "LARGEST", 1000)
    with pytest.raises(DataError, match=r"weights are [\d,]+ bytes, an ONNX file holds at most"):
        onnx_files.encode_onnx(small.program, {}, is_free=True)


def test_a_network_that_torch_cannot_record_is_named(monkeypatch):
    network = build("unet", N_CLASSES).eval()
    monkeypatch.setattr(
        type(network), "forward", lambda self, images: (images * float(images.max()),)
    )
    with pytest.raises(DataError, match="unet cannot be exported: "):
        exported_program(network, "unet", (20, 20))


@pytest.mark.parametrize("name", ["ONNX Runtime", "torch.export"])
def test_a_file_that_cannot_be_run_is_an_error(name, tmp_path):
    (tmp_path / "a").write_bytes(b"nothing")
    with pytest.raises(DataError, match=f"^{name}: "):
        (onnx_files.loaded_onnx if name == "ONNX Runtime" else loaded_pt2)(tmp_path / "a")


@pytest.mark.slow
def test_images_that_a_file_does_not_take_are_an_error(small, tmp_path):
    (tmp_path / "a.onnx").write_bytes(small.onnx)
    (tmp_path / "a.pt2").write_bytes(small.pt2)
    grey = np.zeros((1, 40, 56, 1), np.uint8)
    with pytest.raises(DataError, match=r"^ONNX Runtime: "):
        onnx_files.loaded_onnx(tmp_path / "a.onnx")(grey)
    with pytest.raises(DataError, match=r"^torch\.export: "):
        loaded_pt2(tmp_path / "a.pt2")(grey)


def test_what_is_recorded_for_any_size_is_what_is_computed(monkeypatch):
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    calls = [
        lambda: bilinear(x, (41, 46), 8),
        lambda: bilinear(x, (6, 7), 1),
        lambda: bilinear(x, (13, 20)),
        lambda: bilinear(x, (1, 9)),
        lambda: bilinear(x[..., :1, :1], (4, 5)),
        lambda: cropped(x, (4, 7)),
        lambda: bin_means(x, 4),
    ]
    computed = [call() for call in calls]
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for one, call in zip(computed, calls, strict=True):
        assert torch.allclose(call(), one, atol=1e-5)
