"""`slices`: volumes become pictures, labels, scribbles and maps of their slices."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from builders import by_pillow, folder_bytes, labels_of, map_of, npz, tiff
from PIL import Image

from wsstools.formats import label_files, picture_files

nib = pytest.importorskip("nibabel")

SHAPE = (5, 7, 4)  # voxels along x, y and z, as nibabel has them
AFFINE = np.array([[-0.8, 0, 0.1, 90], [0, 1.2, 0, -126], [0, 0.05, 3, -72], [0, 0, 0, 1.0]])
"""Of voxels that are not cubes, mirrored and turned."""


def save(values: np.ndarray, path: Path, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def picture_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def some_values(
    dtype: type = np.int16, shape: tuple[int, ...] = SHAPE, seed: int = 0
) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 1000, shape).astype(dtype)


def some_ids(*held: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).choice(held, shape).astype(np.uint8)


def plane(values: np.ndarray, axis: str, k: int) -> np.ndarray:
    """A slice of an array (X, Y, Z, ...), its last voxel axis first."""
    return np.moveaxis(np.take(values, k, "xyz".index(axis)), 1, 0)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_window_makes_pictures_of_an_image(wss, tmp_path, axis, ending):
    values = some_values()
    source = save(values, tmp_path / "in" / f"case{ending}")
    outcome = wss("slices", source, "--window", "-160,240", "--axis", axis, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    count = SHAPE["xyz".index(axis)]
    assert [p.name for p in outcome.paths] == [f"case_{axis}{k:04d}.png" for k in range(count)]
    for k, path in enumerate(outcome.paths):
        expected = np.rint(np.clip((plane(values, axis, k) + 160.0) / 400, 0, 1) * 255)
        np.testing.assert_array_equal(picture_of(path), np.dstack([expected] * 3))
        meta = picture_files.read_meta(path)
        assert meta["options"] == {"kind": "image", "axis": axis, "window": [-160, 240]}
        assert meta["result"]["slices"] == count


@pytest.mark.parametrize(
    ("dtype", "slope", "inter"),
    [(np.int16, 1, 0), (np.int16, 2.5, -100), (np.uint8, 0.5, 3), (np.float32, 1, 0),
     (np.float64, 1, 0), (">i2", 1, 0)],
)  # fmt: skip
def test_percentiles_of_the_scaled_values_are_the_default(wss, tmp_path, dtype, slope, inter):
    stored = np.abs(some_values()).clip(0, 250).astype(dtype)
    order = ">" if np.dtype(dtype).byteorder == ">" else "<"
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(stored.dtype)
    image = nib.Nifti1Image(stored, AFFINE, header)
    image.header.set_slope_inter(slope, inter)
    (tmp_path / "a.nii").write_bytes(with_slope(image, slope, inter))
    np.testing.assert_allclose(
        nib.load(tmp_path / "a.nii").get_fdata(), stored * slope + inter, rtol=1e-6
    )
    values = stored.astype(float) * slope + inter
    wss("slices", tmp_path / "a.nii", "--percentiles", "5,90", "-o", tmp_path / "out")
    low, high = np.percentile(values, [5, 90])
    for k in range(SHAPE[2]):
        expected = np.clip((plane(values, "z", k) - low) / (high - low), 0, 1) * 255
        found = picture_of(tmp_path / "out" / f"a_z{k:04d}.png")[:, :, 1]
        np.testing.assert_allclose(found, expected, atol=0.51)
    result = picture_files.read_meta(tmp_path / "out" / "a_z0000.png")["result"]
    np.testing.assert_allclose([result["low"], result["high"]], [[low], [high]], rtol=1e-5)


def with_slope(image, slope: float, inter: float) -> bytes:
    """The bytes of an image whose values are those that are stored, scaled by its header."""
    data = bytearray(image.to_bytes())
    order = image.header.endianness
    data[112:120] = np.array([slope, inter], f"{order}f4").tobytes()
    data[352:] = np.asarray(image.dataobj).astype(image.get_data_dtype()).tobytes(order="F")
    return bytes(data)


def test_nifti_2_is_read(wss, tmp_path):
    values = some_ids(0, 1, 2)
    nib.save(nib.Nifti2Image(values, AFFINE), tmp_path / "a.nii.gz")
    wss("slices", tmp_path / "a.nii.gz", "--kind", "labels", "-o", tmp_path / "out")
    np.testing.assert_array_equal(labels_of(tmp_path / "out" / "a_z0003.png"), values[:, :, 3].T)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_labels_are_class_ids(wss, tmp_path, dtype):
    values = some_ids(0, 1, 5, 255)
    save(values.astype(dtype), tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "--kind", "labels", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    for k in range(SHAPE[2]):
        path = tmp_path / "out" / f"a_z{k:04d}.png"
        np.testing.assert_array_equal(labels_of(path), values[:, :, k].T)
        assert label_files.read_meta(path)["kind"] == "labels"


def test_scribbles_of_itk_snap(wss, tmp_path):
    """0 is unlabelled there, and 1 the first class."""
    values = np.zeros(SHAPE, np.uint8)
    values[1:3, 2, 1], values[4, :, 3] = 1, 2
    save(values, tmp_path / "in" / "a.nii.gz")
    command = ["slices", tmp_path / "in", "--kind", "scribbles", "-o", tmp_path / "out"]
    outcome = wss(*command, "--unlabelled", 0, "--first-class", 1, "--skip-empty")
    assert outcome.code == 0, outcome.err
    assert [path.name for path in outcome.paths] == ["a_z0001.png", "a_z0003.png"]
    assert "2 written" in outcome.err and "2 left out (no pixel with a class)" in outcome.err
    expected = np.full(SHAPE[:2], 255)
    expected[1:3, 2] = 0
    np.testing.assert_array_equal(labels_of(outcome.paths[0]), expected.T)
    expected = np.full(SHAPE[:2], 255)
    expected[4] = 1
    np.testing.assert_array_equal(labels_of(outcome.paths[1]), expected.T)


def test_a_stroke_that_was_removed_leaves_no_old_slice(wss, tmp_path):
    values = np.full(SHAPE, 255, np.uint8)
    values[1, 2, 0], values[1, 2, 2] = 1, 1
    source = save(values, tmp_path / "a.nii.gz")
    command = ["slices", source, "--kind", "scribbles", "--skip-empty", "-o", tmp_path / "out"]
    assert len(wss(*command).paths) == 2
    values[1, 2, 2] = 255
    save(values, source)
    wss(*command)
    assert (labels_of(tmp_path / "out" / "a_z0002.png") == 255).all()
    assert (labels_of(tmp_path / "out" / "a_z0000.png") != 255).sum() == 1


def strokes_volume(*held: int) -> np.ndarray:
    """A line of each value; 0 where there is none."""
    values = np.zeros(SHAPE, np.uint8)
    for k, value in enumerate(held):
        values[:, k, 1] = value
    return values


ITK_SNAP = ["--unlabelled", 0, "--first-class", 1]


@pytest.mark.parametrize(
    ("values", "options", "warning"),
    [
        (strokes_volume(1, 2), [], "100% of the voxels of 'a' (and of 1 more) have a class; is it"),
        (strokes_volume(1, 2), ["--unlabelled", 0], "no voxel has class 0, which is the value 0;"),
        (strokes_volume(2, 3), ITK_SNAP, "no voxel has class 0, which is the value 1; which"),
        (some_ids(*range(200)), ITK_SNAP, " of the voxels of 'a' (and of 1 more) have a class; is"),
        (strokes_volume(1, 2), ITK_SNAP, None),
        (strokes_volume(), ITK_SNAP, None),  # nothing is drawn
    ],
)
def test_scribbles_that_are_probably_none_are_warned_about_once(
    wss, tmp_path, values, options, warning
):
    for case in "ab":
        save(values, tmp_path / "in" / f"{case}.nii.gz")
    command = ["slices", tmp_path / "in", "--kind", "scribbles", *options, "-o", tmp_path / "out"]
    outcome = wss(*command)
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.err.splitlines() if "warning" in line]
    if warning is None:
        assert not lines
        return
    (line,) = lines
    assert line.startswith("wss slices: warning: ") and warning in line
    assert line.endswith("? (--unlabelled 0 --first-class 1 for ITK-SNAP and 3D Slicer)")


def test_class_0_may_be_in_another_volume(wss, tmp_path):
    save(strokes_volume(1, 2), tmp_path / "in" / "a.nii.gz")
    command = ["slices", tmp_path / "in", "--kind", "scribbles", *ITK_SNAP, "-o", tmp_path / "out"]
    assert "warning" not in wss(*command).err
    save(strokes_volume(2, 3), tmp_path / "in" / "b.nii.gz")
    assert "warning" not in wss(*command).err  # a is up to date, and not read again
    assert "warning" not in wss(*command[:-1], tmp_path / "again", "-j", 2).err
    (tmp_path / "in" / "a.nii.gz").unlink()
    assert "no voxel has class 0" in wss(*command[:-1], tmp_path / "alone").err


@pytest.mark.parametrize(
    "names", [{"0": "background", "1": "liver"}, {"background": 0, "liver": 1}]
)
def test_a_data_set_of_nnunet_is_read(wss, tmp_path, names):
    has_ignore = "liver" in names
    labels = {**names, "ignore": 2} if has_ignore else names
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    values = some_ids(0, 1, 2) if has_ignore else some_ids(0, 1)
    save(values, tmp_path / "labelsTr" / "la_003.nii.gz")
    save(some_values(), tmp_path / "imagesTr" / "la_003_0000.nii.gz")
    outcome = wss("slices", tmp_path / "imagesTr", "-o", tmp_path / "images")
    assert [path.name for path in outcome.paths][:2] == ["la_003_z0000.png", "la_003_z0001.png"]
    wss("slices", tmp_path / "labelsTr", "--kind", "labels", "-o", tmp_path / "labels")
    expected = np.where(values == 2, 255, values)
    for k in range(SHAPE[2]):
        found = labels_of(tmp_path / "labels" / f"la_003_z{k:04d}.png")
        np.testing.assert_array_equal(found, expected[:, :, k].T)
    assert (tmp_path / "labels" / "classes.txt").read_text() == "background\nliver\n"


REGIONS = {"background": 0, "whole": [1, 2], "core": [2]}


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (REGIONS, "labels are regions, which overlap ('whole', 'core')"),
        ({"background": 0, "liver": 2}, "the ids of labels are not 0, 1, 2, ..."),
    ],
)
def test_labels_of_nnunet_that_name_no_values_are_warned_about(wss, tmp_path, labels, why):
    dataset = tmp_path / "dataset.json"
    dataset.write_text(json.dumps({"labels": labels, "regions_class_order": [1, 2]}))
    values = some_ids(0, 1, 2)
    save(values, tmp_path / "labelsTr" / "a.nii.gz")
    command = ["slices", tmp_path / "labelsTr", "--kind", "labels", "-o", tmp_path / "out"]
    outcome = wss(*command)
    assert f"wss slices: warning: {dataset}: {why}: no classes.txt is written" in outcome.err
    np.testing.assert_array_equal(labels_of(outcome.paths[1]), values[:, :, 1].T)
    assert not (tmp_path / "out" / "classes.txt").exists()
    (tmp_path / "classes.txt").write_text("background\nrim\ncore\n")
    assert "warning" not in wss(*command).err


def test_names_of_nnunet_follow_the_first_class(wss, tmp_path):
    labels = {"background": 0, "liver": 1, "spleen": 2}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    save(some_ids(0, 1, 2), tmp_path / "labelsTr" / "a.nii.gz")
    options = ["--kind", "scribbles", "--unlabelled", 0, "--first-class", 1]
    wss("slices", tmp_path / "labelsTr", *options, "-o", tmp_path / "out")
    assert (tmp_path / "out" / "classes.txt").read_text() == "liver\nspleen\n"


def test_channels_become_grey_or_colours(wss, tmp_path):
    folder = tmp_path / "in"
    values = [some_values(seed=seed) * (seed + 1) for seed in range(3)]
    for channel, each in enumerate(values):
        save(each, folder / f"a_{channel:04d}.nii.gz")
    save(np.stack(values, axis=-1), folder / "b.nii.gz")
    save(some_values(), folder / "scan_2019.nii.gz")
    command = ["slices", folder, "--percentiles", "0,100", "-o"]
    outcome = wss(*command, tmp_path / "none")
    assert outcome.code == 1
    assert (
        "a: failed: has channels 0000, 0001, 0002; --channels chooses one or three" in outcome.err
    )
    assert "b.nii.gz: it has 3 channels; --channels chooses one or three" in outcome.err
    assert [p.name for p in outcome.paths] == [f"scan_2019_z{k:04d}.png" for k in range(4)]
    for channels, name in (("2,0,1", "three"), ("1", "one")):
        ids = tmp_path / "ids.txt"
        ids.write_text("a\nb\n")
        outcome = wss(*command, tmp_path / name, "--channels", channels, "--ids", ids)
        assert outcome.code == 0, outcome.err
        chosen = [values[int(c)] for c in channels.split(",")]
        levels = [
            np.rint((each - float(each.min())) / float(np.ptp(each)) * 255) for each in chosen
        ]
        for case in "ab":
            found = picture_of(tmp_path / name / f"{case}_z0001.png")
            expected = np.dstack([plane(each, "z", 1) for each in levels * (3 // len(levels))])
            np.testing.assert_array_equal(found, expected)
    outcome = wss(*command, tmp_path / "four", "--channels", "3", "--ids", ids)
    assert "a: failed: has channels 0000, 0001, 0002, not 0003" in outcome.err
    assert "b.nii.gz: it has 3 channels, not 3" in outcome.err


@pytest.mark.parametrize("key", ["probabilities", "softmax"])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_maps_of_nnunet_become_maps_of_slices(wss, tmp_path, axis, key):
    probs = np.random.default_rng(0).dirichlet(np.ones(3), SHAPE[::-1]).astype(np.float16)
    probs = np.moveaxis(probs, -1, 0)  # (C, Z, Y, X)
    (tmp_path / "a.npz").write_bytes(npz(**{key: probs}))
    outcome = wss(
        "slices", tmp_path / "a.npz", "--kind", "maps", "--axis", axis, "-o", tmp_path / "out"
    )
    assert outcome.code == 0, outcome.err
    position = "zyx".index(axis)
    assert len(outcome.paths) == probs.shape[position + 1]
    for k, path in enumerate(outcome.paths):
        expected = np.take(probs, k, position + 1).astype(np.float32)
        np.testing.assert_allclose(map_of(path).dense(), expected, atol=2e-3)
    assert wss("argmax", tmp_path / "out", "-o", tmp_path / "labels").code == 0


def test_a_photograph_of_12_bits_keeps_its_name(wss, tmp_path):
    values = (np.arange(20 * 30).reshape(20, 30) * 6).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(by_pillow(values, "PNG"))
    (tmp_path / "b.tif").write_bytes(tiff(np.dstack([values] * 3), photometric="rgb"))
    (tmp_path / "c.tif").write_bytes(tiff(values.astype(np.float32) / 4095 - 0.1))
    for name, window in (("a.png", "0,4095"), ("b.tif", "0,4095"), ("c.tif", "-0.1,0.9")):
        outcome = wss("slices", tmp_path / name, "--window", window, "-o", tmp_path / name[0])
        assert outcome.paths == [tmp_path / name[0] / f"{name[0]}.png"], outcome.err
        found = picture_of(outcome.paths[0])
        np.testing.assert_allclose(found, np.dstack([values / 4095 * 255] * 3), atol=0.51)
        again = wss("slices", tmp_path / name, "--window", window, "-o", tmp_path / name[0])
        assert "skipped 1 (up to date)" in again.err


@pytest.mark.parametrize("kind", ["labels", "scribbles"])
def test_colours_are_no_class_ids(wss, tmp_path, kind):
    (tmp_path / "a.tif").write_bytes(tiff(np.zeros((20, 24, 3), np.uint8), photometric="rgb"))
    outcome = wss("slices", tmp_path / "a.tif", "--kind", kind, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "holds colours, expected class ids" in outcome.err


@pytest.mark.parametrize(
    "options", [{"imagej": True, "metadata": {"axes": "ZYX"}}, {}, {"compression": "zlib"}]
)
def test_stacks_in_a_tiff_are_volumes(wss, tmp_path, options):
    stack = np.random.default_rng(0).integers(0, 4096, (3, 20, 30)).astype(np.uint16)
    (tmp_path / "a.tif").write_bytes(tiff(stack, photometric="minisblack", **options))
    outcome = wss("slices", tmp_path / "a.tif", "--window", "0,4095", "-o", tmp_path / "out")
    assert len(outcome.paths) == 3, outcome.err
    for k, path in enumerate(outcome.paths):
        np.testing.assert_allclose(picture_of(path)[:, :, 0], stack[k] / 4095 * 255, atol=0.51)
    ids = (stack % 7).astype(np.uint8)
    (tmp_path / "b.tif").write_bytes(tiff(ids, photometric="minisblack", **options))
    outcome = wss("slices", tmp_path / "b.tif", "--kind", "labels", "-o", tmp_path / "labels")
    for k, path in enumerate(outcome.paths):
        np.testing.assert_array_equal(labels_of(path), ids[k])


def test_colours_and_channels_of_imagej_are_colours(wss, tmp_path):
    stack = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3)).astype(np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff(stack, photometric="rgb"))
    channels = np.moveaxis(stack, -1, 1)
    data = tiff(channels, imagej=True, metadata={"axes": "ZCYX"})
    (tmp_path / "b.tif").write_bytes(data)
    for name in ("a", "b"):
        outcome = wss(
            "slices", tmp_path / f"{name}.tif", "--window", "0,255", "-o", tmp_path / name
        )
        for k, path in enumerate(outcome.paths):
            np.testing.assert_array_equal(picture_of(path), stack[k])
    assert isinstance(tifffile.TiffFile(io.BytesIO(data)).imagej_metadata, dict)


def test_jobs_shards_and_reruns_give_the_same(wss, tmp_path):
    for name in ("a", "b", "c"):
        save(some_values(seed=ord(name)), tmp_path / "in" / f"{name}.nii.gz")
    command = ["slices", tmp_path / "in", "-o"]
    one = wss(*command, tmp_path / "one", "--jobs", 1)
    assert wss(*command, tmp_path / "two", "--jobs", 2).paths == [
        tmp_path / "two" / path.name for path in one.paths
    ]
    for k in (2, 1):
        wss(*command, tmp_path / "shards", "--shard", f"{k}/2")
    expected = folder_bytes(tmp_path / "one")
    assert expected == folder_bytes(tmp_path / "two") == folder_bytes(tmp_path / "shards")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}
    again = wss(*command, tmp_path / "one")
    assert "skipped 12 (up to date)" in again.err
    assert again.paths == one.paths
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}
    (tmp_path / "one" / "b_z0002.png").unlink()
    again = wss(*command, tmp_path / "one")
    assert "1 written" in again.err and "skipped 11 (up to date)" in again.err
    assert folder_bytes(tmp_path / "one") == expected
    save(some_values(seed=9), tmp_path / "in" / "c.nii.gz")
    assert "4 written" in wss(*command, tmp_path / "one").err
    refused = wss(*command, tmp_path / "one", "--window", "0,1")
    assert refused.code == 2 and "other options" in refused.err
    assert wss(*command, tmp_path / "one", "--window", "0,1", "--overwrite").code == 0


@pytest.mark.slow
def test_paths_on_standard_input(shell, tmp_path):
    save(some_values(), tmp_path / "in" / "a.nii.gz")
    save(some_values(), tmp_path / "in" / "b_0000.nii")
    done = shell("ls in/* | wss slices - -o out | wc -l")
    assert done.code == 0, done.err
    assert done.out.strip() == "8"
    assert (tmp_path / "out" / "b_z0003.png").exists()


def test_volumes_of_other_names_are_asked_for_a_suffix(wss, tmp_path):
    image = save(some_values(), tmp_path / "case" / "heart_image.nii.gz")
    strokes = save(strokes_volume(1, 2), tmp_path / "case" / "heart_strokes.nii.gz")
    options = ["--kind", "scribbles", *ITK_SNAP]
    command = ["slices", strokes, *options, "--like", image, "-o", tmp_path / "out"]
    refused = wss(*command)
    assert refused.code == 1
    assert refused.err.splitlines() == [
        f"wss slices: error: no case of {strokes} has a volume of its name in {image} (--like): "
        "their names end differently: 'heart_strokes' and 'heart_image'; "
        "try --suffix _strokes,_image"
    ]
    assert not (tmp_path / "out").exists()
    done = wss(*command, "--suffix", "_strokes,_image")
    assert [path.name for path in done.paths] == [f"heart_z{k:04d}.png" for k in range(4)]


def test_a_volume_is_not_compared_with_itself(wss, tmp_path):
    save(some_values(), tmp_path / "case" / "heart_image.nii.gz")
    strokes = save(strokes_volume(1, 2), tmp_path / "case" / "heart_strokes.nii.gz")
    command = ["slices", "--kind", "scribbles", *ITK_SNAP, "-o", tmp_path / "out", "--like"]
    for source in (strokes, strokes.parent):
        outcome = wss(*command, strokes.parent, source)
        assert outcome.code == 1 and not outcome.paths
        assert (
            f"wss slices: heart_strokes: failed: --like: {strokes} is this volume itself; give "
            "the one that it must be like, with --suffix where its name ends differently\n"
        ) in outcome.err
    outcome = wss(*command, strokes.parent, strokes, "--suffix", "_strokes,_image")
    assert (
        f"--like: heart_image.nii.gz and heart_strokes.nii.gz in {strokes.parent} have this name; "
        "give the one that is meant\n"
    ) in outcome.err
    linked = tmp_path / "like" / "heart_strokes.nii.gz"
    linked.parent.mkdir()
    linked.symlink_to(strokes)
    assert f"--like: {linked} is this volume itself" in wss(*command, linked, strokes).err


def test_labels_must_lie_where_their_image_is(wss, tmp_path):
    save(some_values(), tmp_path / "images" / "a_0000.nii.gz")
    command = ["slices", tmp_path / "in", "--kind", "labels", "--like", tmp_path / "images", "-o"]
    save(some_ids(0, 1), tmp_path / "in" / "a.nii.gz")
    assert wss(*command, tmp_path / "one").code == 0
    flipped = AFFINE * [-1, 1, 1, 1]
    save(some_ids(0, 1), tmp_path / "in" / "a.nii.gz", flipped)
    outcome = wss(*command, tmp_path / "two")
    assert outcome.code == 1
    assert "a.nii.gz: its affine differs from that of" in outcome.err
    save(some_ids(0, 1)[1:], tmp_path / "in" / "a.nii.gz")
    outcome = wss(*command, tmp_path / "three")
    assert "a.nii.gz: shape (4, 7, 4) (Z, Y, X), but " in outcome.err
    assert not (tmp_path / "three").exists() or not list((tmp_path / "three").iterdir())


WRONG = {
    "text": (b"no volume at all", "not a readable"),
    "empty": (b"", "the file is empty"),
    "packed text": (gzip.compress(b"no volume at all"), "not a readable volume: no NIfTI"),
    "cut": (lambda data: gzip.compress(data[:400]), "claims 280 bytes of values, it holds 48"),
    "cut archive": (lambda data: gzip.compress(data)[:-20], "not a readable volume"),
    "cut header": (lambda data: data[:100], "not a readable"),
    "huge": (
        lambda data: data[:40] + np.array([3, 30000, 30000, 30000], "<i2").tobytes() + data[48:],
        "27,000,000,000,000 voxels",
    ),
    "pair": (lambda data: data[:344] + b"ni1\0" + data[348:], "values are in another file"),
    "offset": (lambda data: data[:108] + np.float32(np.inf).tobytes() + data[112:], "not a readable"),
    "complex": (
        lambda data: data[:70] + np.array([32, 64], "<i2").tobytes() + data[74:],
        "values are complex64, expected real numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_volume_fails_alone(wss, tmp_path, name):
    content, message = WRONG[name]
    whole = nib.Nifti1Image(some_values(), AFFINE).to_bytes()
    save(some_values(), tmp_path / "in" / "good.nii.gz")
    data = content if isinstance(content, bytes) else content(whole)
    (tmp_path / "in" / "odd.nii.gz").write_bytes(data)
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert [path.name for path in outcome.paths] == [f"good_z{k:04d}.png" for k in range(4)]
    (line,) = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert line.startswith(f"wss slices: odd: failed: {tmp_path / 'in' / 'odd.nii.gz'}: ")
    assert message in line
    assert all(line.startswith("wss slices: ") for line in outcome.err.splitlines())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(SHAPE, 300, np.int16), "the value 300 is no class"),
        (np.full(SHAPE, -1, np.int16), "the value -1 is no class"),
        (np.full(SHAPE, 1.5, np.float32), "holds the value 1.5, expected whole numbers"),
        (np.full(SHAPE, np.nan, np.float32), "holds the value nan, expected whole numbers"),
    ],
)
def test_values_that_are_no_labels(wss, tmp_path, values, message):
    save(values, tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "--kind", "labels", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert f"a.nii.gz: {message}" in outcome.err.replace("it holds", "holds")


def test_an_image_of_one_value_asks_for_a_window(wss, tmp_path):
    save(np.zeros(SHAPE, np.int16), tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert "percentiles 0.5 and 99.5 are both 0 (state --window LOW,HIGH)" in outcome.err


def test_voxels_that_are_not_finite_are_reported(wss, tmp_path):
    values = some_values(np.float32)
    values[0, 0, 0], values[1, 0, 0] = np.nan, np.inf
    save(values, tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert "2 voxels are not finite" in outcome.err
    assert picture_of(outcome.paths[0])[0, :2, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "masks"], "--kind masks: expected one of image, labels, scribbles, maps"),
        (["--axis", "w"], "--axis w: expected one of z, y, x"),
        (["--window", "5"], "--window 5: expected two numbers"),
        (["--window", "5,5"], "the lower one first"),
        (["--percentiles", "1,101"], "--percentiles 1,101: expected values in 0 to 100"),
        (["--channels", "0,1"], "--channels 0,1: expected one number or three"),
        (["--kind", "labels", "--window", "0,1"], "--window is not for --kind labels"),
        (["--unlabelled", "0"], "--unlabelled is not for --kind image"),
        (["--skip-empty"], "--skip-empty is for --kind labels and scribbles"),
    ],
)
def test_options_that_do_not_fit(wss, tmp_path, options, message):
    save(some_values(), tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_case(wss, tmp_path):
    save(some_values(), tmp_path / "in" / "a.nii.gz")
    save(some_values(), tmp_path / "in" / "a.nii")
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "a: failed: a.nii and a.nii.gz in" in outcome.err


def test_without_nibabel_it_says_what_to_install(wss, tmp_path, monkeypatch):
    save(some_values(), tmp_path / "in" / "a.nii.gz")
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "nibabel, which is missing: pip install 'wsstools[volumes]'" in outcome.err
    (tmp_path / "b.tif").write_bytes(tiff(some_ids(0, 9), photometric="minisblack"))
    assert wss("slices", tmp_path / "b.tif", "-o", tmp_path / "out").code == 0


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 1, 1), (5, 7, 3, 1), (3, 3, 3)])
def test_axes_of_length_one_do_not_count(wss, tmp_path, shape):
    values = some_ids(0, 1, 2, shape=shape)
    save(values, tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "--kind", "labels", "-o", tmp_path / "out")
    depth = shape[2] if len(shape) > 2 else 1
    assert [path.name for path in outcome.paths] == [f"a_z{k:04d}.png" for k in range(depth)]
    for k, path in enumerate(outcome.paths):
        expected = values.reshape(*shape[:2], depth)[:, :, k].T
        np.testing.assert_array_equal(labels_of(path), expected)


def test_a_series_in_time_is_no_volume_of_labels(wss, tmp_path):
    save(some_ids(0, 1, shape=(5, 7, 4, 2)), tmp_path / "in" / "a.nii.gz")
    outcome = wss("slices", tmp_path / "in", "--kind", "labels", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "a.nii.gz: its shape is (4, 7, 5, 2), expected (Z, Y, X)" in outcome.err


def test_files_of_the_users_stay(wss, tmp_path):
    save(some_values(), tmp_path / "in" / "a.nii.gz")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_z0001.png").write_bytes(b"mine")
    outcome = wss("slices", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 2 and "it was not made by wss" in outcome.err
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b"mine"]


def test_a_photograph_is_never_replaced_by_its_slice(wss, tmp_path):
    (tmp_path / "photos").mkdir()
    values = (np.arange(600).reshape(20, 30) * 6).astype(np.uint16)
    path = tmp_path / "photos" / "a.png"
    path.write_bytes(by_pillow(values, "PNG"))
    before = path.read_bytes()
    for source in (path, path.parent):
        command = ["slices", source, "--window", "0,4095", "-o", path.parent, "--overwrite"]
        outcome = wss(*command)
        assert outcome.code in (1, 2)
        assert "input" in outcome.err
        assert path.read_bytes() == before
