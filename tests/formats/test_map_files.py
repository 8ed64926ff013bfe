"""File formats: what is written is read back, and what is broken is refused by name."""

from __future__ import annotations

import io
import os

import imageio.v3 as iio
import numpy as np
import pytest
from builders import noisy_map
from PIL import Image

from wsstools.core.maps import ProbabilityMap
from wsstools.core.palette import voc_palette
from wsstools.errors import DataError, UsageError
from wsstools.files import atomic
from wsstools.formats import label_files, map_files
from wsstools.formats.image_files import decode_image, encode_image
from wsstools.formats.score_files import read_scores
from wsstools.formats.training_log import TrainingLog
from wsstools.running.settings import parse_shard
from wsstools.running.sources import Source

META = {
    "kind": "prob", "stem": "x", "step": "test", "version": "1", "options": {"x": 1}, "inputs": []
}  # fmt: skip


def a_map(shape=(50, 60)) -> ProbabilityMap:
    return noisy_map(np.zeros(shape, np.uint8), 0)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_a_map_is_read_back_to_5e_4():
    one = a_map()
    decoded = map_files.decode_map(map_files.encode_map(one, META), "x.npz")
    assert decoded.meta == META
    assert decoded.value.classes.tolist() == [0, 1, 3]
    assert decoded.value.n_classes == 4
    with np.load(io.BytesIO(map_files.encode_map(one, META)), allow_pickle=False) as archive:
        assert archive["probs"].dtype == np.float16
        assert archive["classes"].dtype == np.int16
        assert archive["n_classes"].dtype == np.int16
        assert archive["n_classes"].shape == ()
        assert archive["meta"].dtype.kind == "U"
        assert np.abs(archive["probs"].astype(np.float32) - one.probs).max() <= 5e-4


@pytest.mark.parametrize("meta", [{}, [1], "x", {**META, "inputs": [{"role": 1}]}])
def test_a_record_that_is_none_of_ours_is_passed_over(meta):
    assert map_files.decode_map(map_files.encode_map(a_map(), meta), "x.npz").meta is None


def test_the_same_map_gives_the_same_bytes():
    assert map_files.encode_map(a_map(), META) == map_files.encode_map(a_map(), META)


def test_classes_that_round_to_zero_everywhere_are_left_out():
    probs = np.zeros((3, 4, 5), np.float32)
    probs[0], probs[1], probs[2] = 0.9997, 0.0003, 0.0
    stored = map_files.encode_map(ProbabilityMap(probs, np.array([2, 5, 7]), 9), META)
    assert map_files.decode_map(stored, "x").value.classes.tolist() == [2]


