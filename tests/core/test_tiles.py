"""Tiles: they cover an image once, and are on their grid."""

import numpy as np
import pytest

from wsstools.core.tiles import TileSettings, needs_tiles, strips, tiles, widened
from wsstools.errors import UsageError


@pytest.mark.parametrize("shape", [(400, 700), (129, 1200), (257, 256), (1000, 80)])
@pytest.mark.parametrize("margin", [0, 20])
def test_tiles_cover_an_image_once(shape, margin):
    covered = np.zeros(shape, int)
    for tile in tiles(shape, 64, margin=margin):
        covered[tile.rows, tile.columns] += 1
        outer = np.zeros(shape, bool)
        outer[tile.outer_rows, tile.outer_columns] = True
        assert outer[tile.rows, tile.columns].all()
        part = np.arange(covered.size).reshape(shape)
        shown = part[tile.outer_rows, tile.outer_columns][tile.inner]
        assert np.array_equal(shown, part[tile.rows, tile.columns])
        for kept, seen, length in (
            (tile.rows, tile.outer_rows, shape[0]),
            (tile.columns, tile.outer_columns, shape[1]),
        ):
            assert seen.start == max(0, kept.start - margin)
            assert seen.stop == min(length, kept.stop + margin)
            assert kept.stop - kept.start <= 64
    assert (covered == 1).all()


@pytest.mark.parametrize("step", [1, 8])
@pytest.mark.parametrize("part", [slice(0, 40), slice(37, 90), slice(90, 101)])
def test_what_is_widened_begins_on_its_grid(part, step):
    found = widened(part, 101, 20, step=step)
    assert found.start % step == 0
    first = max(0, part.start - 20)
    assert first - step < found.start <= first
    assert found.stop == min(101, part.stop + 20)


def test_small_images_are_one_tile():
    assert not needs_tiles((7 * 64, 64), 64)
    assert needs_tiles((7 * 64 + 1, 64), 64)
    assert not needs_tiles((10_000, 10_000), 0)
    (tile,) = tiles((128, 128), 128, margin=9)
    assert tile.inner == (slice(0, 128), slice(0, 128))


def test_strips_have_all_columns():
    found = list(strips((300, 1000), 64, margin=10))
    assert [strip.rows.start for strip in found] == [0, 60, 120, 180, 240]
    assert all(strip.columns == slice(0, 1000) for strip in found)
    assert found[1].outer_rows == slice(50, 130)


def test_a_tile_is_no_handful_of_pixels():
    with pytest.raises(UsageError, match="--tile 3: expected 64 or more, or 0"):
        TileSettings(3)
