"""`--max-pixels`: which pictures are too large."""

import numpy as np
import pytest
from PIL import Image

from wsstools.files import limits


@pytest.fixture(autouse=True)
def as_before():
    yield
    limits.allow_pixels(limits.LARGEST_PICTURE)


def test_larger_pictures_fail_by_name_and_the_others_are_done(wss, dataset, tmp_path):
    shape = (40, 70)
    for name in ("images", "maps"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "images/x.png")
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "images/y.png")
    for stem, size in (("x", shape), ("y", (20, 20))):
        np.save(tmp_path / f"maps/{stem}.npy", np.full((2, *size), 0.5, np.float32))
    call = ("regularize", tmp_path / "maps", "--crf", "--images", tmp_path / "images")
    few = wss(*call, "-o", tmp_path / "few", "--max-pixels", 1000, "-j", 1)
    assert few.code == 1
    assert "40 x 70 (H x W) pixels, expected at most 1,000 in all (--max-pixels)" in few.err
    assert [path.name for path in few.paths] == ["y.npz"]
    assert wss(*call, "-o", tmp_path / "few", "--max-pixels", 2800, "-j", 2).code == 0


@pytest.mark.slow
def test_a_picture_above_the_limit_is_taken_if_it_is_said(wss, tmp_path):
    (tmp_path / "labels").mkdir()
    Image.fromarray(np.ones((13_000, 14_000), np.uint8)).save(tmp_path / "labels/x.png")
    call = ("stats", tmp_path / "labels", "--format", "json", "-j", 1)
    refused = wss(*call)
    assert refused.code == 1
    assert "expected at most 178,956,970 in all (--max-pixels)" in refused.err
    taken = wss(*call, "--max-pixels", 190_000_000)
    assert taken.code == 0, taken.err
    assert "182000000" in taken.out