@pytest.mark.parametrize("key", ["probs", "probabilities", "arr_0"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dense_maps_of_others_are_taken_and_told(key, dtype):
    dense = a_map().dense().astype(dtype)
    decoded = map_files.decode_map(npz(**{key: dense}), "x.npz")
    assert decoded.value.n_classes == 4
    assert key in decoded.note
    np.testing.assert_allclose(decoded.value.probs, dense.astype(np.float32), atol=2e-3)


def test_a_npy_is_taken_too():
    buffer = io.BytesIO()
    np.save(buffer, a_map().dense())
    assert map_files.decode_map(buffer.getvalue(), "x.npy").value.n_classes == 4


def test_labels_are_read_back_with_palette_and_record(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = tmp_path / "x.png"
    path.write_bytes(label_files.encode_labels(labels, META))
    decoded = label_files.decode_labels(path.read_bytes(), "x.png")
    np.testing.assert_array_equal(decoded.value, labels)
    assert decoded.meta == META
    assert label_files.read_meta(path) == META
    with Image.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.reshape(picture.getpalette(), (-1, 3)), voc_palette())


def test_grey_labels_are_indices_and_colours_are_refused_with_a_hint():
    labels = np.array([[0, 3], [255, 1]], np.uint8)
    grey = iio.imwrite("<bytes>", labels, extension=".png")
    np.testing.assert_array_equal(label_files.decode_labels(grey, "x").value, labels)
    colours = iio.imwrite("<bytes>", voc_palette()[labels], extension=".png")
    with pytest.raises(DataError, match="palette or grey PNG"):
        label_files.decode_labels(colours, "x.png")
    with pytest.raises(DataError, match=r"x\.png"):
        label_files.decode_labels(grey[:40], "x.png")


def test_images_of_all_depths_become_rgb():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (12, 17, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(encode_image(rgb), "x.png").value, rgb)
    grey = iio.imwrite("<bytes>", rgb[:, :, 0], extension=".png")
    np.testing.assert_array_equal(
        decode_image(grey, "x.png").value, np.repeat(rgb[:, :, :1], 3, axis=2)
    )
    deep = (rgb[:, :, 0].astype(np.uint16) * 257) + 100
    for extension in (".png", ".tif"):
        data = iio.imwrite("<bytes>", deep, extension=extension)
        value = decode_image(data, "x" + extension).value
        assert value.dtype == np.float32
        np.testing.assert_allclose(value[:, :, 1], deep / 257, rtol=1e-6)
    alpha = np.dstack([rgb, np.full((12, 17), 7, np.uint8)])
    data = iio.imwrite("<bytes>", alpha, extension=".png")
    np.testing.assert_array_equal(decode_image(data, "x.png").value, rgb)


def test_images_are_turned_as_exif_says():
    picture = Image.fromarray(np.zeros((10, 20, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue(), "x.jpg").value.shape == (20, 10, 3)


def test_class_names_travel_with_the_folder(tmp_path):
    (tmp_path / "gt").mkdir()
    assert label_files.find_class_names(str(tmp_path / "gt")) is None
    (tmp_path / "classes.txt").write_text("a\nb c\n\n")
    assert label_files.find_class_names("-", str(tmp_path / "gt")) == ["a", "b c"]
    (tmp_path / "classes.txt").write_text("")
    with pytest.raises(DataError):
        label_files.find_class_names(str(tmp_path / "gt"))


def test_sources_join_by_stem(tmp_path):
    for name in ("b.JPG", "a.png", ".hidden.png", "note.txt", "c.d.png", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    source = Source(str(tmp_path), (".png", ".jpg"), "image")
    assert source.stems == ["a", "b", "c.d"]
    assert source.find("c.d").name == "c.d.png"
    with pytest.raises(DataError, match=r"a\.jpg and a\.png"):
        source.find("a")
    with pytest.raises(DataError, match="no image with that name"):
        source.find("x")
    with pytest.raises(UsageError, match="no map in"):
        Source(str(tmp_path), (".npz",), "map")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_wrong_shards_are_refused(text):
    with pytest.raises(UsageError):
        parse_shard(text)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_atomic(tmp_path / "x.npz", b"data")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_runs_are_removed_and_those_of_live_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: None)
    atomic.write_atomic(tmp_path / "x.npz", b"data")
    (mine,) = tmp_path.iterdir()
    atomic.remove_leftovers(tmp_path)
    assert mine.exists()
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}.", "-4194999."))
    mine.rename(dead)
    atomic.remove_leftovers(tmp_path)
    assert not dead.exists()


def test_files_have_the_usual_mode(tmp_path):
    atomic.write_atomic(tmp_path / "x", b"")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask


def test_given_scores(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("name,miou\nfull,76.8\nbaseline,72.4\n")
    mious = {row.key.name: row.miou for row in read_scores(str(path))}
    assert mious == {"full": pytest.approx(0.768), "baseline": pytest.approx(0.724)}
    path.write_text("# fractions\nname,miou\nfull,0.7\nbaseline,0.6\n")
    assert [row.miou for row in read_scores(str(path))] == [0.7, 0.6]
    for text, message in {
        "name\nfull\n": "name,miou",
        "name,miou\nfull,0.7\n": "baseline",
        "name,miou\nfull,0.7\nfull,0.6\n": "twice",
        "name,miou\nfull,high\nbaseline,0.6\n": "no number",
        "name,miou\nfull,-1\nbaseline,0.6\n": "no number",
    }.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_scores(str(path))


def test_threads_that_write_the_same_file_do_not_meet(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    data = os.urandom(1 << 20)
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(atomic.write_atomic, tmp_path / "x", data) for _ in range(40)]
        for write in writes:
            write.result()
            assert (tmp_path / "x").read_bytes() == data
    assert os.listdir(tmp_path) == ["x"]


def test_what_cannot_be_written_is_called_by_its_name(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        atomic.write_atomic(tmp_path / "x", b"data")
    assert caught.value.filename == str(tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]


def test_a_line_of_the_log_that_a_full_disk_cut_is_dropped(tmp_path):
    path = tmp_path / "net.pt.csv"
    log = TrainingLog(path, 0)
    for iteration in range(1, 13):
        log.add(iteration, 0.5, 0.1)
    log.close()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:12]) + "1")  # of "12,0.5,0.1,"
    TrainingLog(path, 10).close()
    assert path.read_text() == "".join(lines[:11])
