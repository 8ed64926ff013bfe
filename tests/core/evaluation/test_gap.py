"""The gap and its reduction, against the paper's numbers."""

from __future__ import annotations

import pytest

from wsstools.core.evaluation.gap import gap_table


def test_gaps_of_the_paper():
    """Mayer et al., Table 1: of a full gap of 4.4 local + Potts leaves 8.2, a reduction of
    -86.4 % (the table prints -70.4 %)."""
    full = 76.8
    rows = gap_table({"local + Potts": full - 8.2, "full": full, "baseline": full - 4.4})
    assert [row.name for row in rows] == ["full", "baseline", "local + Potts"]
    assert [round(row.gap, 6) for row in rows] == [0.0, 4.4, 8.2]
    assert round(100 * rows[2].reduction, 1) == -86.4


def test_the_frame_of_the_gap():
    rows = gap_table({"full": 0.8, "baseline": 0.6, "same": 0.6, "better": 0.9})
    assert [row.reduction for row in rows] == pytest.approx([1.0, 0.0, 0.0, 1.5])
    closed = gap_table({"full": 0.5, "baseline": 0.6, "other": 0.55})
    assert [row.reduction for row in closed] == [None, None, None]
    with pytest.raises(ValueError, match="'full' is missing"):
        gap_table({"baseline": 0.5})
