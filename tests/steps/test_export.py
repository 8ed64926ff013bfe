"""`wss export`: files for other programs, which compute what we compute."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import REPOSITORY, code_blocks, draw_image
from PIL import Image

from wsstools import __version__
from wsstools.cli.main import run
from wsstools.files.provenance import digest
from wsstools.nn.exported.program import exported_program
from wsstools.steps import export as step

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

PAGE, COMMAND_PAGE = (
    (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    for name in ("export.md", "commands/export.md")
)
NAMES = ["sky", "grass", "unused", "water"]


SIZES = ((2, 97, 64), (1, 40, 56), (2, 17, 41), (3, 33, 17))
"""Images, height and width: none of them is the one that torch records."""


@pytest.fixture(scope="module")
def recorded_once():
    """Torch records the model once for each size: that is half of an export."""
    programs = {}

    def kept(network, arch, size=None):
        if size not in programs:
            programs[size] = exported_program(network, arch, size)
        return programs[size]

    return kept


@pytest.fixture(autouse=True)
def quick(monkeypatch, recorded_once):
    """Files are compared with the model, the only one here, on small images."""
    monkeypatch.setattr(step, "SIZES", SIZES)
    monkeypatch.setattr(step, "exported_program", recorded_once)


@pytest.fixture(scope="module")
def files(model, recorded_once, tmp_path_factory):
    """net.onnx, net.pt2 and camera.onnx (40x56) of the model, by the commands of both pages."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copy(model, folder / "net.pt")
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))
    lines = [line for page in (PAGE, COMMAND_PAGE) for line in commands(page)]
    assert len(set(lines)) == 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "SIZES", SIZES)
        patch.setattr(step, "exported_program", recorded_once)
        patch.chdir(folder)
        for line in dict.fromkeys(lines):
            assert run(shlex.split(line.replace("360x480", "40x56"))[1:]) == 0, line
    return folder


def commands(page):
    """The `wss` lines of a page, and that of its text which exports to .pt2."""
    blocks = "".join(code_blocks(page, "sh"))
    in_text = re.findall(r"`(wss export net.pt -o net.pt2)`", page)
    return [*re.findall(r"^wss .*", blocks, re.MULTILINE), *in_text]


@pytest.fixture
def ours(model):
    """Our probabilities of an image."""
    import wsstools as wss

    network = wss.load_model(model)
    return lambda image: wss.predict(network, image).dense()


def session_of(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 56), (97, 131), (18, 200)])
def test_an_image_becomes_our_probabilities(files, ours, size):
    image = np.tile(draw_image(3)[0], (4, 4, 1))[: size[0], : size[1]]
    (probs,) = session_of(files / "net.onnx").run(None, {"images": image[None]})
    assert probs.shape == (1, 4, *size)
    expected = ours(image)
    assert expected.max(axis=(1, 2)).max() - expected.min(axis=(1, 2)).min() > 0.1
    assert np.abs(probs[0] - expected).max() < 1e-3
    assert np.allclose(probs.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_inputs_and_outputs_are_named(files):
    for name, shape in (("net", ["batch", "height", "width"]), ("camera", [1, 40, 56])):
        session = session_of(files / f"{name}.onnx")
        (given,), (found,) = session.get_inputs(), session.get_outputs()
        assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", [*shape, 3])
        assert (found.name, found.type) == ("probs", "tensor(float)")
        assert found.shape == [shape[0], 4, *shape[1:]]


@pytest.mark.slow
def test_a_fixed_size_is_the_only_one(files, ours):
    session = session_of(files / "camera.onnx")
    image = draw_image(3)[0]
    (probs,) = session.run(None, {"images": image[None]})
    assert np.abs(probs[0] - ours(image)).max() < 1e-3
    with pytest.raises(Exception, match="Got invalid dimensions"):
        session.run(None, {"images": image[None, :32]})
    with pytest.raises(Exception, match="Got invalid dimensions"):
        session.run(None, {"images": np.stack([image, image])})


@pytest.mark.slow
def test_the_file_says_what_it_is(files, model, wss):
    import torch

    found = session_of(files / "net.onnx").get_modelmeta().custom_metadata_map
    extra = dict.fromkeys(found, "")
    torch.export.load(files / "net.pt2", extra_files=extra)
    assert extra.keys() == found.keys()
    for texts in (
        found,
        {
            key: bytes(value).decode() if isinstance(value, bytes) else value
            for key, value in extra.items()
        },
    ):
        assert texts["classes"].split("\n") == NAMES
        assert texts["colors"].split("\n") == ["#000000", "#800000", "#008000", "#808000"]
        assert texts["architecture"] == "deeplabv2-mobilenetv2"
        assert texts["wss_version"] == __version__
        record = json.loads(texts["record"])
        assert record["step"] == "export"
        (source,) = record["inputs"]
        assert source["blake2b"] == digest(model.read_bytes())
        assert source["made_by"]["step"] == "train"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "images"),
    [("net.onnx", "any size"), ("net.pt2", "any size"), ("camera.onnx", "40 x 56 (H x W)")],
)
def test_info_says_what_the_file_is(files, wss, name, images):
    described = json.loads(wss("info", files / name, "--json").out)
    assert described["what"] == "a network for other programs"
    assert described["facts"]["architecture"] == "deeplabv2-mobilenetv2"
    assert described["facts"]["classes"] == f"4: {', '.join(NAMES)}"
    assert described["facts"]["images"] == images
    assert described["meta"]["step"] == "export"


