"""`wss regularize`: its record, its engines and its refusals."""

import subprocess
import sys

import numpy as np
import pytest
from builders import map_of, mosaic

from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import GRID
from wsstools.formats import map_files
from wsstools.formats.image_files import encode_image


def test_the_solver_tells_its_gap_and_warns_if_it_stopped_early(wss, dataset, tmp_path):
    potts = ["regularize", "--potts", "--images", dataset / "images", dataset / "maps"]
    wss(*potts, "-o", tmp_path / "full")
    meta = map_files.read_meta(tmp_path / "full" / "a.npz")
    assert meta["kind"] == "soft"
    assert 0 <= meta["result"]["gap"] <= 1e-3
    assert meta["result"]["dual"] <= meta["result"]["primal"]
    assert meta["result"]["converged"] is True
    early = wss(*potts, "-o", tmp_path / "early", "--max-iterations", 1, "--tol", "1e-6")
    assert early.code == 0
    assert early.err.count("warning: stopped at a relative duality gap") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of --potts and --crf"),
        (["--potts", "--crf"], "one of --potts and --crf"),
        (["--potts", "--w1", "3"], "--w1 does not belong to --potts"),
        (["--crf", "--lambda", "3"], "--lambda does not belong to --crf"),
        (["--potts", "--lambda", "-1"], "--lambda -1: expected a number 0 or more"),
        (["--crf", "--sigma-beta", "0"], "--sigma-beta 0: expected a number above 0"),
        (["--potts", "--floor", "0"], "--floor 0"),
        (["--potts", "--prune", "0.1"], "--prune does not belong to --potts"),
        (["--crf", "--device", "cpu"], "--device does not belong to --crf"),
        (["--crf", "--prune", "1"], "--prune 1: expected a probability"),
        (["--crf", "--engine", "best"], "--engine best: expected compiled or pydensecrf"),
        (["--crf", "--engine", "pydensecrf", "--prune", "0.1"], "belongs to --engine compiled"),
        (["--potts", "--device", "no-such"], "--device no-such"),
    ],
)
def test_regularize_refuses_wrong_options(wss, dataset, tmp_path, arguments, message):
    outcome = wss(
        "regularize", dataset / "maps", "-o", tmp_path, "--images", dataset / "images", *arguments
    )
    assert outcome.code == 2
    assert message in outcome.err


def test_engines_agree_and_the_record_names_them(wss, dataset, tmp_path):
    pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")
    crf = ["regularize", "--crf", "--images", dataset / "images", dataset / "maps"]
    for engine in ("compiled", "pydensecrf"):
        outcome = wss(*crf, "-o", tmp_path / engine, "--engine", engine)
        assert outcome.code == 0, outcome.err
        options = map_files.read_meta(tmp_path / engine / "a.npz")["options"]
        assert options["engine"] == engine
        assert options["prune"] == (0.05 if engine == "compiled" else 0)
    for path in (tmp_path / "compiled").glob("*.npz"):
        ours, reference = map_of(path), map_of(tmp_path / "pydensecrf" / path.name)
        assert np.abs(ours.probs - reference.probs).max() <= 1.01 / GRID
    refused = wss(*crf, "-o", tmp_path / "compiled", "--engine", "pydensecrf")
    assert refused.code == 2 and "--overwrite" in refused.err


@pytest.fixture
def with_weak_classes(dataset, tmp_path):
    """A folder with one map of the data set, and two further classes of hardly any probability."""
    folder = tmp_path / "maps"
    folder.mkdir()
    some = map_of(dataset / "maps" / "a.npz")
    weak = np.full((2, *some.shape), 1e-3, np.float32)
    probs = np.concatenate([some.probs, weak])
    probs /= probs.sum(axis=0)
    classes = np.concatenate([some.classes, [4, 5]]).astype(np.int16)
    (folder / "a.npz").write_bytes(map_files.encode_map(ProbabilityMap(probs, classes, 6), {}))
    return folder


def test_what_is_pruned_is_reported(wss, dataset, with_weak_classes, tmp_path):
    crf = ["regularize", "--crf", "--images", dataset / "images", with_weak_classes]
    for prune, expected in ((0, []), (0.05, [4, 5])):
        outcome = wss(*crf, "-o", tmp_path / str(prune), "--prune", prune)
        assert outcome.code == 0, outcome.err
        result = map_files.read_meta(tmp_path / str(prune) / "a.npz")["result"]
        assert result["pruned"] == expected
        assert result["pruned_mass"] == pytest.approx(2e-3 if expected else 0, rel=0.05)


def test_classes_that_no_pixel_needs_are_reported(wss, dataset, with_weak_classes, tmp_path):
    potts = ["regularize", "--potts", "--images", dataset / "images", with_weak_classes]
    outcome = wss(*potts, "-o", tmp_path / "soft", "--floor", "0.002")
    assert outcome.code == 0, outcome.err
    assert map_files.read_meta(tmp_path / "soft" / "a.npz")["result"]["needless"] == [4, 5]


