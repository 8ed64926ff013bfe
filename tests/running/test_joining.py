"""What joins by name, in every command, and what happens to files without a partner."""

from __future__ import annotations

import json
import shutil
import unicodedata

import numpy as np
import pytest
from builders import STEMS, labels_of, noisy_map

from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map


@pytest.fixture
def data(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "data")
    return tmp_path / "data"


def renamed(folder, name):
    """Give every file of a folder the name that a function makes of its stem and ending."""
    for path in list(folder.iterdir()):
        target = folder / name(path.stem, path.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def test_suffixes_of_names_are_left_out(wss, data):
    renamed(data / "gt", lambda stem, ending: f"{stem}_gtFine_labelIds{ending}")
    for stem in STEMS:  # another picture of the same image, as Cityscapes has it
        (data / "gt" / f"{stem}_gtFine_color.png").write_bytes(b"no labels")
    renamed(data / "maps", lambda stem, ending: f"{stem}_leftImg8bit{ending}")
    outcome = wss("argmax", data / "maps", "-o", data / "labels", "--suffix", "_leftImg8bit")
    assert [path.name for path in outcome.paths] == [f"{stem}.png" for stem in STEMS]
    refused = wss("score", data / "labels", data / "gt")
    assert refused.code == 1
    assert "--suffix _gtFine_color" in refused.err or "--suffix _gtFine_labelIds" in refused.err
    scored = wss("score", data / "labels", data / "gt", "--suffix", "_gtFine_labelIds", "--json")
    assert scored.code == 0, scored.err
    assert list(json.loads(scored.out)["images"]) == list(STEMS)


def test_forms_of_unicode_and_double_endings_join(wss, data):
    renamed(data / "images", lambda stem, ending: unicodedata.normalize("NFC", f"é{stem}{ending}"))
    renamed(
        data / "scribbles", lambda stem, ending: unicodedata.normalize("NFD", f"é{stem}{ending}")
    )
    outcome = wss("rf-predict", data / "images", data / "scribbles", "-o", data / "o",
                  "--trees", 2)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == [f"é{stem}" for stem in STEMS]


def test_images_in_a_file_of_several_join_as_files_do(wss, tmp_path):
    """COCO names images by paths, of any form of Unicode and with the ends of their files."""
    (tmp_path / "images").mkdir()
    for stem in ("é", "b"):
        name = unicodedata.normalize("NFC", f"{stem}_leftImg8bit.png")
        (tmp_path / "images" / name).write_bytes(encode_image(np.zeros((10, 12, 3), np.uint8)))
    names = ["x/" + unicodedata.normalize("NFD", "é_leftImg8bit.png"), "b_leftImg8bit.ome.tif"]
    ring = [1, 1, 9, 1, 9, 9, 1, 9]
    content = {
        "categories": [{"id": 1, "name": "cat"}],
        "images": [{"id": k, "file_name": name} for k, name in enumerate(names)],
        "annotations": [
            {"image_id": k, "category_id": 1, "segmentation": [ring]} for k in range(2)
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    outcome = wss("scribbles", tmp_path / "coco.json", "--images", tmp_path / "images",
                  "-o", tmp_path / "o", "--suffix", "_leftImg8bit")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == ["b", "é"]


def test_subfolders_are_kept(wss, data):
    for folder in ("images", "maps", "gt"):
        renamed(
            data / folder, lambda stem, ending: f"{'x' if stem in 'ab' else 'y/z'}/{stem}{ending}"
        )
    refused = wss("argmax", data / "maps", "-o", data / "labels")
    assert refused.code == 2
    assert "--recursive" in refused.err
    again = []
    for _ in range(2):
        outcome = wss("argmax", data / "maps", "-o", data / "labels", "--recursive", "-j", 2)
        assert outcome.code == 0, outcome.err
        again.append(outcome.paths)
    names = ["x/a.png", "x/b.png", "y/z/c.png", "y/z/d.png"]
    assert again == [[data / "labels" / name for name in names]] * 2
    assert "skipped 4 (up to date)" in outcome.err
    soft = wss("regularize", "--potts", "--images", data / "images", data / "maps",
               "-o", data / "soft", "--recursive")  # fmt: skip
    assert [path.relative_to(data / "soft").stem for path in soft.paths] == list(STEMS)
    scored = wss("score", data / "labels", data / "gt", "--recursive", "--json")
    assert list(json.loads(scored.out)["images"]) == [name[:-4] for name in names]
    other = wss("argmax", data / "maps", "-o", data / "labels", "--recursive", "--min-prob", 0.5)
    assert other.code == 2
    assert "other options" in other.err


def test_a_folder_among_those_that_are_read_is_refused(wss, data):
    """A rerun would read its own outputs, under names that other files have."""
    shutil.copytree(data / "gt", data / "gt" / "x")
    before = {path: path.read_bytes() for path in (data / "gt").rglob("*.png")}
    (data / "link").symlink_to("gt/x")
    for out in ("gt/x", "gt/new/deeper", "link"):
        outcome = wss("scribbles", data / "gt", "-o", data / out, "--recursive", "--overwrite")
        assert outcome.code == 2
        assert f"is a part of {data / 'gt'}, which is read" in outcome.err
    assert {path: path.read_bytes() for path in (data / "gt").rglob("*.png")} == before
    assert wss("scribbles", data / "gt", "-o", data / "gt" / "new").code == 0  # x is not read


@pytest.mark.slow
def test_subfolders_go_down_a_pipe(shell, data):
    for folder in ("maps", "other-maps"):
        renamed(
            data / folder, lambda stem, ending: f"{'x' if stem in 'ab' else 'y'}/1{stem}{ending}"
        )
    (data / "other-maps" / "y" / "1d.npz").rename(data / "other-maps" / "y" / "1a.npz")
    (data / "maps" / "y" / "1d.npz").rename(data / "maps" / "y" / "1a.npz")
    outcome = shell(
        f"wss fuse {data}/maps {data}/other-maps -o fused --recursive |"
        " wss argmax - -o labels --recursive"
    )
    names = ["x/1a", "x/1b", "y/1a", "y/1c"]
    assert outcome.out.splitlines() == [f"labels/{name}.png" for name in names], outcome.err


@pytest.mark.parametrize("line", ["b.png", "images/b.jpg", "b\t1", "/x/b.jpg /y/b.png", "b"])
def test_lists_of_names_are_read_as_people_write_them(wss, data, tmp_path, line):
    ids = tmp_path / "ids.txt"
    ids.write_text(f"# name, fold\n\n{line}\n")
    outcome = wss("argmax", data / "maps", "-o", tmp_path / "o", "--ids", ids)
    assert outcome.code == 0, outcome.err
    assert [path.name for path in outcome.paths] == ["b.png"]


@pytest.mark.parametrize("table", ["image,label\nb.jpg,x\n", '"file name","fold"\n"b.png","1"\n',
                                   '"id"\n"b"\n', "Image_ID\tx\nb\t1\n"])  # fmt: skip
def test_the_heading_of_a_table_is_no_name(wss, data, tmp_path, table):
    ids = tmp_path / "ids.csv"
    ids.write_text(table)
    outcome = wss("argmax", data / "maps", "-o", tmp_path / "o", "--ids", ids)
    assert ([path.name for path in outcome.paths], outcome.code) == (["b.png"], 0), outcome.err


@pytest.mark.slow
def test_a_list_comes_through_a_pipe(shell, data):
    outcome = shell(f"printf 'c\\na\\n' | wss argmax {data}/maps -o o --ids -")
    assert outcome.out.splitlines() == ["o/c.png", "o/a.png"], outcome.err
    both = shell(f"ls {data}/maps/*.npz | wss argmax - -o o2 --ids -")
    assert both.code == 2
    assert "cannot both be standard input" in both.err


@pytest.mark.parametrize("order", [("few", "maps"), ("maps", "few")])
def test_what_all_folders_have_is_fused_whatever_their_order(wss, data, tmp_path, order):
    (data / "few").mkdir()
    for stem in "bz":
        truth = labels_of(data / "gt" / "b.png")
        (data / "few" / f"{stem}.npz").write_bytes(encode_map(noisy_map(truth, 5), {}))
    outcome = wss("fuse", *(data / name for name in order), "-o", tmp_path / "o")
    assert outcome.code == 0, outcome.err
    assert [path.name for path in outcome.paths] == ["b.npz"]
    assert "without map: 'z'" in outcome.err or "left out (no map)" in outcome.err
    (data / "few" / "b.npz").unlink()
    none = wss("fuse", *(data / name for name in order), "-o", tmp_path / "o2")
    assert none.code == 1
    assert "names are joined without folder and ending" in none.err


COMMANDS = {
    "rf-predict": ["images", "scribbles"],
    "fuse": ["maps", "other-maps"],
    "regularize": ["maps", "--potts", "--images", "images"],
    "score": ["scribbles", "gt"],
    "train": ["--images", "images", "--labels", "scribbles", "--arch", "deeplabv2-mobilenetv2"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_joins_is_an_error_that_says_why(wss, data, tmp_path, command):
    renamed(data / ("images" if command in ("regularize", "train") else COMMANDS[command][1]),
            lambda stem, ending: f"{stem}_mask{ending}")  # fmt: skip
    arguments = [data / text if (data / text).exists() else text for text in COMMANDS[command]]
    out = [] if command == "score" else ["-o", tmp_path / "out"]
    outcome = wss(command, *arguments, *out)
    assert outcome.code == 1
    assert "--suffix _mask" in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_image_without_a_prediction_is_no_image_that_is_right(wss, dataset, predictions):
    (predictions / "full" / "b.png").unlink()
    outcome = wss("score", predictions / "full", dataset / "gt")
    assert (outcome.code, outcome.out) == (1, "")
    assert "1 of 4 ground truth" in outcome.err and "'b'" in outcome.err
    (predictions / "few.txt").write_text("a\nc\nd\n")
    chosen = wss("score", predictions / "full", dataset / "gt", "--ids", predictions / "few.txt")
    assert chosen.code == 0
    for name in ("baseline", "strategy"):
        (predictions / name / "b.png").unlink()
    gap = ["eval-gap", "--gt", dataset / "gt", "--full", predictions / "full",
           "--baseline", predictions / "baseline", f"s={predictions / 'strategy'}"]  # fmt: skip
    outcome = wss(*gap)
    assert (outcome.code, outcome.out) == (1, "")
    assert "have no labels" in outcome.err
    assert wss(*gap, "--ids", predictions / "few.txt").code == 0
    compared = wss("compare", predictions / "full", predictions / "baseline", "--gt",
                   dataset / "gt", "-o", predictions / "c")  # fmt: skip
    assert compared.code == 1
    assert "have no labels" in compared.err


def test_ids_beyond_the_list_of_classes_are_refused(wss, data, predictions):
    odd = labels_of(data / "gt" / "b.png").copy()
    odd[0, 0] = 11
    (data / "gt" / "b.png").write_bytes(encode_labels(odd, {}))
    outcome = wss("score", predictions / "full", data / "gt")
    assert (outcome.code, outcome.out) == (1, "")
    message = (
        f"{data / 'gt' / 'b.png'}: holds class 11, {data / 'classes.txt'} names 4: expected 0..3"
    )
    assert f"b: failed: {message} or 255" in outcome.err


def test_masks_of_0_and_255_are_reported(wss, tmp_path):
    mask = np.where(np.eye(20, dtype=bool), 255, 0).astype(np.uint8)
    for folder, labels in (("gt", mask), ("labels", np.zeros((20, 20), np.uint8))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(encode_labels(labels, {}))
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt")
    assert outcome.code == 0
    assert "holds class 0 only" in outcome.err and "255=1" in outcome.err
    compared = wss("compare", tmp_path / "labels", tmp_path / "gt", "--gt", tmp_path / "gt",
                   "-o", tmp_path / "c")  # fmt: skip
    assert "compare: warning: the ground truth" in compared.err and "255=1" in compared.err
    empty = np.full((20, 20), 255, np.uint8)
    (tmp_path / "gt" / "a.png").write_bytes(encode_labels(empty, {}))
    outcome = wss("score", tmp_path / "labels", tmp_path / "gt")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no pixel of the ground truth" in outcome.err


def test_intervals_over_a_handful_of_images_are_warned_about(wss, dataset, predictions):
    outcome = wss("eval-gap", "--gt", dataset / "gt", "--full", predictions / "full",
                  "--baseline", predictions / "baseline", "--bootstrap", 50)  # fmt: skip
    assert outcome.code == 0
    assert "intervals by resampling 4 images are too narrow" in outcome.err