ANOTHER_PROCESS = """
import functools, sys
from wsstools.cli.main import run
from wsstools.steps import export as step

step.SIZES = ((1, 20, 30),)
step.loaded_network = functools.cache(step.loaded_network)
step.exported_program = functools.cache(step.exported_program)  # of the same network
sys.exit(any([run(["export", sys.argv[1], "-o", name]) for name in sys.argv[2:]]))
"""


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes_in_another_process(files, model, tmp_path):
    names = ("net.onnx", "net.pt2")
    command = [sys.executable, "-c", ANOTHER_PROCESS, model, *names]
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONHASHSEED": "7"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    for name in names:
        assert (tmp_path / name).read_bytes() == (files / name).read_bytes(), name


@pytest.mark.slow
def test_a_rerun_skips_other_options_are_refused_and_overwrite_replaces(wss, model, tmp_path):
    out = tmp_path / "net.pt2"
    first = wss("export", model, "-o", out, "--size", "20x20")
    assert (first.code, first.paths) == (0, [out])
    assert re.search(r"differs from our probabilities by at most \d", first.err)
    before = out.stat().st_mtime_ns
    again = wss("export", model, "-o", out, "--size", "20x20")
    assert (again.code, again.paths) == (0, [out])
    assert "skipped" in again.err and "up to date" in again.err
    assert out.stat().st_mtime_ns == before
    other = wss("export", model, "-o", out, "--size", "40x56")
    assert other.code == 2
    assert "made with other options: size" in other.err
    assert out.stat().st_mtime_ns == before
    assert wss("export", model, "-o", out, "--size", "40x56", "--overwrite").code == 0
    assert out.stat().st_mtime_ns != before


def tampered(change):
    """An encoder of ONNX files that add something to their logits."""
    from wsstools.nn.exported import onnx_files

    encode = onnx_files.encode_onnx

    def encode_other(*arguments, **options):
        made = onnx.load_from_string(encode(*arguments, **options))
        nodes = {name: node for node in made.graph.node for name in node.output}
        softmax = nodes[made.graph.output[0].name]
        assert softmax.op_type == "Softmax"
        shift = change(np.zeros((1, 4, 1, 1), np.float32))
        made.graph.initializer.append(onnx.numpy_helper.from_array(shift, "shift"))
        shifted = onnx.helper.make_node("Add", [softmax.input[0], "shift"], ["shifted"])
        made.graph.node.insert(list(made.graph.node).index(softmax), shifted)
        nodes[made.graph.output[0].name].input[0] = "shifted"
        return made.SerializeToString()

    return encode_other


def first_raised(logits):
    logits[:, 0] += 0.1
    return logits


def no_number(logits):
    return logits + np.nan


@pytest.mark.slow
@pytest.mark.parametrize(("change", "word"), [(first_raised, r"0\.0\d+"), (no_number, "nan")])
def test_a_file_that_computes_something_else_is_not_written(
    wss, model, tmp_path, monkeypatch, change, word
):
    from wsstools.nn.exported import onnx_files

    monkeypatch.setattr(onnx_files, "encode_onnx", tampered(change))
    outcome = wss("export", model, "-o", tmp_path / "net.onnx", "--size", "40x56")
    assert outcome.code == 1
    assert re.search(rf"is not written: its probabilities differ from ours by {word}", outcome.err)
    assert not outcome.paths
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_file_that_was_there_outlives_a_failure(wss, model, tmp_path, monkeypatch, files):
    from wsstools.nn.exported import onnx_files

    out = tmp_path / "net.onnx"
    out.write_bytes((files / "camera.onnx").read_bytes())
    monkeypatch.setattr(onnx_files, "encode_onnx", tampered(first_raised))
    assert wss("export", model, "-o", out, "--size", "40x57", "--overwrite").code == 1
    assert out.read_bytes() == (files / "camera.onnx").read_bytes()
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_names_of_classes_come_from_the_option_or_from_beside_the_model(wss, model, tmp_path):
    from wsstools.nn.models.model_files import decode_model, encode_model

    def names_in(path):
        return json.loads(wss("info", path, "--json").out)["facts"]["classes"]

    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    size = ["--size", "20x20"]
    wss("export", model, "-o", tmp_path / "1.pt2", *size, "--classes", tmp_path / "classes.txt")
    assert names_in(tmp_path / "1.pt2") == "4: a, b, c, d"
    known = decode_model(model.read_bytes())
    state = build_state(model)
    unnamed = encode_model(known.arch, 4, ["0", "1", "2", "3"], state, known.meta)
    (tmp_path / "net.pt").write_bytes(unnamed)
    wss("export", tmp_path / "net.pt", "-o", tmp_path / "2.pt2", *size)
    assert names_in(tmp_path / "2.pt2") == "4: a, b, c, d"
    (tmp_path / "classes.txt").write_text("a\nb\n")
    wss("export", tmp_path / "net.pt", "-o", tmp_path / "3.pt2", *size)
    assert names_in(tmp_path / "3.pt2") == "4: 0, 1, 2, 3"
    refused = wss(
        "export", model, "-o", tmp_path / "4.pt2", *size, "--classes", tmp_path / "classes.txt"
    )
    assert refused.code == 2
    assert "it names 2 classes, the model has 4" in refused.err