@pytest.mark.parametrize("options", [["--potts"], ["--potts", "--lambda", 0], ["--crf"]])
def test_maps_of_one_class_one_row_and_one_pixel(wss, tmp_path, options):
    rng = np.random.default_rng(0)
    images, maps = tmp_path / "images", tmp_path / "maps"
    images.mkdir()
    maps.mkdir()
    for stem, (n_classes, *shape) in {
        "few": (1, 9, 7),
        "row": (3, 1, 40),
        "dot": (3, 1, 1),
    }.items():
        (images / f"{stem}.png").write_bytes(encode_image(np.full((*shape, 3), 90, np.uint8)))
        probs = rng.dirichlet(np.ones(n_classes), shape).transpose(2, 0, 1).astype(np.float32)
        some = ProbabilityMap(probs, np.arange(n_classes), n_classes)
        (maps / f"{stem}.npz").write_bytes(map_files.encode_map(some, {}))
    outcome = wss("regularize", *options, "--images", images, maps, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert (map_of(tmp_path / "out" / "few.npz").probs == 1).all()
    dot, before = map_of(tmp_path / "out" / "dot.npz"), map_of(maps / "dot.npz")
    assert dot.classes[dot.probs.argmax()] == before.classes[before.probs.argmax()]


WITHOUT_PYDENSECRF = """
import sys
sys.modules["pydensecrf"] = None
from wsstools.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.slow
def test_only_its_own_engine_needs_pydensecrf(dataset, tmp_path):
    def run(*options):
        command = [
            sys.executable, "-c", WITHOUT_PYDENSECRF, "regularize", "--crf", dataset / "maps",
            "--images", dataset / "images", "-o", tmp_path / "-".join(["out", *options]), "-j", "1",
            *options,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)

    fine = run()
    assert fine.returncode == 0, fine.stderr
    lacking = run("--engine", "pydensecrf")
    assert lacking.returncode == 1
    assert "a: failed: pydensecrf cannot be imported" in lacking.stderr
    assert "pip install pydensecrf2" in lacking.stderr and "Traceback" not in lacking.stderr


@pytest.mark.gpu
def test_a_gpu_gives_the_same_labels(wss, dataset, tmp_path):
    potts = ["regularize", "--potts", "--images", dataset / "images", dataset / "maps"]
    for device in ("cpu", "cuda"):
        outcome = wss(*potts, "-o", tmp_path / device, "--device", device, "--tol", "1e-4")
        assert outcome.code == 0, outcome.err
        assert map_files.read_meta(tmp_path / device / "a.npz")["options"]["device"] == device
    for path in (tmp_path / "cpu").glob("*.npz"):
        labels = [map_of(tmp_path / d / path.name).probs.argmax(axis=0) for d in ("cpu", "cuda")]
        assert (labels[0] == labels[1]).mean() > 0.99


@pytest.mark.parametrize("method", ["potts", "crf"])
def test_a_large_image_is_regularized_in_parts(wss, method, tmp_path):
    image, dense = mosaic(4, 4)
    for folder, name, data in (
        ("images", "x.png", encode_image(image)),
        ("maps", "x.npz", map_files.encode_map(dense, {})),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(data)
    call = ("regularize", tmp_path / "maps", f"--{method}", "--images", tmp_path / "images")
    small = ("--sigma-alpha", 4) if method == "crf" else ("--lambda", 3)
    for folder, options in (("whole", ()), ("parts", ("--tile", 64))):
        outcome = wss(*call, *small, *options, "-o", tmp_path / folder)
        assert outcome.code == 0, outcome.err
        assert "warning" not in outcome.err
    whole, parts = (map_of(tmp_path / folder / "x.npz") for folder in ("whole", "parts"))
    result = map_files.read_meta(tmp_path / "parts" / "x.npz")["result"]
    assert result["strips" if method == "potts" else "tiles"] > 2
    assert np.mean(whole.probs.argmax(0) != parts.probs.argmax(0)) < 5e-3
    if method == "potts":
        assert result["gap"] <= 1e-3


def test_what_strips_cannot_certify_is_said(wss, tmp_path, monkeypatch):
    for name in ("_LEAST_MARGIN", "_MOST_MARGIN"):
        monkeypatch.setattr(f"wsstools.core.potts.strips.{name}", 0)
    image, dense = mosaic(4, 4)
    (tmp_path / "x.png").write_bytes(encode_image(image))
    (tmp_path / "x.npz").write_bytes(map_files.encode_map(dense, {}))
    call = ("regularize", tmp_path / "x.npz", "--potts", "--images", tmp_path / "x.png")
    outcome = wss(*call, "--tile", 64, "--lambda", 30, "-o", tmp_path / "parts", "-j", 1)
    assert outcome.code == 0
    assert "warning: the relative duality gap of the whole image is 0." in outcome.err
