"""First layers of networks as filter banks: forms of files, inputs of networks, names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import FROM_ONNX, caffemodel

from wsstools.core.local.settings import FeatureSettings
from wsstools.errors import DataError, UsageError
from wsstools.formats import map_files
from wsstools.formats.filter_weights.bank_files import read_bank, read_layer
from wsstools.formats.filter_weights.convolution import Convolution, first_convolution
from wsstools.formats.filter_weights.network_files import read_first_convolution
from wsstools.formats.filter_weights.network_input import INPUTS
from wsstools.nn.models.networks import IMAGENET_MEAN, IMAGENET_STD
from wsstools.nn.models.pretrained import PRETRAINED
from wsstools.steps.filter_banks import chosen_banks, feature_bank

COUNTING = np.arange(54, dtype=np.float32) / 8


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def layer(rng):
    """Weights (4, 3, 5, 5) and biases."""
    return rng.normal(size=(4, 3, 5, 5)).astype(np.float32), rng.normal(size=4).astype(np.float32)


def preprocessed(image, name):
    """An RGB image, (3, H, W) in 0..255, as the network of that input takes it."""
    if name in ("bgr", "caffe"):
        image = image.flip(0)
    if name == "caffe":
        return image - torch.tensor([104.007, 116.669, 122.679])[:, None, None]
    if name == "torchvision":
        mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        return (image / 255 - mean) / std
    return image


@pytest.mark.parametrize("name", INPUTS)
def test_a_bank_on_rgb_responds_as_the_network_on_its_input(layer, tmp_path, name):
    weights, biases = layer
    np.savez(tmp_path / "net.npz", conv1_W=weights, conv1_b=biases)
    image = torch.randint(0, 256, (3, 20, 24), generator=torch.Generator().manual_seed(0)).float()
    bank, _ = read_bank(tmp_path / "net.npz", filter_input=name)
    (found,) = bank.layers
    assert found.weights.dtype == found.biases.dtype == np.float32
    expected = F.conv2d(preprocessed(image, name)[None], *map(torch.tensor, layer))
    responses = F.conv2d(image[None], torch.tensor(found.weights), torch.tensor(found.biases))
    torch.testing.assert_close(responses, expected, rtol=1e-4, atol=1e-5 * expected.abs().max())
    assert bank.name == ("net" if name == "rgb" else f"net:{name}")


def test_torchvisions_input_is_that_of_the_training_code():
    assert INPUTS["torchvision"].mean == IMAGENET_MEAN
    assert INPUTS["torchvision"].std == IMAGENET_STD


@pytest.mark.parametrize(
    "form", ["npz", "npy", "pth", "nested pth", "caffemodel", "old caffemodel"]
)
def test_every_form_gives_the_same_layer(layer, tmp_path, form):
    weights, biases = layer
    hwio = weights.transpose(2, 3, 1, 0)
    later = np.zeros((3, 3, 64, 64), np.float32)  # might be taken for three planes at the front
    path = tmp_path / f"net.{form.split()[-1]}"
    if form == "npz":
        np.savez(path, conv1_2_W=later, conv1_1_W=hwio, conv1_1_b=biases, fc8_b=np.ones(4))
    elif form == "npy":
        np.save(path, hwio)
        biases = np.zeros(4)
    elif form == "pth":
        state = {
            "features.2.weight": later,
            "features.0.weight": weights,
            "features.0.bias": biases,
        }
        torch.save({k: torch.nn.Parameter(torch.tensor(v)) for k, v in state.items()}, path)
    elif form == "nested pth":
        state = {"bn1.bias": torch.ones(4), "conv1.weight": torch.tensor(weights)}
        torch.save({"epoch": 3, "state_dict": state}, path)
        biases = np.zeros(4)
    else:
        path.write_bytes(caffemodel(weights, biases, is_old=form.startswith("old")))
    found = read_layer(path)
    np.testing.assert_array_equal(found.weights, weights)
    np.testing.assert_array_equal(found.biases, biases)
    assert found.stride == (3 if "caffe" in form else 1)
    assert not found.is_rectified


def test_a_model_of_onnx_is_read(tmp_path):
    (tmp_path / "net.onnx").write_bytes(FROM_ONNX)
    found = read_layer(tmp_path / "net.onnx")
    np.testing.assert_array_equal(found.weights, COUNTING.reshape(2, 3, 3, 3))
    assert found.biases.tolist() == [1, -2]
    assert found.stride == 2


def test_what_is_no_first_layer_is_refused_with_what_it_is(layer):
    weights, biases = layer

    def refusal(*found):
        with pytest.raises(ValueError) as caught:
            first_convolution(found)
        return str(caught.value)

    assert "expected square and odd" in refusal(Convolution("a", weights[:, :, :, :3]))
    assert "kernel of 4x4" in refusal(Convolution("a", weights[:, :, :4, :4]))
    assert "2 groups" in refusal(Convolution("a", weights, groups=2))
    assert "a (4, 1, 5, 5)" in refusal(Convolution("a", weights[:, :1]))
    assert "no convolution at all" in refusal()
    assert "int8" in refusal(Convolution("a", weights.astype(np.int8)))
    assert "3 biases, expected 4" in refusal(Convolution("a", weights, biases[:3]))
    assert "not finite" in refusal(Convolution("a", weights, biases * np.nan))
    weights[0, 0, 0, 0] = np.inf
    assert "not finite" in refusal(Convolution("a", weights))


def test_the_first_layer_is_known_by_its_name_or_its_place(layer):
    weights, _ = layer
    others = [Convolution(name, weights) for name in ("side", "upper", "net/features.0.weight")]
    assert first_convolution(others).name == "net/features.0.weight"
    assert first_convolution(others[:2]).name == "side"


def test_axes_are_known_by_their_lengths(rng):
    for shape, expected in {
        (64, 3, 3, 3): (64, 3, 3, 3),
        (3, 3, 3, 64): (64, 3, 3, 3),
        (96, 3, 11, 11): (96, 3, 11, 11),
        (11, 11, 3, 96): (96, 3, 11, 11),
    }.items():
        weights = rng.normal(size=shape)
        found = first_convolution([Convolution("a", weights)]).weights
        assert found.shape == expected
        is_turned = shape != expected
        other = weights.transpose(3, 2, 0, 1) if is_turned else weights
        np.testing.assert_array_equal(found, other.astype(np.float32))


def test_strides_come_from_the_file_or_the_kernel(tmp_path, rng):
    large = rng.normal(size=(8, 3, 11, 11))
    np.savez(tmp_path / "plain.npz", w=large)
    assert read_layer(tmp_path / "plain.npz").stride == 4
    np.savez(tmp_path / "stride.npz", w=large, stride=2)
    assert read_layer(tmp_path / "stride.npz").stride == 2


def test_a_file_of_no_known_ending_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"no weights at all")
    with pytest.raises(DataError, match=r"a\.txt"):
        read_first_convolution(tmp_path / "a.txt")


@pytest.fixture
def published(tmp_path, monkeypatch, rng):
    """A folder with small files of the forms that are published, known by their checksums."""
    import hashlib

    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    layers = {}
    for name, shape in {"vgg16": (64, 3, 3, 3), "alexnet": (64, 3, 11, 11)}.items():
        layers[name] = rng.normal(size=shape).astype("f4"), rng.normal(size=64).astype("f4")
        state = zip(("features.0.weight", "features.0.bias"), layers[name], strict=True)
        torch.save({k: torch.tensor(v) for k, v in state}, folder / PRETRAINED[name].file)
    name = "alexnet-original"
    (folder / PRETRAINED[name].file).write_bytes(FROM_ONNX)
    layers[name] = COUNTING.reshape(2, 3, 3, 3), np.array([1, -2], np.float32)
    for name in layers:
        digest = hashlib.sha256((folder / PRETRAINED[name].file).read_bytes()).hexdigest()
        monkeypatch.setitem(PRETRAINED, name, replace(PRETRAINED[name], sha256=digest))
    return folder, layers


@pytest.mark.parametrize(
    ("name", "filter_input"),
    [("vgg16", "torchvision"), ("alexnet", "torchvision"), ("alexnet-original", "caffe")],
)
def test_named_networks_take_what_they_were_trained_with(published, name, filter_input):
    folder, layers = published
    (bank,), records = chosen_banks([name], [], str(folder))
    assert (bank.name, records) == (name, [])
    assert bank.layers[0].stride == {"vgg16": 1, "alexnet": 4, "alexnet-original": 2}[name]
    size = layers[name][0].shape[2]
    image = torch.rand(3, size, size, generator=torch.Generator().manual_seed(1)) * 255
    expected = F.conv2d(preprocessed(image, filter_input)[None], *map(torch.tensor, layers[name]))
    found = F.conv2d(
        image[None], *map(torch.tensor, (bank.layers[0].weights, bank.layers[0].biases))
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * expected.abs().max())


def test_banks_are_joined_and_say_what_they_are(published):
    folder, _ = published
    bank, records = feature_bank(FeatureSettings(filters=["paper"], weights_dir=str(folder)))
    assert (bank.name, len(bank), records) == ("vgg16+alexnet-original", 66, [])
    bank, _ = feature_bank(
        FeatureSettings(filters=["gabor", "vgg16"], weights_dir=str(folder), rectify=True)
    )
    assert bank.name == "gabor+vgg16 rectified"
    assert [layer.is_rectified for layer in bank.layers] == [False, False, False, True]
    with pytest.raises(UsageError, match="gabor has no rectifier"):
        feature_bank(FeatureSettings(rectify=True))


def test_each_file_may_have_an_input_of_its_own(layer, tmp_path):
    weights, _ = layer
    files = [str(tmp_path / name) for name in ("a.npz", "b.npz")]
    for file in files:
        np.savez(file, w=weights)
    for inputs, names in {
        (): ["a", "b"],
        ("caffe",): ["a:caffe", "b:caffe"],
        ("rgb", "bgr"): ["a", "b:bgr"],
    }.items():
        banks, records = chosen_banks([files[0], "gabor", files[1]], list(inputs), None)
        assert [bank.name for bank in banks] == [names[0], "gabor", names[1]]
        assert [record["name"] for record in records] == ["a.npz", "b.npz"]
    np.testing.assert_array_equal(banks[2].layers[0].weights, weights[:, ::-1])
    for names, inputs, message in [
        (files, ["rgb", "bgr", "bgr"], "3 times for 2 files"),
        (files, ["yuv"], "expected one of rgb, bgr, caffe, torchvision"),
        (["gabor"], ["caffe"], "no file is given"),
        (["lenet"], [], "gabor, vgg16, alexnet-original, alexnet, paper"),
        (["resnet50"], [], "no such file, and no bank"),
    ]:
        with pytest.raises(UsageError, match=message):
            chosen_banks(names, inputs, None)


def test_responses_of_rectified_networks_are_recorded(wss, dataset, layer, tmp_path):
    weights, biases = layer
    np.savez(tmp_path / "net.npz", conv1_W=weights, conv1_b=biases)
    common = (
        "rf-predict", dataset / "images" / "a.png", dataset / "scribbles", "--trees", 3,
        "--n-classes", 4, "--jobs", 1, "--filters", tmp_path / "net.npz",
        "--filter-input", "caffe",
    )  # fmt: skip
    plain = wss(*common, "-o", tmp_path / "plain")
    assert plain.code == 0, plain.err
    rectified = wss(*common, "--rectify", "-o", tmp_path / "rectified")
    assert rectified.code == 0, rectified.err
    metas = [map_files.read_meta(outcome.paths[0]) for outcome in (plain, rectified)]
    assert [meta["options"]["filters"] for meta in metas] == ["net:caffe", "net:caffe rectified"]
    assert [entry["name"] for entry in metas[0]["inputs"]][-1] == "net.npz"
    assert wss(*common, "--rectify", "-o", tmp_path / "plain").code == 2
