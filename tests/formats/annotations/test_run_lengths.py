"""Masks as run lengths, beside what pycocotools and Label Studio's own program make."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.formats.annotations.run_lengths import brush_mask, coco_runs, mask_of_runs

MASK = np.zeros((6, 8), bool)
MASK[1:4, 2:6], MASK[4, 7] = True, True

# What label-studio-sdk 2.1.2 made of MASK (converter.brush.mask2rle), and pycocotools 2.0.11.
BRUSH = bytes(
    [0, 0, 0, 192, 57, 27, 254, 39, 0, 191, 255, 124, 2, 255, 253, 240, 11, 255, 248, 140, 2, 63,
     252, 62, 0]
)  # fmt: skip
COCO = "=33000009NE"


def test_the_brush_of_label_studio():
    np.testing.assert_array_equal(brush_mask(BRUSH, MASK.shape), MASK)


def test_values_that_do_not_repeat_are_read_one_by_one():
    # 2 pixels, alpha 255 and 0: one block of 8 values of 8 bits.
    bits = f"{8:032b}{7:05b}" + f"{2:04b}{3:04b}{7:04b}{15:04b}" + "0" + "01" + f"{7:04b}"
    bits += "".join(f"{value:08b}" for value in (1, 2, 3, 255, 4, 5, 6, 0))
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[k : k + 8], 2) for k in range(0, len(bits), 8))
    assert brush_mask(packed, (1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("data", "shape", "message"),
    [
        (BRUSH[:-5], MASK.shape, "cut short"),
        (BRUSH[:3], MASK.shape, "cut short"),
        (BRUSH, (6, 7), "192 values of 8 bits, expected 168"),
    ],
)
def test_a_brush_that_is_damaged_or_of_another_image(data, shape, message):
    with pytest.raises(ValueError, match=message):
        brush_mask(data, shape)


def test_run_lengths_of_coco_go_along_the_columns():
    runs = coco_runs(COCO)
    assert runs == [13, 3, 3, 3, 3, 3, 3, 3, 12, 1, 1]
    np.testing.assert_array_equal(mask_of_runs(runs, MASK.shape, by_columns=True), MASK)


def test_run_lengths_as_pycocotools_packs_them():
    peer = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for share in (0, 0.01, 0.5, 0.99, 1):
        mask = rng.random((40, 56)) < share
        packed = peer.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        np.testing.assert_array_equal(
            mask_of_runs(coco_runs(packed), mask.shape, by_columns=True), mask
        )


def test_runs_that_are_missing_at_the_end_are_outside():
    expected = [[0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert mask_of_runs([2, 3, 3], (3, 4)).astype(int).tolist() == expected


@pytest.mark.parametrize("counts", ["\x10", "p", "PPPPPPPPPPPP0", "P"])
def test_what_is_no_packed_run_length(counts):
    with pytest.raises(ValueError, match="counts"):
        coco_runs(counts)


@pytest.mark.parametrize(("runs", "message"), [([2, 11], "13 pixels"), ([3, -1], "negative")])
def test_runs_that_fit_in_no_box(runs, message):
    with pytest.raises(ValueError, match=message):
        mask_of_runs(runs, (3, 4))
