"""Depthwise 3x3 convolution in Triton: it reads each number once or a few times, from near.

Nothing is tuned or waited for while it runs, and sums are in a fixed order: it can be recorded in a
CUDA graph after one call of the same shapes, and gives the same bits each time. Tensors are
channels last in memory; sums are float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_WARPS = 4
_MULTIPROCESSORS = 132  # of an H100; others only get other numbers of programs
_LARGEST = 4096  # numbers that a program of the stencils makes, at most; a power of two
_TILES = 6 * _MULTIPROCESSORS  # programs of the stencils, at least, where a tile can be smaller
_CHUNKS = 4 * _MULTIPROCESSORS  # programs of the sums for the weights, about


def convolve(x: Tensor, taps: Tensor, stride: int, dilation: int, *, flipped: bool) -> Tensor:
    """(N, C, H, W) to (N, C, h, w), padded by the dilation; taps are (9, C), of x's type.

    `flipped` turns the taps around, which makes the gradient of x from that of the result, where
    there is no stride.
    """
    n, channels, height, width = x.shape
    rows, columns = -(-height // stride), -(-width // stride)
    y = torch.empty(
        (n, channels, rows, columns),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last,
    )
    positions, block = _tile(n, channels, rows * columns, largest=_LARGEST)
    grid = (triton.cdiv(channels, block), triton.cdiv(rows * columns, positions), n)
    _stencil_kernel[grid](
        x, taps, y, channels, height, width, rows, columns,
        STRIDE=stride, DILATION=dilation, FLIPPED=flipped,
        BLOCK_P=positions, BLOCK_C=block, num_warps=_WARPS,
    )  # fmt: skip
    return y


def strided_back(gradient: Tensor, taps: Tensor, x: Tensor) -> Tensor:
    """The gradient of x from that of the result (N, C, h, w) of stride 2."""
    n, channels, height, width = x.shape
    rows, columns = gradient.shape[2:]
    of_x = torch.empty_like(x, memory_format=torch.channels_last)
    # A program writes four positions of x for each of its own.
    positions, block = _tile(n, channels, rows * columns, largest=_LARGEST // 2)
    grid = (triton.cdiv(channels, block), triton.cdiv(rows * columns, positions), n)
    _strided_back_kernel[grid](
        gradient, taps, of_x, channels, height, width, rows, columns,
        BLOCK_P=positions, BLOCK_C=block, num_warps=_WARPS,
    )  # fmt: skip
    return of_x


def of_weight(
    x: Tensor, gradient: Tensor, stride: int, dilation: int, dtype: torch.dtype
) -> Tensor:
    """The gradient of the weights, (C, 1, 3, 3) of a type, from that of the result."""
    n, channels, height, width = x.shape
    rows, columns = gradient.shape[2:]
    block = _channel_block(channels)
    positions = 1024 // block  # 8 numbers a thread, for which it holds 72 sums
    blocks = triton.cdiv(channels, block)
    tiles = triton.cdiv(rows * columns, positions)  # of an image
    wanted = max(1, _CHUNKS // (blocks * n))  # chunks of an image
    chunk = positions * triton.cdiv(tiles, min(wanted, tiles))
    chunks = triton.cdiv(rows * columns, chunk)
    partial = torch.empty((n * chunks, 9, channels), dtype=torch.float32, device=x.device)
    _partial_kernel[(blocks, chunks, n)](
        x, gradient, partial, channels, height, width, rows, columns, chunk,
        STRIDE=stride, DILATION=dilation, BLOCK_P=positions, BLOCK_C=block, num_warps=_WARPS,
    )  # fmt: skip
    found = torch.empty((channels, 1, 3, 3), dtype=dtype, device=x.device)
    _sum_kernel[(triton.cdiv(9 * channels, 32),)](
        partial, found, n * chunks, channels, BLOCK_R=64, BLOCK_M=32, num_warps=_WARPS
    )
    return found


def _channel_block(channels: int) -> int:
    return 64 if channels % 64 == 0 else 32


def _tile(n: int, channels: int, area: int, *, largest: int) -> tuple[int, int]:
    """Positions and channels of a program: the largest tile of which there are enough."""
    block = _channel_block(channels)
    positions = largest // block
    while positions * block > 1024:
        if n * triton.cdiv(area, positions) * triton.cdiv(channels, block) >= _TILES:
            break
        positions //= 2
    return positions, block


@triton.jit
def _pixels(base, y, x, C, c, inside, channel, H, W):
    """Numbers at positions y, x (P,) and channels c (B,) of an image: (P, B) float32, 0 outside."""
    inside = inside & (y >= 0) & (y < H) & (x >= 0) & (x < W)
    at = base + ((y * W + x) * C)[:, None] + c[None, :]
    return tl.load(at, mask=inside[:, None] & channel[None, :], other=0.0).to(tl.float32)


@triton.jit
def _stencil_kernel(
    x_ptr, taps_ptr, y_ptr, C, H, W, rows, columns,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, FLIPPED: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    p = tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)
    n = tl.program_id(2).to(tl.int64)
    channel = c < C
    inside = p < rows * columns
    row = p // columns
    column = p - row * columns
    x_base = x_ptr + n * (H * W * C)
    y_base = y_ptr + n * (rows * columns * C)
    total = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            if FLIPPED:
                tap = tl.load(taps_ptr + (8 - 3 * i - j) * C + c, mask=channel, other=0.0)
            else:
                tap = tl.load(taps_ptr + (3 * i + j) * C + c, mask=channel, other=0.0)
            y_in = row * STRIDE + (i - 1) * DILATION
            x_in = column * STRIDE + (j - 1) * DILATION
            pixels = _pixels(x_base, y_in, x_in, C, c, inside, channel, H, W)
            total += pixels * tap.to(tl.float32)[None, :]
    at = y_base + (p * C)[:, None] + c[None, :]
    mask = inside[:, None] & channel[None, :]
    tl.store(at, total.to(y_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _tap(taps_ptr, k, C, c, channel):
    return tl.load(taps_ptr + k * C + c, mask=channel, other=0.0).to(tl.float32)[None, :]


@triton.jit
def _write(base, y, x, values, C, c, inside, channel, H, W):
    inside = inside & (y < H) & (x < W)
    at = base + ((y * W + x) * C)[:, None] + c[None, :]
    mask = inside[:, None] & channel[None, :]
    tl.store(at, values.to(base.dtype.element_ty), mask=mask)


@triton.jit
def _strided_back_kernel(
    g_ptr, taps_ptr, of_x_ptr, C, H, W, rows, columns,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Of stride 2: position (q, r) of the gradient makes positions (2q, 2r) and its next of x's."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    p = tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)
    n = tl.program_id(2).to(tl.int64)
    channel = c < C
    inside = p < rows * columns
    q = p // columns
    r = p - q * columns
    g_base = g_ptr + n * (rows * columns * C)
    base = of_x_ptr + n * (H * W * C)
    g00 = _pixels(g_base, q, r, C, c, inside, channel, rows, columns)
    g01 = _pixels(g_base, q, r + 1, C, c, inside, channel, rows, columns)
    g10 = _pixels(g_base, q + 1, r, C, c, inside, channel, rows, columns)
    g11 = _pixels(g_base, q + 1, r + 1, C, c, inside, channel, rows, columns)
    of_x = g00 * _tap(taps_ptr, 4, C, c, channel)
    _write(base, 2 * q, 2 * r, of_x, C, c, inside, channel, H, W)
    of_x = g00 * _tap(taps_ptr, 5, C, c, channel) + g01 * _tap(taps_ptr, 3, C, c, channel)
    _write(base, 2 * q, 2 * r + 1, of_x, C, c, inside, channel, H, W)
    of_x = g00 * _tap(taps_ptr, 7, C, c, channel) + g10 * _tap(taps_ptr, 1, C, c, channel)
    _write(base, 2 * q + 1, 2 * r, of_x, C, c, inside, channel, H, W)
    of_x = g00 * _tap(taps_ptr, 8, C, c, channel) + g01 * _tap(taps_ptr, 6, C, c, channel)
    of_x += g10 * _tap(taps_ptr, 2, C, c, channel) + g11 * _tap(taps_ptr, 0, C, c, channel)
    _write(base, 2 * q + 1, 2 * r + 1, of_x, C, c, inside, channel, H, W)


@triton.jit
def _partial_kernel(
    x_ptr, g_ptr, partial_ptr, C, H, W, rows, columns, chunk,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Sums of x times the gradient for each tap, over a chunk of an image's positions."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    n = tl.program_id(2)
    channel = c < C
    x_base = x_ptr + n.to(tl.int64) * (H * W * C)
    g_base = g_ptr + n.to(tl.int64) * (rows * columns * C)
    first = tl.program_id(1) * chunk
    last = tl.minimum(first + chunk, rows * columns)
    s0 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s1 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s2 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s3 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s4 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s5 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s6 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s7 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    s8 = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)
    start = first
    while start < last:  # NumPy 2.4 does not let Triton's interpreter take a range of it
        p = start + tl.arange(0, BLOCK_P)
        inside = p < last
        row = p // columns
        y = row * STRIDE
        x = (p - row * columns) * STRIDE
        mask = inside[:, None] & channel[None, :]
        g = tl.load(g_base + (p * C)[:, None] + c[None, :], mask=mask, other=0.0).to(tl.float32)
        s0 += g * _pixels(x_base, y - DILATION, x - DILATION, C, c, inside, channel, H, W)
        s1 += g * _pixels(x_base, y - DILATION, x, C, c, inside, channel, H, W)
        s2 += g * _pixels(x_base, y - DILATION, x + DILATION, C, c, inside, channel, H, W)
        s3 += g * _pixels(x_base, y, x - DILATION, C, c, inside, channel, H, W)
        s4 += g * _pixels(x_base, y, x, C, c, inside, channel, H, W)
        s5 += g * _pixels(x_base, y, x + DILATION, C, c, inside, channel, H, W)
        s6 += g * _pixels(x_base, y + DILATION, x - DILATION, C, c, inside, channel, H, W)
        s7 += g * _pixels(x_base, y + DILATION, x, C, c, inside, channel, H, W)
        s8 += g * _pixels(x_base, y + DILATION, x + DILATION, C, c, inside, channel, H, W)
        start += BLOCK_P
    at = partial_ptr + (n * tl.num_programs(1) + tl.program_id(1)) * (9 * C) + c
    tl.store(at, tl.sum(s0, axis=0), mask=channel)
    tl.store(at + C, tl.sum(s1, axis=0), mask=channel)
    tl.store(at + 2 * C, tl.sum(s2, axis=0), mask=channel)
    tl.store(at + 3 * C, tl.sum(s3, axis=0), mask=channel)
    tl.store(at + 4 * C, tl.sum(s4, axis=0), mask=channel)
    tl.store(at + 5 * C, tl.sum(s5, axis=0), mask=channel)
    tl.store(at + 6 * C, tl.sum(s6, axis=0), mask=channel)
    tl.store(at + 7 * C, tl.sum(s7, axis=0), mask=channel)
    tl.store(at + 8 * C, tl.sum(s8, axis=0), mask=channel)


@triton.jit
def _sum_kernel(partial_ptr, out_ptr, chunks, C, BLOCK_R: tl.constexpr, BLOCK_M: tl.constexpr):
    """The sum of (chunks, 9, C) over the chunks, as (C, 9)."""
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    known = m < 9 * C
    total = tl.zeros((BLOCK_R, BLOCK_M), dtype=tl.float32)
    start = 0
    while start < chunks:
        r = start + tl.arange(0, BLOCK_R)
        at = partial_ptr + (r * (9 * C))[:, None] + m[None, :]
        total += tl.load(at, mask=(r < chunks)[:, None] & known[None, :], other=0.0)
        start += BLOCK_R
    tap = m // C
    at = out_ptr + (m - tap * C) * 9 + tap
    tl.store(at, tl.sum(total, axis=0).to(out_ptr.dtype.element_ty), mask=known)
