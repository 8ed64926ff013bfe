"""`--features-of`: local models on the features of a network."""

from __future__ import annotations

import numpy as np
import pytest
from builders import N_CLASSES, STEMS, draw_image, folder_bytes

from wsstools.formats import map_files

MODELS = {
    "linear": ["local-predict", "--model", "linear"],
    "boosting": ["local-predict", "--model", "boosting", "--rounds", 20, "--l2", 1],
    "forest": ["rf-predict", "--trees", 10],
}
EACH = pytest.mark.parametrize("name", MODELS)


@pytest.fixture
def on_network(wss, dataset, model, tmp_path):
    """Run one of MODELS on the features of the network, into a folder of tmp_path."""

    def run(name: str, out: str, *more: object):
        command, *options = MODELS[name]
        inputs = [dataset / "images", dataset / "scribbles", "--features-of", model]
        return wss(command, *inputs, *options, "-o", tmp_path / out, *more)

    return run


@EACH
def test_one_and_two_jobs_give_the_same_maps_which_are_right(on_network, name, tmp_path):
    one = on_network(name, "one", "--jobs", 1)
    assert one.code == 0, one.err
    assert [path.stem for path in one.paths] == list(STEMS)
    assert on_network(name, "two", "--jobs", 2).code == 0
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    for path in one.paths:
        found = map_files.read_map(path)
        assert found.n_classes == N_CLASSES
        labels = found.classes[found.probs.argmax(axis=0)]
        assert (labels == draw_image(STEMS.index(path.stem))[1]).mean() > 0.65


@EACH
def test_the_record_names_the_network_and_its_chain(on_network, name, tmp_path, wss):
    assert on_network(name, "out", "--jobs", 1).code == 0
    meta = map_files.read_meta(tmp_path / "out" / "a.npz")
    assert [entry["role"] for entry in meta["inputs"]] == ["image", "scribbles", "model"]
    assert meta["inputs"][2]["name"] == "net.pt"
    assert meta["inputs"][2]["made_by"]["step"] == "train"
    if name != "linear":
        assert meta["options"]["filters"] == "none"
    again = on_network(name, "out", "--jobs", 1)
    assert "skipped 4 (up to date)" in again.err


def test_position_and_named_filters_join_the_network(on_network, tmp_path):
    assert on_network("forest", "alone", "--jobs", 1).code == 0
    assert on_network("forest", "position", "--position", "--jobs", 1).code == 0
    assert on_network("forest", "gabor", "--filters", "gabor", "--jobs", 1).code == 0
    assert map_files.read_meta(tmp_path / "gabor" / "a.npz")["options"]["filters"] == "gabor"
    folders = [folder_bytes(tmp_path / out) for out in ("alone", "position", "gabor")]
    assert len({folder["a.npz"] for folder in folders}) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "linear"], "give --features-of"),
        (["--model", "linear", "--features-of", "no.pt"], "--features-of no.pt: no such file"),
        (["--model", "linear", "--features-of", "{model}", "--position"], "--position"),
        (["--model", "linear", "--features-of", "{model}", "--seed", 1], "--seed"),
        (["--model", "linear", "--features-of", "{model}", "--penalty", 0], "--penalty 0"),
        (["--model", "walker", "--features-of", "{model}"], "--features-of does not belong"),
        (
            ["--model", "boosting", "--features-of", "{model}", "--rectify"],
            "--rectify is of filters",
        ),
        (["--model", "boosting", "--features-of", "{images}"], "images: Is a directory"),
        (["--model", "boosting", "--temperature", 2], "--temperature does not belong"),
    ],
)
def test_wrong_usage_is_named(wss, dataset, model, tmp_path, arguments, message):
    words = {"model": model, "images": dataset / "images"}
    given = [a.format(**words) if isinstance(a, str) else a for a in arguments]
    run = wss(
        "local-predict", dataset / "images", dataset / "scribbles", "-o", tmp_path / "x", *given
    )
    assert run.code == (1 if "directory" in message else 2)
    assert message in run.err
    assert not (tmp_path / "x").exists() or not list((tmp_path / "x").glob("*.npz"))


def test_a_file_that_is_no_model_is_named(wss, dataset, tmp_path):
    run = wss(
        *("local-predict", dataset / "images", dataset / "scribbles", "-o", tmp_path / "x"),
        *("--model", "linear", "--features-of", dataset / "classes.txt"),
    )
    assert run.code in (1, 2)
    assert "classes.txt" in run.err
    assert "Traceback" not in run.err


def test_images_of_odd_sizes(wss, model, tmp_path):
    import imageio.v3 as iio

    rng = np.random.default_rng(0)
    for folder in ("images", "scribbles"):
        (tmp_path / folder).mkdir()
    for name, size in {"dot": (1, 2), "line": (3, 70), "odd": (37, 51)}.items():
        iio.imwrite(tmp_path / "images" / f"{name}.png", rng.integers(0, 255, (*size, 3), np.uint8))
        strokes = np.full(size, 255, np.uint8)
        strokes[0, 0], strokes[0, -1] = 0, 1
        iio.imwrite(tmp_path / "scribbles" / f"{name}.png", strokes)
    run = wss(
        *("local-predict", tmp_path / "images", tmp_path / "scribbles", "--model", "linear"),
        *("--features-of", model, "--n-classes", N_CLASSES, "-o", tmp_path / "out", "--jobs", 1),
    )
    assert run.code == 0, run.err
    for path in run.paths:
        found = map_files.read_map(path)
        assert found.probs[0, 0, 0] > 0.5 > found.probs[0, 0, -1]
