"""`global-predict`: what its options do to the maps, image by image and together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import N_CLASSES, STEMS, draw_image, folder_bytes, mosaic

from wsstools.core.compiled.processor import processor
from wsstools.formats import map_files
from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.nn.models.model_files import decode_model, encode_model
from wsstools.nn.predict import Views, predict_probs
from wsstools.running.settings import RunSettings
from wsstools.steps import global_predict


def maps_of(folder):
    return {
        path.stem: map_files.decode_map(path.read_bytes(), path.name)
        for path in sorted(folder.glob("*.npz"))
    }


def predict(wss, dataset, model, out, *more):
    outcome = wss("global-predict", dataset / "images", "--model", model, "-o", out, "-j", 1, *more)
    assert outcome.code == 0, outcome.err
    return maps_of(out)


@pytest.fixture
def plain(wss, dataset, model, tmp_path):
    return predict(wss, dataset, model, tmp_path / "plain")


def test_the_record_says_how_it_was_predicted(plain):
    assert list(plain) == list(STEMS)
    assert plain["a"].meta["options"] == {
        "scales": [1.0], "flip": False, "restricted": False, "floor": 1e-4, "precision": "float32",
        "tile": 1536,
    }  # fmt: skip
    assert plain["a"].meta["result"] == {"processor": processor()}


def large_image(dataset, tmp_path):
    image, _ = mosaic(4, 4)
    (tmp_path / "large").mkdir()
    (tmp_path / "large/x.png").write_bytes(encode_image(image))
    return tmp_path / "large"


def test_a_large_image_is_predicted_in_tiles(wss, dataset, model, tmp_path):
    images = large_image(dataset, tmp_path)
    call = ("global-predict", images, "--model", model, "--flip", "-o")
    for options, folder in (((), "whole"), (("--tile", 64), "tiles")):
        outcome = wss(*call, tmp_path / folder, *options)
        assert outcome.code == 0, outcome.err
    whole, found = (maps_of(tmp_path / folder)["x"] for folder in ("whole", "tiles"))
    assert "tiles" not in whole.meta["result"]
    assert found.meta["result"]["tiles"] == 6
    assert found.meta["options"]["tile"] == 64
    assert found.value.classes.tolist() == whole.value.classes.tolist()
    assert np.abs(found.value.probs - whole.value.probs).max() < 2e-3
    few = wss(*call, tmp_path / "few", "--tile", 30)
    assert few.code == 2
    assert "--tile 30: expected 64 or more, or 0" in few.err


def test_msc_is_the_published_scales_mirrored(wss, dataset, model, tmp_path, plain):
    msc = predict(wss, dataset, model, tmp_path / "msc", "--msc")
    predict(wss, dataset, model, tmp_path / "same", "--scales", "0.5,0.75,1", "--flip")
    assert folder_bytes(tmp_path / "msc") == folder_bytes(tmp_path / "same")
    assert msc["a"].meta["options"]["scales"] == [0.5, 0.75, 1.0]
    assert np.abs(msc["a"].value.dense() - plain["a"].value.dense()).max() > 0.01


def at_stride_16(model, path):
    """The model file with an output stride of 16."""
    loaded = decode_model(model.read_bytes())
    state = loaded.network.state_dict()
    path.write_bytes(
        encode_model(
            loaded.arch, N_CLASSES, loaded.class_names, state, loaded.meta, output_stride=16
        )
    )
    return path


@pytest.mark.parametrize("options", [(), ("--scales", "0.5,1", "--flip")])
def test_the_output_stride_is_the_models(wss, dataset, model, tmp_path, options):
    coarse = at_stride_16(model, tmp_path / "16.pt")
    maps = predict(wss, dataset, coarse, tmp_path / "maps", *options)
    fine = predict(wss, dataset, model, tmp_path / "fine", *options)
    network = decode_model(coarse.read_bytes()).network
    views = Views((0.5, 1.0), flip=True) if options else Views()
    for number, stem in enumerate(STEMS):
        expected = predict_probs(network, draw_image(number)[0], views=views)
        assert np.abs(maps[stem].value.dense() - expected).max() < 2e-3  # as files hold them
        assert np.abs(fine[stem].value.dense() - expected).max() > 0.01


WEIGHTS = np.array([0.5, 1.0, 0.0, 4.0])


@pytest.fixture
def balanced(model, tmp_path):
    """The model, as if trained with class weights; class 2 had no pixels."""
    loaded = decode_model(model.read_bytes())
    path = tmp_path / "balanced.pt"
    path.write_bytes(
        encode_model(
            loaded.arch,
            N_CLASSES,
            loaded.class_names,
            loaded.network.state_dict(),
            loaded.meta,
            class_weights=WEIGHTS.tolist(),
        )
    )
    return path


def assert_scaled(found, plain, factors):
    """Probabilities times factors, over their sum; as files hold both."""
    for stem, before in plain.items():
        scaled = before.value.dense() * np.array(factors, np.float32)[:, None, None]
        difference = np.abs(found[stem].value.dense() - scaled / scaled.sum(0))
        assert difference.max() < 0.01
        assert difference.mean() < 1e-3


def test_class_weights_are_divided_out(wss, dataset, balanced, tmp_path, plain):
    assert "class weights: sky 0.5, grass 1, unused 0, water 4" in wss("info", balanced).out
    whole = predict(wss, dataset, balanced, tmp_path / "whole", "--to", "training")
    assert_scaled(whole, plain, [1 / 0.5, 1 / 1, 1 / 4, 1 / 4])
    assert whole["a"].meta["options"]["to"] == "training"
    half = predict(wss, dataset, balanced, tmp_path / "half", "--to", "training", "--power", 0.5)
    assert_scaled(half, plain, [2**0.5, 1, 0.5, 0.5])
    other = ("global-predict", dataset / "images", "--model", balanced, "-o")
    for folder, options, printed in (
        ("half", (), "power 0.5 (now none), to 'training' (now none)"),
        ("half", ("--to", "training"), "power 0.5 (now 1.0)"),
    ):
        refused = wss(*other, tmp_path / folder, *options)
        assert refused.code == 2
        assert printed in refused.err
    predict(wss, dataset, balanced, tmp_path / "as-they-are")
    refused = wss(*other, tmp_path / "as-they-are", "--to", "training")
    assert refused.code == 2
    assert "to none (now 'training')" in refused.err


def test_maps_move_to_the_shares_of_labels_or_of_a_list(
    wss, dataset, model, balanced, tmp_path, plain
):
    labels = tmp_path / "labels"
    labels.mkdir()
    drawn = np.repeat(np.array([0, 1, 3], np.uint8), [50, 40, 10])[None]  # no pixel of class 2
    (labels / "any.png").write_bytes(encode_labels(drawn, {}))
    shares = ("--from", "0.25,0.25,0.25,0.25", "--to")
    listed = predict(wss, dataset, model, tmp_path / "list", *shares, "0.4,0.3,0.2,0.1")
    assert_scaled(listed, plain, [0.4, 0.3, 0.2, 0.1])
    counted = predict(wss, dataset, balanced, tmp_path / "folder", *shares, labels)
    assert_scaled(counted, plain, [0.5 / 0.5, 0.4 / 1, 1e-6 / 4, 0.1 / 4])
    assert counted["a"].meta["options"]["to"] == [50, 40, 0, 10]
    # One definition: what adjust-prior makes of the maps of a network without class weights.
    wss("adjust-prior", tmp_path / "plain", *shares, "0.4,0.3,0.2,0.1", "-o", tmp_path / "adjusted")
    for stem, found in maps_of(tmp_path / "adjusted").items():
        assert np.abs(found.value.dense() - listed[stem].value.dense()).max() < 3e-3


def test_wrong_shares_are_refused(wss, dataset, model, balanced, tmp_path):
    def run(used, *options):
        return wss(
            "global-predict", dataset / "images", "--model", used, "-o", tmp_path / "o", *options
        )  # fmt: skip

    for options, printed in (
        (("--power", 0.5), "--from and --power need --to"),
        (("--from", "1,1,1,1"), "--from and --power need --to"),
        (("--to", "training", "--from", "1,1,1,1"), "--to training: leave --from out"),
        (("--to", "1,1,1,1"), "give the labels that the network was trained on with --from"),
        (("--to", "a,b", "--from", "1,1,1,1"), "a,b"),
    ):
        outcome = run(balanced, *options)
        assert outcome.code == 2
        assert printed in outcome.err
    short = run(balanced, "--from", "1,1,1,1", "--to", "1,1,1")
    assert short.code == 1
    assert "the map has 4 classes, there are 3 shares" in short.err
    loaded = decode_model(model.read_bytes())
    forgetful = tmp_path / "forgetful.pt"
    meta = loaded.meta.replace('"options": {}', '"options": {"class_balance": 0.5}')
    forgetful.write_bytes(
        encode_model(loaded.arch, N_CLASSES, loaded.class_names, loaded.network.state_dict(), meta)
    )
    for options in (("--to", "training"), ("--from", "1,1,1,1", "--to", "1,1,1,1")):
        refused = run(forgetful, *options)
        assert refused.code == 1
        assert "did not keep the class weights" in refused.err
    assert not (tmp_path / "o").exists()
    unweighted = run(model, "--to", "training")
    assert unweighted.code == 0
    assert "--to training changes nothing" in unweighted.err


def test_only_scribbled_classes_are_left(wss, dataset, model, tmp_path, plain):
    scribbles = tmp_path / "scribbles"
    scribbles.mkdir()
    drawn = np.full((40, 56), 255, np.uint8)
    for stem, classes in (("a", [0, 3]), ("b", []), ("c", [1])):
        of_image = drawn.copy()
        of_image[0, : len(classes)] = classes
        (scribbles / f"{stem}.png").write_bytes(encode_labels(of_image, {}))
    out = tmp_path / "restricted"
    outcome = wss(
        "global-predict", dataset / "images", "--model", model, "-o", out,
        "--scribbles", scribbles, "--drop-below", 0, "-j", 1,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "no scribble" in outcome.err
    assert "no scribbles" in outcome.err
    maps = maps_of(out)
    assert sorted(maps) == ["a", "c"]
    assert set(maps["a"].value.classes) <= {0, 3}
    dense = plain["a"].value.dense()[[0, 3]]
    sure = dense.sum(0) > 0.1
    expected = dense[:, sure] / dense[:, sure].sum(0)
    assert np.abs(maps["a"].value.dense()[[0, 3]][:, sure] - expected).max() < 0.02
    assert maps["c"].value.classes.tolist() == [1]
    assert (maps["c"].value.probs == 1).all()
    assert [entry["role"] for entry in maps["a"].meta["inputs"]] == ["image", "scribbles", "model"]


def test_scribbles_that_do_not_fit_are_refused_by_name(wss, dataset, model, tmp_path):
    scribbles = tmp_path / "scribbles"
    scribbles.mkdir()
    (scribbles / "a.png").write_bytes(encode_labels(np.full((40, 56), 7, np.uint8), {}))
    (scribbles / "b.png").write_bytes(encode_labels(np.zeros((4, 5), np.uint8), {}))
    outcome = wss(
        "global-predict", dataset / "images", "--model", model, "-o", tmp_path / "o",
        "--scribbles", scribbles,
    )  # fmt: skip
    assert outcome.code == 1
    assert "a: failed: scribbles hold class 7, expected 0..3" in outcome.err
    assert "b: failed: image has shape (40, 56), scribbles (4, 5)" in outcome.err


@pytest.mark.slow
def test_images_together_give_the_maps_of_each(wss, dataset, model, tmp_path):
    """Sizes differ, and one image is broken: its neighbours are not."""
    images = tmp_path / "images"
    images.mkdir()
    for number, stem in enumerate("abcdefg"):
        image = draw_image(number)[0]
        image = image[:32] if stem in "ce" else image
        (images / f"{stem}.png").write_bytes(encode_image(image))
    (images / "d.png").write_bytes(b"broken")
    outcomes = {
        n: wss("global-predict", images, "--model", model, "-o", tmp_path / f"{n}",
               "--batch", n, "-j", 2)
        for n in (1, 3, 100)
    }  # fmt: skip
    for n, outcome in outcomes.items():
        assert outcome.code == 1
        assert "1 image failed" in outcome.err
        assert [path.stem for path in outcome.paths] == list("abcefg")
        for stem, found in maps_of(tmp_path / f"{n}").items():
            alone = map_files.decode_map((tmp_path / "1" / f"{stem}.npz").read_bytes(), stem).value
            assert np.abs(found.value.dense() - alone.dense()).max() <= 1 / 1024 + 1e-5
    again = wss("global-predict", images, "--model", model, "-o", tmp_path / "3", "--batch", 2)
    assert [path.stem for path in again.paths] == list("abcefg")


def changed(model, folder, change):
    """The model file with the bias of its head changed."""
    loaded = decode_model(model.read_bytes())
    state = loaded.network.state_dict()
    change(state["head.branches.0.bias"])
    path = folder / "changed.pt"
    path.write_bytes(encode_model(loaded.arch, N_CLASSES, loaded.class_names, state, loaded.meta))
    return path


def test_improbable_classes_are_left_out(wss, dataset, model, tmp_path):
    rare = changed(model, tmp_path, lambda bias: bias[2].sub_(4))
    every = predict(wss, dataset, rare, tmp_path / "all", "--drop-below", 0)
    highest = {stem: found.value.dense().max(axis=(1, 2)) for stem, found in every.items()}
    floor = max(values[2] for values in highest.values()) + 1e-3
    assert 2e-3 < floor < 0.2  # seen in the files, and the most probable nowhere
    maps = predict(wss, dataset, rare, tmp_path / "few", "--drop-below", floor)
    for stem, found in maps.items():
        assert found.value.classes.tolist() == [c for c in range(N_CLASSES) if c != 2]
        difference = np.abs(found.value.dense() - every[stem].value.dense())
        assert difference.max() <= floor + 1 / 1024


def test_threads_share_one_network_and_give_the_same_bytes(wss, dataset, model, tmp_path, plain):
    """What a GPU's workers do, with several images at once and one at a time."""
    for batch in (1, 2):
        out = tmp_path / f"threads-{batch}"
        outcome = wss(
            "global-predict", dataset / "images", "--model", model, "-o", out,
            "--backend", "threading", "-j", 3, "--batch", batch,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert [path.stem for path in outcome.paths] == list(STEMS)
        for stem, found in maps_of(out).items():
            difference = np.abs(found.value.dense() - plain[stem].value.dense()).max()
            assert difference <= (0 if batch == 1 else 1 / 1024 + 1e-5)


def test_on_a_gpu_the_workers_are_threads():
    run = RunSettings()
    assert global_predict._with_threads(run).backend == "threading"
    assert global_predict._with_threads(replace(run, backend="dask")).backend == "dask"


def test_a_network_that_is_not_finite_gives_no_map(wss, dataset, model, tmp_path):
    broken = changed(model, tmp_path, lambda bias: bias[1].fill_(float("nan")))
    out = tmp_path / "out"
    outcome = wss("global-predict", dataset / "images", "--model", broken, "-o", out, "-j", 1)
    assert outcome.code == 1
    assert f"a: failed: {broken}: " in outcome.err
    assert "is not finite" in outcome.err
    assert not out.exists() or list(out.iterdir()) == []


def test_scribbles_that_do_not_fit_cost_no_predictions(wss, dataset, model, tmp_path, monkeypatch):
    """They are looked at before the network computes, and leave their neighbours alone."""
    shapes = []

    def counted(network, images, *arguments, **options):
        shapes.append(images.shape)
        return predict_probs(network, images, *arguments, **options)

    monkeypatch.setattr("wsstools.nn.predict.predict_probs", counted)
    scribbles = tmp_path / "scribbles"
    scribbles.mkdir()
    for stem in "abcd":
        drawn = np.full((40, 56), 255, np.uint8)
        drawn[5, :9] = {"b": 255, "c": 200}.get(stem, 1)
        drawn[6, :9] = {"b": 255, "c": 200}.get(stem, 3)
        (scribbles / f"{stem}.png").write_bytes(encode_labels(drawn, {}))
    for batch in (1, 4):
        outcome = wss(
            "global-predict", dataset / "images", "--model", model, "-o", tmp_path / f"{batch}",
            "--scribbles", scribbles, "--batch", batch, "-j", 1,
        )  # fmt: skip
        assert outcome.code == 1
        assert "b: skipped: no scribble" in outcome.err
        assert "c: failed: scribbles hold class 200" in outcome.err
        assert [path.stem for path in outcome.paths] == ["a", "d"]
        assert shapes == 2 * [(1, 40, 56, 3)]
        shapes.clear()
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "4")