def build_state(model):
    from wsstools.nn.models.model_files import decode_model

    return decode_model(model.read_bytes()).network.state_dict()


@pytest.mark.parametrize("size", ["360", "0x5", "360x480x3", "axb", "-1x4", "99999x1", "360X480"])
def test_sizes_are_height_x_width(wss, model, tmp_path, size):
    outcome = wss("export", model, "-o", tmp_path / "net.onnx", f"--size={size}")
    assert outcome.code == 2
    assert f"--size {size}: expected height and width" in outcome.err


@pytest.mark.parametrize(
    ("out", "message"), [("net.pb", "ends in .onnx or .pt2"), ("net.onnx/", "is a folder")]
)
def test_endings_say_the_format(wss, model, tmp_path, out, message):
    outcome = wss("export", model, "-o", f"{tmp_path}/{out}")
    assert outcome.code == 2
    assert message in outcome.err


def test_without_its_packages_the_command_names_the_extra(wss, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "wsstools.nn.exported.onnx_files", raising=False)
    outcome = wss("export", model, "-o", tmp_path / "net.onnx")
    assert outcome.code == 2
    assert "pip install 'wsstools[onnx]'" in outcome.err
    assert not list(tmp_path.iterdir())


def test_what_is_no_model_is_refused(wss, dataset, tmp_path):
    outcome = wss("export", dataset / "images" / "a.png", "-o", tmp_path / "net.onnx")
    assert outcome.code == 1
    assert "not a wsstools model" in outcome.err
    missing = wss("export", tmp_path / "none.pt", "-o", tmp_path / "net.onnx")
    assert missing.code == 2
    assert "none.pt: no such file" in missing.err


def test_networks_of_others_are_named_as_such(wss, tmp_path):
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "other.onnx")
    outcome = wss("info", tmp_path / "other.onnx")
    assert outcome.code == 1
    assert "a network, but not one that wss export wrote" in outcome.err


def code(language):
    return code_blocks(PAGE, language)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_the_python_of_the_page_runs(files, ours, tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    for name in ("onnx", "pt2"):
        (tmp_path / f"net.{name}").write_bytes((files / f"net.{name}").read_bytes())
    image = draw_image(5)[0]
    Image.fromarray(image).save("photo.png")
    blocks = [block.replace("photo.jpg", "photo.png") for block in code("python")]
    assert len(blocks) == 2
    names = {}
    exec(blocks[number], names)
    assert np.abs(np.asarray(names["probs"]) - ours(image)).max() < 1e-3
    assert names["classes"] == NAMES
    assert np.array_equal(np.asarray(Image.open("labels.png")), ours(image).argmax(axis=0))


@pytest.mark.slow
def test_the_cpp_of_the_page_runs(files, ours, tmp_path):
    (source,) = code("cpp")
    (tmp_path / "segment.cpp").write_text(source)
    compiler, *_ = words = shlex.split(code("sh")[1])
    if not shutil.which(compiler) or not finds_headers(words[:5]):
        pytest.skip("no compiler that finds onnxruntime_cxx_api.h")
    capi = Path(onnxruntime.__file__).parent / "capi"
    (library,) = capi.glob("libonnxruntime.so.*.*")
    (tmp_path / "libonnxruntime.so.1").symlink_to(library)
    words[words.index("-lonnxruntime")] = str(library)
    subprocess.run([*words, "-Wall", "-Wextra", "-Werror"], cwd=tmp_path, check=True)
    (tmp_path / "net.onnx").write_bytes((files / "net.onnx").read_bytes())
    image = draw_image(5)[0][:33, :47]
    Image.fromarray(image).save(tmp_path / "photo.ppm")
    done = subprocess.run(
        ["./segment"], cwd=tmp_path, env={"LD_LIBRARY_PATH": str(tmp_path)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == NAMES
    labels = np.asarray(Image.open(tmp_path / "labels.pgm"))
    assert np.array_equal(labels, ours(image).argmax(axis=0))


def finds_headers(compiler):
    program = "#include <onnxruntime_cxx_api.h>\n"
    command = [*compiler, "-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    return done.returncode == 0
