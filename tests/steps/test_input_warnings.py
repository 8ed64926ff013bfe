"""Scribbles that are probably not what they seem to be."""

from __future__ import annotations

import shutil

import numpy as np
from builders import STEMS
from PIL import Image

from wsstools.formats.label_files import encode_labels


def save(path, indices, colours):
    picture = Image.fromarray(indices)
    picture.putpalette(np.array(colours, np.uint8).ravel().tolist())
    picture.save(path)


def scribbles_of(dataset, tmp_path):
    shutil.copytree(dataset / "scribbles", tmp_path / "scribbles")
    shutil.copy(dataset / "classes.txt", tmp_path)
    return tmp_path / "scribbles"


def test_an_index_of_two_colours_is_warned_about(wss, dataset, tmp_path):
    scribbles = scribbles_of(dataset, tmp_path)
    indices = np.full((40, 56), 255, np.uint8)
    indices[2], indices[20] = 0, 1
    for stem, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
        save(scribbles / f"{stem}.png", indices, [(0, 0, 0), colour, *[(9, 9, 9)] * 254])
    for name in "cd":
        (scribbles / f"{name}.png").unlink()
    outcome = wss("rf-predict", dataset / "images", scribbles, "-o", tmp_path / "o", "--trees", 2)
    assert outcome.code == 0
    assert "index 1 is #ff0000 in a.png and #0000ff in b.png" in outcome.err
    same = wss("rf-predict", dataset / "images", dataset / "scribbles", "-o", tmp_path / "p",
               "--trees", 2)  # fmt: skip
    assert "warning" not in same.err


def test_scribbles_that_label_every_pixel_are_warned_about(wss, dataset, tmp_path):
    scribbles = scribbles_of(dataset, tmp_path)
    for stem in STEMS[:2]:
        full = (dataset / "gt" / f"{stem}.png").read_bytes()
        (scribbles / f"{stem}.png").write_bytes(full)
    outcome = wss("rf-predict", dataset / "images", scribbles, "-o", tmp_path / "o", "--trees", 2)
    assert outcome.code == 0
    assert outcome.err.count("every pixel is labelled") == 2


def test_a_warning_of_many_images_is_counted(wss, dataset, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "scribbles").mkdir()
    shutil.copy(dataset / "classes.txt", tmp_path)
    for k in range(8):
        shutil.copy(dataset / "images" / "a.png", tmp_path / "images" / f"{k}.png")
        labels = np.zeros((40, 56), np.uint8)
        (tmp_path / "scribbles" / f"{k}.png").write_bytes(encode_labels(labels, {}))
    outcome = wss("rf-predict", tmp_path / "images", tmp_path / "scribbles", "-o", tmp_path / "o",
                  "--trees", 2)  # fmt: skip
    assert outcome.err.count(".png: every pixel is labelled") == 5
    assert "3 more: every pixel is labelled" in outcome.err


def test_masks_of_0_and_255_as_scribbles_are_noted(wss, dataset, tmp_path):
    scribbles = scribbles_of(dataset, tmp_path)
    mask = np.where(np.arange(40)[:, None] < 20, 0, 255).astype(np.uint8) + np.zeros(56, np.uint8)
    Image.fromarray(mask).save(scribbles / "a.png")
    outcome = wss("rf-predict", dataset / "images", scribbles, "-o", tmp_path / "o", "--trees", 2)
    assert outcome.code == 0
    assert "a.png: a mask of 0 and 255, which is unlabelled; wss scribbles --remap" in outcome.err
