"""Masks as lengths of runs: those of CVAT, of COCO, and of the brush of Label Studio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.files.limits import check_pixels

_BITS_OF_COUNT = 5
_LONGEST_COUNT = 8
"""Characters of one number in COCO's compressed form; more hold no length of a picture."""
_CHANNELS = 4
_OPAQUE = 128


def mask_of_runs(
    runs: Sequence[int], shape: tuple[int, int], *, by_columns: bool = False
) -> NDArray[np.bool_]:
    """The mask, (H, W), of runs of pixels outside and inside it in turn, the first outside.

    They go along the rows, or the columns. What is missing at the end is outside. ValueError if
    they are longer than the mask.
    """
    check_pixels(*shape)
    total, size = sum(runs), shape[0] * shape[1]
    if min(runs, default=0) < 0:
        raise ValueError("a run has a negative length")
    if total > size:
        raise ValueError(f"has runs of {total} pixels, its box {size}")
    lengths = np.asarray(runs, np.int64)
    inside = np.zeros(size, bool)
    inside[:total] = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return inside.reshape(shape[::-1]).T if by_columns else inside.reshape(shape)


def coco_runs(counts: str) -> list[int]:
    """The run lengths in COCO's compressed form.

    Each number is written in groups of five bits, the lowest first, as characters from `0` on;
    the sixth bit says that more follow, and the highest bit of the last group is the sign. From
    the fourth on, a number is the difference to the one before the last. ValueError if it is not
    of this form.

    References
    ----------
    Lin et al., Microsoft COCO, ECCV 2014; `rleFrString` in cocoapi, common/maskApi.c.

    Examples
    --------
    >>> coco_runs("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value = n_groups = 0
    for letter in counts:
        group = ord(letter) - ord("0")
        if not 0 <= group < 64 or n_groups == _LONGEST_COUNT:
            raise ValueError("its counts are no run lengths of COCO")
        value |= (group & 0x1F) << (_BITS_OF_COUNT * n_groups)
        n_groups += 1
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << (_BITS_OF_COUNT * n_groups)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = n_groups = 0
    if n_groups:
        raise ValueError("its counts end within a number")
    return runs


def brush_mask(packed: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask, (H, W), that the brush of Label Studio painted.

    It is an RGBA picture, of which the opaque half of the alpha values counts, as a stream of
    bits: 32 of the number of values; 5 of the size of a value, less one; four times 4 of the sizes
    that a length can have, less one. Then follow blocks: a bit that says whether one value
    repeats, 2 bits that choose a size, a length less one of that size, and the value or values.
    ValueError if it is not of this form, or of another size.

    References
    ----------
    K. Schmidt, @thi.ng/rle-pack, "Encoding format".
    """
    check_pixels(*shape)
    bits = _Bits(packed)
    n_values, value_size = bits.read(32), bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if n_values != _CHANNELS * shape[0] * shape[1] or value_size != 8:
        raise ValueError(
            f"holds {n_values} values of {value_size} bits, "
            f"expected {_CHANNELS * shape[0] * shape[1]} of 8"
        )
    values = np.zeros(n_values, np.uint8)
    place = 0
    while place < n_values:
        repeats = bits.read(1)
        end = place + 1 + bits.read(sizes[bits.read(2)])
        if end > n_values:
            raise ValueError("its runs end beyond the picture")
        values[place:end] = bits.read(value_size) if repeats else bits.read_bytes(end - place)
        place = end
    return values.reshape(*shape, _CHANNELS)[..., -1] >= _OPAQUE


class _Bits:
    """Numbers in a stream of bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def read(self, size: int) -> int:
        """The next number of so many bits."""
        end = self._place + size
        if end > 8 * len(self._data):
            raise ValueError("its runs are cut short")
        held = int.from_bytes(self._data[self._place // 8 : -(-end // 8)], "big")
        self._place = end
        return held >> (-end % 8) & ((1 << size) - 1)

    def read_bytes(self, count: int) -> NDArray[np.uint8]:
        """The next numbers of 8 bits."""
        first, shift = divmod(self._place, 8)
        if self._place + 8 * count > 8 * len(self._data):
            raise ValueError("its runs are cut short")
        self._place += 8 * count
        held = np.frombuffer(self._data[first : first + count + 1] + b"\0", np.uint8)
        pairs = held[: count + 1].astype(np.uint16)
        return ((pairs[:count] << 8 | pairs[1:]) >> (8 - shift) & 0xFF).astype(np.uint8)
