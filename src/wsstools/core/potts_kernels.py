"""The compiled inner loops of the Potts solver.

Planes are (C, H, W) float32 and contiguous. Names: `soft` is the primal iterate M, `ahead` the
extrapolated 2 M_new - M_old, (px, py) the dual field p, `weights` (H, W) its largest length w.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled import compiled

_ZERO = np.float32(0)
_ONE = np.float32(1)
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


@compiled
def iterate(
    soft, ahead, px, py, unary, weights, network, scratch, tau, sigma, rho, isotropic, n, skew
):
    """Run n primal-dual iterations in place.

    Iterations are done `skew` at a time in one sweep down the rows, each two rows behind the one
    before it, so that a row stays in the processor's cache. The results are those of n sweeps.
    """
    height = weights.shape[0]
    done = 0
    while done < n:
        together = min(skew, n - done)
        for front in range(height + 2 * (together - 1)):
            for behind in range(together):
                y = front - 2 * behind
                if 0 <= y < height:
                    _ascend(ahead, px, py, weights, y, sigma, rho, isotropic)
                    _descend(soft, ahead, px, py, unary, network, scratch, y, tau, rho)
        done += together


@compiled
def _ascend(ahead, px, py, weights, y, sigma, rho, isotropic):
    """One row of p + rho (clip(p + sigma grad ahead) - p)."""
    n_classes, height, width = ahead.shape
    below = min(y + 1, height - 1)
    last = width - 1
    w = weights[y]
    for c in range(n_classes):
        m = ahead[c, y]
        m_below = ahead[c, below]
        a = px[c, y]
        b = py[c, y]
        if isotropic:
            for x in range(last):
                dx = a[x] + sigma * (m[x + 1] - m[x])
                dy = b[x] + sigma * (m_below[x] - m[x])
                shrink = min(_ONE, w[x] / np.sqrt(dx * dx + dy * dy + _TINY))
                a[x] += rho * (dx * shrink - a[x])
                b[x] += rho * (dy * shrink - b[x])
        else:
            for x in range(last):
                dx = a[x] + sigma * (m[x + 1] - m[x])
                dy = b[x] + sigma * (m_below[x] - m[x])
                a[x] += rho * (min(max(dx, -w[x]), w[x]) - a[x])
                b[x] += rho * (min(max(dy, -w[x]), w[x]) - b[x])
        dy = b[last] + sigma * (m_below[last] - m[last])
        b[last] += rho * (min(max(dy, -w[last]), w[last]) - b[last])


@compiled
def _descend(soft, ahead, px, py, unary, network, scratch, y, tau, rho):
    """One row of M + rho (onto_simplex(M - tau (U - div p)) - M), and its extrapolation."""
    n_classes, _, width = soft.shape
    above = max(y - 1, 0)
    inflow = _ONE if y > 0 else _ZERO
    values = scratch[0]
    for c in range(n_classes):
        m = soft[c, y]
        u = unary[c, y]
        a = px[c, y]
        b = py[c, y]
        b_above = py[c, above]
        v = values[c]
        v[0] = m[0] - tau * (u[0] - a[0] - b[0] + inflow * b_above[0])
        for x in range(1, width):
            v[x] = m[x] - tau * (u[x] - a[x] + a[x - 1] - b[x] + inflow * b_above[x])
    _simplex_threshold(values, network, scratch[1], n_classes)
    threshold = scratch[1, 0]
    for c in range(n_classes):
        m = soft[c, y]
        m_ahead = ahead[c, y]
        v = values[c]
        for x in range(width):
            projected = max(v[x] - threshold[x], _ZERO)
            m_ahead[x] = projected + projected - m[x]
            m[x] += rho * (projected - m[x])


@compiled
def _simplex_threshold(values, network, ordered, n_classes):
    """Row 0 of `ordered` becomes t with sum_c max(values[c] - t, 0) = 1.

    t = max_k (sum of the k largest - 1) / k; the network of compare-exchanges sorts all pixels of
    the row at once.
    """
    width = values.shape[1]
    for c in range(n_classes):
        z = ordered[c]
        v = values[c]
        for x in range(width):
            z[x] = v[x]
    for i in range(len(network)):
        upper = ordered[network[i, 0]]
        lower = ordered[network[i, 1]]
        for x in range(width):
            largest = max(upper[x], lower[x])
            lower[x] = min(upper[x], lower[x])
            upper[x] = largest
    total = ordered[n_classes]
    threshold = ordered[0]
    for x in range(width):
        threshold[x] -= _ONE
        total[x] = threshold[x]
    for c in range(1, n_classes):
        z = ordered[c]
        share = _ONE / np.float32(c + 1)
        for x in range(width):
            total[x] += z[x]
            threshold[x] = max(threshold[x], total[x] * share)


@compiled
def energies(soft, px, py, unary, weights, scratch, isotropic):
    """The primal energy of `soft` and the dual energy of (px, py), summed in float64."""
    n_classes, height, width = soft.shape
    last = width - 1
    primal = 0.0
    dual = 0.0
    energy = scratch[0, 0]
    lowest = scratch[0, 1]
    for y in range(height):
        below = min(y + 1, height - 1)
        above = max(y - 1, 0)
        inflow = _ONE if y > 0 else _ZERO
        w = weights[y]
        energy[:] = _ZERO
        lowest[:] = np.inf
        for c in range(n_classes):
            m = soft[c, y]
            m_below = soft[c, below]
            u = unary[c, y]
            a = px[c, y]
            b = py[c, y]
            b_above = py[c, above]
            lowest[0] = min(lowest[0], u[0] - a[0] - b[0] + inflow * b_above[0])
            for x in range(1, width):
                lowest[x] = min(lowest[x], u[x] - a[x] + a[x - 1] - b[x] + inflow * b_above[x])
            if isotropic:
                for x in range(last):
                    dx = m[x + 1] - m[x]
                    dy = m_below[x] - m[x]
                    energy[x] += u[x] * m[x] + w[x] * np.sqrt(dx * dx + dy * dy)
            else:
                for x in range(last):
                    steps = abs(m[x + 1] - m[x]) + abs(m_below[x] - m[x])
                    energy[x] += u[x] * m[x] + w[x] * steps
            energy[last] += u[last] * m[last] + w[last] * abs(m_below[last] - m[last])
        for x in range(width):
            primal += np.float64(energy[x])
            dual += np.float64(lowest[x])
    return primal, dual