def test_sizes_are_a_set(wss, dataset, model, tmp_path):
    one = predict(wss, dataset, model, tmp_path / "one", "--scales", "1,0.5,1")
    predict(wss, dataset, model, tmp_path / "other", "--scales", "0.5,1")
    assert one["a"].meta["options"]["scales"] == [0.5, 1.0]
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "other")


def test_half_precision_is_another_option(wss, dataset, model, tmp_path, plain):
    half = predict(wss, dataset, model, tmp_path / "half", "--precision", "bfloat16")
    assert half["a"].meta["options"]["precision"] == "bfloat16"
    difference = np.abs(half["a"].value.dense() - plain["a"].value.dense())
    assert 0 < difference.mean() < 0.05
    other = wss("global-predict", dataset / "images", "--model", model, "-o", tmp_path / "half")
    assert other.code == 2
    assert "precision" in other.err


@pytest.mark.slow
def test_crf_follows_in_a_pipe(shell, wss, dataset, model, tmp_path):
    images = dataset / "images"
    done = shell(
        f"wss global-predict {images} --model {model} --msc -o maps -j 1"
        f" | wss regularize --crf --images {images} - -o piped -j 1"
    )
    assert done.code == 0, done.err
    step = wss(
        *("regularize", "--crf", "--images", images, tmp_path / "maps"),
        *("-o", tmp_path / "stepped", "-j", 1),
    )
    assert step.code == 0, step.err
    assert folder_bytes(tmp_path / "piped") == folder_bytes(tmp_path / "stepped")
    assert len(folder_bytes(tmp_path / "piped")) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scales", "0,1"], "--scales 0,1"),
        (["--scales", "1,x"], "--scales 1,x"),
        (["--msc", "--scales", "1"], "one of --msc and --scales"),
        (["--precision", "int8"], "--precision int8"),
        (["--precision", "float16", "--device", "cpu"], "--precision float16: a CPU is slow"),
        (["--scribbles", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_wrong_options_are_refused(wss, dataset, model, tmp_path, arguments, message):
    outcome = wss(
        "global-predict", dataset / "images", "--model", model, "-o", tmp_path / "o", *arguments
    )
    assert outcome.code == 2
    assert message in outcome.err
