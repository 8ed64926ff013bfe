"""The compiled iteration of the Potts solver.

Planes are (C, H, W) float32, contiguous, their rows padded to whole tiles. Names: `soft` is the
primal iterate M, `ahead` the extrapolated 2 M_new - M_old, (px, py) the dual field p, `weights`
(H, W) its largest length w. `right` is `ahead` and `left` is `px` seen one pixel further: loops
over whole tiles need no case for the pixel beside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled

_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(1 / 2)
_THIRD = np.float32(1 / 3)
_QUARTER = np.float32(1 / 4)
_IN_REGISTERS = 4
_TINY = np.float32(1e-20)  # keeps the length of a zero vector away from division by zero


def sorting_network(n: int) -> NDArray[np.int64]:
    """Pairs (i, j), i < j, whose compare-exchanges in this order sort n values, (m, 2).

    References
    ----------
    K. E. Batcher's odd-even merge, as algorithm M (merge exchange) in D. E. Knuth: The Art of
    Computer Programming, volume 3, section 5.2.2.
    """
    pairs = []
    largest = 1 << max(n - 1, 0).bit_length() >> 1
    p = largest
    while p > 0:
        q, r, d = largest, 0, p
        while True:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            q, r, d = q // 2, p, q - p
        p //= 2
    return np.array(pairs, np.int64).reshape(-1, 2)


def sorting_networks(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The networks for 0, 1, ..., n values one after another, (m, 2), and where each begins."""
    networks = [sorting_network(count) for count in range(n + 1)]
    starts = np.cumsum([0, *map(len, networks)])
    return np.concatenate(networks), starts


@compiled
def iterate(
    soft, ahead, right, px, left, py, unary, weights, right_steps,
    band_height, bands, runs, classes, networks, starts, scratch,
    tau, sigma, rho, isotropic, n, skew,
):  # fmt: skip
    """Run n primal-dual iterations in place, in each run of tiles with its active classes alone.

    Iterations are done `skew` at a time in one sweep down the rows, each two rows behind the one
    before it, so that a row stays in the processor's cache. The results are those of n sweeps.
    """
    height, width = weights.shape
    plane = np.uint64(height * width)
    done = 0
    while done < n:
        together = min(skew, n - done)
        for front in range(height + 2 * (together - 1)):
            for behind in range(together):
                y = front - 2 * behind
                if y < 0 or y >= height:
                    continue
                band = y // band_height
                for r in range(bands[band], bands[band + 1]):
                    begin, length, at, count = runs[r]
                    pixel = np.uint64(y * width + begin)
                    _ascend(
                        ahead.reshape(-1), right.reshape(-1), px.reshape(-1), py.reshape(-1),
                        weights.reshape(-1), right_steps, classes[at : at + count],
                        pixel, plane, np.uint64(width if y + 1 < height else 0),
                        np.uint64(begin), np.uint64(length), sigma, rho, isotropic,
                    )  # fmt: skip
                    _descend(
                        soft.reshape(-1), ahead.reshape(-1), px.reshape(-1), left.reshape(-1),
                        py.reshape(-1), unary.reshape(-1), classes[at : at + count],
                        networks[starts[count] : starts[count + 1]], scratch,
                        pixel, plane, np.uint64(width if y > 0 else 0),
                        _ONE if y > 0 else _ZERO, np.uint64(length), tau, rho,
                    )  # fmt: skip
        done += together


# Indices into flat planes are unsigned: numba then has no negative index to care for, and LLVM
# makes vector code of the loops.


@compiled
def _ascend(
    ahead, right, px, py, weights, right_steps, classes, pixel, plane, below, column, n,
    sigma, rho, isotropic,
):  # fmt: skip
    """p + rho (clip(p + sigma grad ahead) - p) in n pixels of a row."""
    for k in range(len(classes)):
        i = pixel + plane * np.uint64(classes[k])
        j = i + below
        if isotropic:
            for x in range(n):
                a = px[i + x]
                b = py[i + x]
                m = ahead[i + x]
                dx = a + right_steps[column + x] * (right[i + x] - m)
                dy = b + sigma * (ahead[j + x] - m)
                shrink = min(_ONE, weights[pixel + x] / np.sqrt(dx * dx + dy * dy + _TINY))
                px[i + x] = a + rho * (dx * shrink - a)
                py[i + x] = b + rho * (dy * shrink - b)
        else:
            for x in range(n):
                a = px[i + x]
                b = py[i + x]
                m = ahead[i + x]
                w = weights[pixel + x]
                dx = a + right_steps[column + x] * (right[i + x] - m)
                dy = b + sigma * (ahead[j + x] - m)
                px[i + x] = a + rho * (min(max(dx, -w), w) - a)
                py[i + x] = b + rho * (min(max(dy, -w), w) - b)


