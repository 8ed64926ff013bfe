"""`volumes`: slices become the volumes that were cut, where and as they were."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from builders import REPOSITORY, code_blocks, folder_bytes, npz

from wsstools.core.maps import ProbabilityMap
from wsstools.formats import label_files, map_files, volume_files

nib = pytest.importorskip("nibabel")

SHAPE = (5, 7, 4)  # voxels along x, y and z, as nibabel has them
OBLIQUE = np.array([[-0.8, 0, 0.1, 90], [0, 1.2, 0, -126], [0, 0.05, 3, -72], [0, 0, 0, 1.0]])
AFFINES = {
    "cubes": np.eye(4),
    "oblique": OBLIQUE,
    "axes in another order": OBLIQUE[:, [2, 0, 1, 3]] * [1, -1, -1, 1],
}


def labels_volume(*held: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).choice(held, shape).astype(np.uint8)


def image(
    affine: np.ndarray = OBLIQUE, shape: tuple[int, ...] = SHAPE, kind: type = nib.Nifti1Image
):
    """A volume of 16 bits with a header in which much is said."""
    values = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    made = kind(values, affine)
    made.header["descrip"] = b"of a scanner"
    made.header["aux_file"] = b"none"
    made.header.set_xyzt_units("mm", "sec")
    made.header.set_intent("estimate")
    made.set_sform(affine, code="mni")
    made.set_qform(affine, code="scanner")
    return made


def save(made, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    nib.save(made, path)
    return path


def ids_of(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def fields(header) -> dict[str, object]:
    """What a header says of the place of a volume, and in words."""
    names = (
        "dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c",
        "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "descrip",
        "aux_file", "intent_code", "intent_name", "toffset", "dim_info", "slice_code", "magic",
    )  # fmt: skip
    return {name: header[name].tolist() for name in names}


@pytest.mark.parametrize(
    ("axis", "affine", "kind"),
    [
        *product("xyz", AFFINES, [nib.Nifti1Image]),
        ("z", "oblique", nib.Nifti2Image),
        ("x", "oblique", nib.Nifti2Image),
    ],
)
def test_labels_go_through_slices_and_back(wss, tmp_path, axis, affine, kind):
    values = labels_volume(0, 1, 2, 254, 255)
    original = image(AFFINES[affine], kind=kind)
    labels = kind(values, original.affine, original.header)
    labels.set_data_dtype(np.uint8)
    save(labels, tmp_path / "in" / "case.nii.gz")
    save(original, tmp_path / "images" / "case_0000.nii.gz")
    wss(
        "slices", tmp_path / "in", "--kind", "labels", "--axis", axis, "--like",
        tmp_path / "images", "-o", tmp_path / "labels",
    )  # fmt: skip
    outcome = wss(
        "volumes", tmp_path / "labels", "--like", tmp_path / "images", "-o", tmp_path / "o"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.paths == [tmp_path / "o" / "case.nii.gz"]
    back = nib.load(outcome.paths[0])
    assert type(back) is kind
    assert back.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(back.dataobj), values)
    np.testing.assert_array_equal(back.affine, original.affine)
    assert fields(back.header) == fields(original.header)
    assert (back.dataobj.slope, back.dataobj.inter) == (1, 0)


def test_big_endian_headers_stay_so(wss, tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    save(nib.Nifti1Image(np.zeros(SHAPE, ">i2"), OBLIQUE, header), tmp_path / "images" / "a.nii")
    slices_of(labels_volume(0, 3), tmp_path / "labels")
    outcome = wss(
        "volumes", tmp_path / "labels", "--like", tmp_path / "images", "-o", tmp_path / "o"
    )
    back = nib.load(outcome.paths[0])
    assert back.header.endianness == ">"
    np.testing.assert_array_equal(np.asarray(back.dataobj), labels_volume(0, 3))
    np.testing.assert_allclose(back.affine, OBLIQUE, atol=1e-5)


def slices_of(values: np.ndarray, folder: Path, case: str = "a") -> None:
    folder.mkdir(exist_ok=True)
    for k in range(values.shape[2]):
        data = label_files.encode_labels(values[:, :, k].T, {})
        (folder / f"{case}_z{k:04d}.png").write_bytes(data)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_maps_go_through_slices_and_back(wss, tmp_path, axis):
    probs = np.random.default_rng(0).dirichlet(np.ones(3), SHAPE[::-1])
    probs = np.rint(np.moveaxis(probs, -1, 0) * 1024) / 1024
    probs[0] += 1 - probs.sum(axis=0)
    (tmp_path / "a.npz").write_bytes(npz(probabilities=probs.astype(np.float16)))
    save(image(), tmp_path / "images" / "a_0000.nii.gz")
    wss("slices", tmp_path / "a.npz", "--kind", "maps", "--axis", axis, "-o", tmp_path / "maps")
    outcome = wss("volumes", tmp_path / "maps", "--like", tmp_path / "images", "-o", tmp_path / "o")
    assert outcome.paths == [tmp_path / "o" / "a.npz"], outcome.err
    with np.load(outcome.paths[0], allow_pickle=False) as archive:
        assert archive["probabilities"].dtype == np.float16
        np.testing.assert_array_equal(archive["probabilities"], probs)
    again = wss("volumes", tmp_path / "maps", "--like", tmp_path / "images", "-o", tmp_path / "o")
    assert "skipped 1 (up to date)" in again.err


def test_missing_slices_are_filled_and_reported(wss, tmp_path):
    values = labels_volume(0, 1)
    slices_of(values, tmp_path / "labels")
    (tmp_path / "labels" / "a_z0001.png").unlink()
    (tmp_path / "labels" / "a_z0003.png").unlink()
    save(image(), tmp_path / "images" / "a.nii.gz")
    command = ["volumes", tmp_path / "labels", "--like", tmp_path / "images", "-o"]
    outcome = wss(*command, tmp_path / "one")
    assert outcome.code == 0
    assert "a: slices 1, 3 missing, now of label 255" in outcome.err
    expected = values.copy()
    expected[:, :, [1, 3]] = 255
    np.testing.assert_array_equal(ids_of(tmp_path / "one" / "a.nii.gz"), expected)
    assert volume_files.read_meta(tmp_path / "one" / "a.nii.gz")["result"] == {"missing": 2}
    wss(*command, tmp_path / "two", "--missing", 0)
    expected[:, :, [1, 3]] = 0
    np.testing.assert_array_equal(ids_of(tmp_path / "two" / "a.nii.gz"), expected)


def test_missing_maps_are_of_equal_probabilities(wss, tmp_path):
    (tmp_path / "maps").mkdir()
    probs = np.zeros((1, 7, 5), np.float32) + 1
    one = ProbabilityMap(probs, np.array([2]), 4)
    (tmp_path / "maps" / "a_z0002.npz").write_bytes(map_files.encode_map(one, {}))
    save(image(), tmp_path / "images" / "a.nii.gz")
    outcome = wss("volumes", tmp_path / "maps", "--like", tmp_path / "images", "-o", tmp_path / "o")
    assert "a: slices 0, 1, 3 missing, now of equal probabilities" in outcome.err
    with np.load(tmp_path / "o" / "a.npz") as archive:
        found = archive["probabilities"]
    assert found.shape == (4, 4, 7, 5)
    assert (found[:, [0, 1, 3]] == 0.25).all()
    assert (found[:, 2] == np.array([0, 0, 1, 0])[:, None, None]).all()
    command = ["volumes", tmp_path / "maps", "--like", tmp_path / "images", "-o", tmp_path / "o"]
    outcome = wss(*command, "--first-class", 1)
    assert outcome.code == 2 and "--first-class is for labels, not for maps" in outcome.err


def test_same_bytes_reruns_and_records(wss, tmp_path):
    for case in ("a", "b", "c"):
        slices_of(labels_volume(0, 1, 255), tmp_path / "labels", case)
        save(image(), tmp_path / "images" / f"{case}.nii.gz")
    (tmp_path / "classes.txt").write_text("sky\nsea\n")
    command = ["volumes", tmp_path / "labels", "--like", tmp_path / "images", "-o"]
    wss(*command, tmp_path / "out" / "one", "--jobs", 1)
    wss(*command, tmp_path / "out" / "two", "--jobs", 2)
    for k in (2, 1):
        wss(*command, tmp_path / "out" / "shards", "--shard", f"{k}/2")
    expected = folder_bytes(tmp_path / "out" / "one")
    assert sorted(expected) == ["a.nii.gz", "b.nii.gz", "c.nii.gz", "classes.txt"]
    assert expected == folder_bytes(tmp_path / "out" / "two")
    assert expected == folder_bytes(tmp_path / "out" / "shards")
    assert expected["a.nii.gz"][4:8] == bytes(4), "gzip states no time"
    meta = volume_files.read_meta(tmp_path / "out" / "one" / "a.nii.gz")
    assert meta["step"] == "volumes"
    assert [entry["name"] for entry in meta["inputs"]] == ["a.nii.gz", "a_z0000.png and 3 more"]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "one").iterdir()}
    assert "skipped 3 (up to date)" in wss(*command, tmp_path / "out" / "one").err
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "one").iterdir()}
    slices_of(labels_volume(1, 2), tmp_path / "labels", "b")
    again = wss(*command, tmp_path / "out" / "one")
    assert "1 written" in again.err and "skipped 2 (up to date)" in again.err
    np.testing.assert_array_equal(
        ids_of(tmp_path / "out" / "one" / "b.nii.gz"), labels_volume(1, 2)
    )
    refused = wss(*command, tmp_path / "out" / "one", "--missing", 0)
    assert refused.code == 2 and "other options: missing 255 (now 0)" in refused.err


def test_records_hold_the_whole_chain(wss, tmp_path):
    save(nib.Nifti1Image(labels_volume(0, 1), OBLIQUE), tmp_path / "in" / "a.nii.gz")
    wss("slices", tmp_path / "in", "--kind", "labels", "-o", tmp_path / "labels")
    wss("volumes", tmp_path / "labels", "--like", tmp_path / "in", "-o", tmp_path / "back")
    wss("slices", tmp_path / "back", "--kind", "labels", "-o", tmp_path / "again")
    meta = label_files.read_meta(tmp_path / "again" / "a_z0000.png")
    steps = []
    while meta is not None:
        steps.append(meta["step"])
        meta = meta["inputs"][-1].get("made_by")
    assert steps == ["slices", "volumes", "slices"]


def nnunet(wss, root: Path, *options: object):
    return wss(
        "volumes", root / "labels", "--like", root / "images", "--nnunet", "-o",
        root / "Dataset001_X", *options,
    )  # fmt: skip


def test_a_data_set_of_nnunet_is_written(wss, tmp_path):
    values = labels_volume(0, 1, 2, 255)
    whole = labels_volume(0, 1, 2)
    slices_of(values, tmp_path / "labels", "a")
    slices_of(whole, tmp_path / "labels", "b")
    (tmp_path / "classes.txt").write_text("rest\nliver\nignore\n")
    packed = save(image(), tmp_path / "images" / "a_0000.nii.gz").read_bytes()
    save(image(), tmp_path / "images" / "a_0001.nii.gz")
    plain = save(image(), tmp_path / "images" / "b_0000.nii").read_bytes()
    save(image(), tmp_path / "images" / "b_0001.nii.gz")
    outcome = nnunet(wss, tmp_path, "--channel-names", "CT,MR")
    assert outcome.code == 0, outcome.err
    folder = tmp_path / "Dataset001_X"
    assert outcome.paths == [folder / "labelsTr" / "a.nii.gz", folder / "labelsTr" / "b.nii.gz"]
    np.testing.assert_array_equal(ids_of(outcome.paths[0]), np.where(values == 255, 3, values))
    np.testing.assert_array_equal(ids_of(outcome.paths[1]), whole)
    held = folder_bytes(folder / "imagesTr")
    assert sorted(held) == [f"{case}_000{c}.nii.gz" for case in "ab" for c in (0, 1)]
    assert held["a_0000.nii.gz"] == packed
    assert gzip.decompress(held["b_0000.nii.gz"]) == plain
    assert json.loads((folder / "dataset.json").read_text()) == {
        "channel_names": {"0": "CT", "1": "MR"},
        "labels": {"background": 0, "liver": 1, "ignore 2": 2, "ignore": 3},
        "numTraining": 2,
        "file_ending": ".nii.gz",
        "made_by": "wss volumes",
    }
    assert "class 0 (rest) is called background" in outcome.err
    assert "skipped 2 (up to date)" in nnunet(wss, tmp_path, "--channel-names", "CT,MR").err
    wss("slices", folder / "labelsTr", "--kind", "labels", "-o", tmp_path / "x" / "again")
    for k in range(SHAPE[2]):
        name = f"a_z{k:04d}.png"
        assert (
            label_files.decode_labels((tmp_path / "x" / "again" / name).read_bytes(), "").value
            == values[:, :, k].T
        ).all()
    assert (tmp_path / "x" / "again" / "classes.txt").read_text() == "background\nliver\nignore 2\n"


@pytest.mark.parametrize("first", [1, 5])
def test_values_go_through_slices_and_back_by_the_first_class(wss, tmp_path, first):
    values = labels_volume(0, first, first + 1, first + 3)
    save(nib.Nifti1Image(values, OBLIQUE), tmp_path / "in" / "a.nii.gz")
    (tmp_path / "classes.txt").write_text("rest\nliver\nspleen\nkidney\n")
    options = ["--kind", "labels", "--unlabelled", 0, "--first-class", first]
    slices = ["slices", tmp_path / "in", *options, "-o", tmp_path / "x" / "labels"]
    assert wss(*slices).code == 0
    (tmp_path / "x" / "labels" / "a_z0003.png").unlink()
    command = ["volumes", tmp_path / "x" / "labels", "--like", tmp_path / "in", "--missing", 1]
    outcome = wss(*command, "--first-class", first, "-o", tmp_path / "x" / "back")
    expected = np.where(values == 0, 255, values)
    expected[:, :, 3] = first + 1
    np.testing.assert_array_equal(ids_of(outcome.paths[0]), expected)
    assert volume_files.read_meta(outcome.paths[0])["options"] == {"missing": 1, "first": first}
    assert not (tmp_path / "x" / "back" / "classes.txt").exists()  # it names values from 0 on
    again = ["slices", tmp_path / "x" / "back", *options, "-o", tmp_path / "x" / "again"]
    for path in wss(*again).paths[:3]:
        before = label_files.decode_labels((tmp_path / "x" / "labels" / path.name).read_bytes(), "")
        found = label_files.decode_labels(path.read_bytes(), "").value
        np.testing.assert_array_equal(found, before.value)


def test_nnunet_gets_values_from_1_on(wss, tmp_path):
    values = labels_volume(0, 1, 2, 255)
    slices_of(values, tmp_path / "labels")
    (tmp_path / "classes.txt").write_text("rest\nliver\nspleen\n")
    save(image(), tmp_path / "images" / "a.nii.gz")
    outcome = nnunet(wss, tmp_path, "--first-class", 1)
    np.testing.assert_array_equal(
        ids_of(outcome.paths[0]), np.where(values == 255, 4, values + np.uint8(1))
    )
    folder = tmp_path / "Dataset001_X"
    labels = {"background": 0, "rest": 1, "liver": 2, "spleen": 3, "ignore": 4}
    assert json.loads((folder / "dataset.json").read_text())["labels"] == labels
    assert "is called background" not in outcome.err
    again = tmp_path / "x" / "again"
    options = ["--kind", "labels", "--first-class", 1]
    outcome = wss("slices", folder / "labelsTr", *options, "-o", again)
    for k, path in enumerate(outcome.paths):
        found = label_files.decode_labels(path.read_bytes(), "").value
        np.testing.assert_array_equal(found, values[:, :, k].T)
    assert (again / "classes.txt").read_text() == "rest\nliver\nspleen\n"
    outcome = nnunet(wss, tmp_path, "--first-class", 2)
    assert outcome.code == 2 and "--first-class 2: nnU-Net wants values without gaps" in outcome.err


def test_a_value_that_8_bits_do_not_hold_fails_by_name(wss, tmp_path):
    slices_of(labels_volume(0, 250), tmp_path / "labels")
    save(image(), tmp_path / "images" / "a.nii.gz")
    command = ["volumes", tmp_path / "labels", "--like", tmp_path / "images"]
    outcome = wss(*command, "--first-class", 5, "-o", tmp_path / "out")
    assert outcome.code == 1 and not outcome.paths
    assert "class 250 has the value 255, expected at most 254 (class 0 is 5)" in outcome.err


def test_whole_labels_need_no_ignore_label(wss, tmp_path):
    slices_of(labels_volume(0, 1), tmp_path / "labels")
    save(image(), tmp_path / "images" / "a.nii.gz")
    nnunet(wss, tmp_path, "--n-classes", 2)
    content = json.loads((tmp_path / "Dataset001_X" / "dataset.json").read_text())
    assert content["labels"] == {"background": 0, "1": 1}
    assert content["channel_names"] == {"0": "image"}


def test_what_nnunet_does_not_take(wss, tmp_path):
    slices_of(labels_volume(0, 1, 2), tmp_path / "labels")
    save(image(), tmp_path / "images" / "a.nii.gz")
    outcome = nnunet(wss, tmp_path, "--n-classes", 2)
    assert outcome.code == 1
    assert "holds class 2, --n-classes names 2: expected 0..1" in outcome.err
    listed = tmp_path / "labels" / "classes.txt"
    listed.write_text("rest\nliver\n")
    outcome = nnunet(wss, tmp_path)
    assert f"(a): holds class 2, {listed} names 2: expected 0..1" in outcome.err
    listed.unlink()
    outcome = nnunet(wss, tmp_path, "--n-classes", 3, "--channel-names", "CT,MR")
    assert outcome.code == 2 and "the volumes have 1 channels" in outcome.err
    outcome = nnunet(wss, tmp_path)
    assert outcome.code == 2 and "how many classes?" in outcome.err
    (tmp_path / "Dataset001_X" / "dataset.json").write_text('{"name": "mine"}')
    outcome = nnunet(wss, tmp_path, "--n-classes", 3)
    assert outcome.code == 2 and "dataset.json exists and was not made by wss" in outcome.err
    assert (tmp_path / "Dataset001_X" / "dataset.json").read_text() == '{"name": "mine"}'
    target = tmp_path / "Dataset001_X" / "imagesTr" / "a_0000.nii.gz"
    target.write_bytes(b"another")
    outcome = nnunet(wss, tmp_path, "--n-classes", 3, "--overwrite")
    assert outcome.code == 0, outcome.err
    assert gzip.decompress(target.read_bytes())[344:347] == b"n+1"


def test_the_images_of_a_data_set_may_be_its_own(wss, tmp_path):
    slices_of(labels_volume(0, 1), tmp_path / "labels")
    folder = tmp_path / "D"
    path = save(image(), folder / "imagesTr" / "a_0000.nii.gz")
    before = path.read_bytes()
    outcome = wss(
        "volumes", tmp_path / "labels", "--like", folder / "imagesTr", "--nnunet", "--n-classes", 2,
        "-o", folder,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert path.read_bytes() == before
    assert (folder / "labelsTr" / "a.nii.gz").exists()


def test_slices_that_do_not_fit_fail_by_name(wss, tmp_path):
    for case in "abcde":
        slices_of(labels_volume(0, 1), tmp_path / "labels", case)
        if case != "d":
            save(image(), tmp_path / "images" / f"{case}.nii.gz")
    folder = tmp_path / "labels"
    (folder / "a_z0000.png").write_bytes(label_files.encode_labels(np.zeros((9, 9), np.uint8), {}))
    (folder / "b_z0004.png").write_bytes((folder / "b_z0000.png").read_bytes())
    (folder / "c_x0000.png").write_bytes((folder / "c_z0000.png").read_bytes())
    (folder / "other.png").write_bytes(b"")
    outcome = wss("volumes", folder, "--like", tmp_path / "images", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert [path.name for path in outcome.paths] == ["e.nii.gz"]
    for message in (
        "a.nii.gz (a): slice 0 has shape (9, 9), expected (7, 5)",
        "b.nii.gz (b): slice 4 of a volume of 4 slices",
        "c: failed: " + str(folder) + " has its slices along x and z",
        f"d: failed: --like: no volume with that name in {tmp_path / 'images'}",
        "not slices such as CASE_z0012: other",
    ):
        assert message in outcome.err
    (folder / "e_z0001.png").write_bytes(b"cut")
    outcome = wss("volumes", folder, "--like", tmp_path / "images", "-o", tmp_path / "out")
    assert f"e: failed: {folder / 'e_z0001.png'}: not a readable label picture" in outcome.err


def test_originals_of_other_names_are_asked_for_a_suffix(wss, tmp_path):
    slices_of(labels_volume(0, 1), tmp_path / "labels", "heart")
    path = save(image(), tmp_path / "images" / "heart_image.nii.gz")
    command = ["volumes", tmp_path / "labels", "--like", path, "-o", tmp_path / "out"]
    outcome = wss(*command)
    assert outcome.code == 1 and not outcome.paths
    assert (
        f"no case of {tmp_path / 'labels'} has a volume of its name in {path} (--like): their "
        "names end differently: 'heart' and 'heart_image'; try --suffix _image\n"
    ) in outcome.err
    done = wss(*command, "--suffix", "_image")
    assert [path.name for path in done.paths] == ["heart.nii.gz"]


def test_an_original_is_never_replaced(wss, tmp_path):
    slices_of(labels_volume(0, 1), tmp_path / "labels")
    path = save(image(), tmp_path / "images" / "a.nii.gz")
    before = path.read_bytes()
    for like in (path.parent, path):
        outcome = wss(
            "volumes", tmp_path / "labels", "--like", like, "-o", path.parent, "--overwrite"
        )
        assert outcome.code in (1, 2)
        assert path.read_bytes() == before
    assert "is an input; write to another folder" in outcome.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.nii.gz").write_bytes(before)
    outcome = wss("volumes", tmp_path / "labels", "--like", path, "-o", tmp_path / "other")
    assert outcome.code == 2 and "it was not made by wss" in outcome.err


@pytest.mark.parametrize("held", [[], ["a.png"], ["a_z0000.png", "a_z0001.npz"]])
def test_folders_without_slices_of_one_kind(wss, tmp_path, held):
    (tmp_path / "in").mkdir()
    for name in held:
        (tmp_path / "in" / name).write_bytes(b"x")
    save(image(), tmp_path / "images" / "a.nii.gz")
    outcome = wss("volumes", tmp_path / "in", "--like", tmp_path / "images", "-o", tmp_path / "o")
    assert outcome.code == 2
    message = {
        0: "no slices in",
        1: "expected names such as CASE_z0012, found 'a'",
        2: "of one kind",
    }
    assert message[len(held)] in outcome.err


@pytest.mark.slow
def test_a_pipe_from_a_volume_to_a_volume(shell, tmp_path):
    save(image(), tmp_path / "images" / "a_0000.nii.gz")
    strokes = np.full(SHAPE, 255, np.uint8)
    strokes[0, :, :], strokes[-1, :, :] = 0, 1
    save(nib.Nifti1Image(strokes, OBLIQUE), tmp_path / "strokes" / "a.nii.gz")
    done = shell(
        "wss slices images -o pictures > /dev/null && "
        "wss slices strokes --kind scribbles --like images -o scribbles > /dev/null && "
        "wss rf-predict pictures scribbles --n-classes 2 --trees 2 -o maps | "
        "wss argmax - -o labels | wss volumes - --like images -o out"
    )
    assert done.code == 0, done.err
    assert done.paths == [Path("out/a.nii.gz")]
    found = ids_of(tmp_path / "out" / "a.nii.gz")
    assert found.shape == SHAPE and set(np.unique(found)) <= {0, 1}


def test_info_describes_volumes(wss, tmp_path):
    slices_of(labels_volume(0, 3), tmp_path / "labels")
    save(image(), tmp_path / "images" / "a.nii.gz")
    wss("volumes", tmp_path / "labels", "--like", tmp_path / "images", "-o", tmp_path / "o")
    text = wss("info", tmp_path / "o" / "a.nii.gz").out
    assert "a volume" in text and "4 x 7 x 5 (Z x Y x X)" in text
    assert "uint8, 0 to 3" in text and "3.0" in text and "wss volumes missing=255" in text
    probs = np.full((2, 4, 7, 5), 0.5, np.float16)
    (tmp_path / "b.npz").write_bytes(npz(probabilities=probs))
    text = wss("info", tmp_path / "b.npz").out
    assert "a probability map of a volume" in text and "classes: 2" in text


PAGE = REPOSITORY / "docs" / "volumes.md"


@pytest.mark.slow
def test_the_page_on_volumes_does_what_it_says(shell, tmp_path):
    text = PAGE.read_text()
    (made,) = code_blocks(text, "python")
    blocks = code_blocks(text, "sh")
    (stated,) = re.findall(r"^mean IoU +([0-9.]+)%", text, re.MULTILINE)
    subprocess.run([sys.executable, "-c", made], cwd=tmp_path, check=True)
    assert len(blocks) == 5
    done = shell(blocks[0])
    assert done.code == 0, done.err
    assert "warning" not in done.err
    back, truth = (ids_of(tmp_path / f / "patient.nii.gz") for f in ("segmented", "gt"))
    assert (back == truth).mean() > 0.99
    (found,) = re.findall(r"^mean IoU +([0-9.]+)%", shell(blocks[1]).out, re.MULTILINE)
    assert float(found) == pytest.approx(float(stated), abs=2)
    ((of_volumes, spacing),) = re.findall(r"`(wss score [^`]+ --spacing ([0-9.,]+))`", text)
    assert "mean HD95" in shell(of_volumes).out
    voxel = nib.load(tmp_path / "volumes" / "patient.nii.gz").header.get_zooms()
    assert [float(step) for step in spacing.split(",")] == pytest.approx(voxel[::-1])
    (tmp_path / "case").mkdir()
    for folder, name in (("volumes", "image"), ("strokes", "strokes")):
        volume = (tmp_path / folder / "patient.nii.gz").read_bytes()
        (tmp_path / "case" / f"heart_{name}.nii.gz").write_bytes(volume)
    done = shell(blocks[2])
    assert done.code == 0, done.err
    assert (ids_of(tmp_path / "heart-segmented" / "heart.nii.gz") == truth).mean() > 0.97
    assert shell(blocks[3]).code == 0
    content = json.loads((tmp_path / "nnUNet_raw/Dataset001_Organs/dataset.json").read_text())
    assert content["labels"] == {"background": 0, "liver": 1, "spleen": 2}
    assert content["channel_names"] == {"0": "CT"}
    shell("wss volumes local/ --like volumes/ -o predicted/")  # as if nnU-Net had saved them
    done = shell(blocks[4])
    assert done.code == 0, done.err
    assert np.load(tmp_path / "ensemble" / "patient.npz")["probabilities"].shape == (3, 10, 64, 72)
