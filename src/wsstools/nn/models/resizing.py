"""Changes of size as products with two small matrices, one for the rows and one for the columns.

On a GPU torch adds up the gradients of its own in an order that varies, unless it is asked to be
slow; on a CPU these are faster too (the loss of a batch of 8, 240x240, 21 classes: 30 ms, not 45).

While torch records a network for other programs (`wss export`), whose images may be of any size,
they use operators that all of them have, and ask nothing of a size.
"""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor


def bilinear(x: Tensor, size: tuple[int, int], scale: float | None = None) -> Tensor:
    """x (N, C, h, w) between its pixels, (N, C, H, W) float32.

    `scale` is how many pixels of the result are from a pixel of x to the next, in both directions;
    the first pixels coincide. None: the corners coincide. Beyond the last pixel of x, values fall
    to 0.
    """
    if torch.compiler.is_compiling():
        return _recorded_bilinear(x, size, scale)
    if tuple(x.shape[2:]) == tuple(size) and scale in (None, 1):
        return x.float()
    device = x.device.type
    has_autocast = torch.amp.is_autocast_available(device)
    with torch.autocast(device, enabled=False) if has_autocast else contextlib.nullcontext():
        rows = _weights(x.shape[2], size[0], scale, x)
        columns = _weights(x.shape[3], size[1], scale, x)
        return rows @ (x.float() @ columns.T)


def cropped(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The first rows and columns of x (N, C, h, w), (N, C, H, W)."""
    height, width = size
    if torch.compiler.is_compiling():  # a slice would ask whether there are so many
        rows, columns = (torch.arange(side, device=x.device) for side in size)
        return x.index_select(2, rows).index_select(3, columns)
    return x[..., :height, :width]


def bin_means(x: Tensor, n: int) -> Tensor:
    """Means of x (N, C, h, w) over n x n bins, (N, C, n, n).

    Bin i goes from floor(i h / n) up to ceil((i + 1) h / n), as in torch's adaptive pooling.
    """
    (rows, heights), (columns, widths) = (_bins(side, n, x) for side in x.shape[2:])
    sums = rows @ (x @ columns.T)
    return sums / torch.outer(heights, widths)


def _recorded_bilinear(x: Tensor, size: tuple[int, int], scale: float | None) -> Tensor:
    """`bilinear` for images of any size; of a scale of 1, x is of that size.

    With a scale that is a power of two, as all are, positions are exact in float32 too.
    """
    if scale is None:
        return F.interpolate(x, size, mode="bilinear", align_corners=True)
    if scale == 1:
        return x
    rows, columns = (
        _weights(n, side, scale, x, torch.float32)
        for n, side in zip(x.shape[2:], size, strict=True)
    )
    return rows @ (x @ columns.T)


def _weights(
    n: int, size: int, scale: float | None, x: Tensor, dtype: torch.dtype = torch.float64
) -> Tensor:
    """(size, n): what each of n values adds to each of `size` places."""
    if scale is None:
        scale = (size - 1) / (n - 1) if min(n, size) > 1 else float("inf")
    places = torch.arange(size, device=x.device, dtype=dtype) / scale
    values = torch.arange(n, device=x.device, dtype=dtype)
    return (1 - (places[:, None] - values).abs()).clamp(min=0).float()


def _bins(side: int, n: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """(n, side) ones where a bin is, and the (n,) sizes of the bins."""
    starts = torch.arange(n, device=x.device) * side // n
    ends = ((torch.arange(n, device=x.device) + 1) * side + n - 1) // n
    places = torch.arange(side, device=x.device)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    return inside.to(x.dtype), (ends - starts).to(x.dtype)