@compiled
def _descend(
    soft, ahead, px, left, py, unary, classes, network, scratch, pixel, plane, above, inflow, n,
    tau, rho,
):  # fmt: skip
    """M + rho (onto_simplex(M - tau (U - div p)) - M) and its extrapolation in n pixels."""
    count = len(classes)
    ordered = np.uint64(count) * n
    for k in range(count):
        i = pixel + plane * np.uint64(classes[k])
        j = i - above
        v = np.uint64(k) * n
        for x in range(n):
            flow = px[i + x] - left[i + x] + py[i + x] - inflow * py[j + x]
            scratch[v + x] = soft[i + x] - tau * (unary[i + x] - flow)
    if count <= _IN_REGISTERS:
        _threshold_of_few(scratch, count, ordered, n)
    else:
        _simplex_threshold(scratch, network, count, ordered, n)
    for k in range(count):
        i = pixel + plane * np.uint64(classes[k])
        v = np.uint64(k) * n
        for x in range(n):
            projected = max(scratch[v + x] - scratch[ordered + x], _ZERO)
            m = soft[i + x]
            ahead[i + x] = projected + projected - m
            soft[i + x] = m + rho * (projected - m)


@compiled
def _threshold_of_few(scratch, count, t, n):
    """As `_simplex_threshold`, from `t` on, for two to four values: they stay in registers."""
    b, c, d = n, n + n, n + n + n
    if count == 2:
        for x in range(n):
            one = scratch[x]
            two = scratch[b + x]
            scratch[t + x] = max(max(one, two) - _ONE, (one + two - _ONE) * _HALF)
    elif count == 3:
        for x in range(n):
            high = max(scratch[x], scratch[b + x])
            low = min(scratch[x], scratch[b + x])
            first = max(high, scratch[c + x])
            high = min(high, scratch[c + x])
            one = first - _ONE
            two = one + max(high, low)
            three = two + min(high, low)
            scratch[t + x] = max(one, max(two * _HALF, three * _THIRD))
    else:
        for x in range(n):
            high = max(scratch[x], scratch[b + x])
            low = min(scratch[x], scratch[b + x])
            other_high = max(scratch[c + x], scratch[d + x])
            other_low = min(scratch[c + x], scratch[d + x])
            first = max(high, other_high)
            high = min(high, other_high)
            last = min(low, other_low)
            low = max(low, other_low)
            one = first - _ONE
            two = one + max(high, low)
            three = two + min(high, low)
            four = three + last
            scratch[t + x] = max(max(one, two * _HALF), max(three * _THIRD, four * _QUARTER))


@compiled
def _simplex_threshold(scratch, network, count, ordered, n):
    """From `ordered` on, n thresholds t with sum_c max(v_c - t, 0) = 1, v in front of them.

    t = max_k (sum of the k largest - 1) / k; the network of compare-exchanges sorts all n pixels
    at once.
    """
    for x in range(ordered):
        scratch[ordered + x] = scratch[x]
    for e in range(len(network)):
        upper = ordered + np.uint64(network[e, 0]) * n
        lower = ordered + np.uint64(network[e, 1]) * n
        for x in range(n):
            a = scratch[upper + x]
            b = scratch[lower + x]
            scratch[upper + x] = max(a, b)
            scratch[lower + x] = min(a, b)
    total = ordered + ordered
    for x in range(n):
        scratch[ordered + x] -= _ONE
        scratch[total + x] = scratch[ordered + x]
    for c in range(1, count):
        z = ordered + np.uint64(c) * n
        share = _ONE / np.float32(c + 1)
        for x in range(n):
            sum_of_largest = scratch[total + x] + scratch[z + x]
            scratch[total + x] = sum_of_largest
            scratch[ordered + x] = max(scratch[ordered + x], sum_of_largest * share)
