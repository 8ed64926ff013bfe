"""Compiled construction of a permutohedral lattice, and a plain filter on it."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from wsstools.core.compiled.jit import compiled
from wsstools.core.compiled.llvm import prefetch, row_pointer

_BLOCK = 64
"""Points that are worked on together: the compiler makes vectors of them."""
_DIGIT = 11
"""Bits of a key that are sorted by at a time; their counts fit into the first cache."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


@intrinsic
def _prefetch(typing, array, row):
    """Fetch array[row] into the cache, to be read soon."""

    def generate(context, builder, signature, arguments):
        prefetch(builder, [row_pointer(context, builder, signature.args[0], *arguments)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@compiled
def _first_slot(key, n_bits):
    """Row of a table of 2^n_bits rows at which the search for a key begins."""
    mixed = np.uint64(key) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(32))) * _GOLDEN  # one product maps grids to long runs
    return np.int64(mixed >> np.uint64(64 - n_bits))


@compiled
def _find(table, key, slot):
    """Row of the table that holds the key, or the free row that may take it."""
    mask = len(table) - 1
    while table[slot, 0] != key and table[slot, 1] >= 0:
        slot = (slot + 1) & mask
    return slot


@compiled
def _table_of(keys, n_keys, n_bits):
    """A hash table of 2^n_bits rows (key, number of the key); the number of a free row is -1."""
    table = np.empty((1 << n_bits, 2), np.int64)
    for slot in range(len(table)):
        table[slot, 0] = 0
        table[slot, 1] = -1
    for i in range(n_keys):
        slot = _find(table, keys[i], _first_slot(keys[i], n_bits))
        table[slot, 0] = keys[i]
        table[slot, 1] = i
    return table


@compiled
def _elevate(features, start, n, scales, elevated, sums):
    """Points on the hyperplane of the lattice: `elevated` (D + 1, n), sum 0 over the first axis."""
    n_features = len(features)
    for p in range(n):
        sums[p] = 0
    for j in range(n_features, 0, -1):
        scale = scales[j - 1]
        factor = np.float32(j)
        for p in range(n):
            scaled = features[j - 1, start + p] * scale
            elevated[j, p] = sums[p] - factor * scaled
            sums[p] += scaled
    for p in range(n):
        elevated[0, p] = sums[p]


@compiled
def _find_simplex(elevated, n, nearest, rests, ranks, sums):
    """The simplex around each point.

    `nearest` (D + 1, n) is its vertex of colour 0, `rests` what a point is beyond it, over D + 1,
    and `ranks` the place of each rest in descending order.
    """
    n_axes = len(elevated)
    up = np.float32(n_axes)
    down = np.float32(1) / up
    for p in range(n):
        sums[p] = 0
    for i in range(n_axes):
        for p in range(n):
            rounded = np.rint(down * elevated[i, p])
            sums[p] += rounded
            nearest[i, p] = rounded * up
            rests[i, p] = elevated[i, p] - nearest[i, p]
            ranks[i, p] = 0
    for i in range(n_axes):
        for j in range(i + 1, n_axes):
            for p in range(n):
                is_below = np.int32(rests[i, p] < rests[j, p])
                ranks[i, p] += is_below
                ranks[j, p] += np.int32(1) - is_below
    for i in range(n_axes):  # back onto the hyperplane
        for p in range(n):
            rank = ranks[i, p] + np.int32(sums[p])
            wrap = np.int32(0)
            if rank < 0:
                wrap = np.int32(n_axes)
            elif rank >= n_axes:
                wrap = -np.int32(n_axes)
            ranks[i, p] = rank + wrap
            nearest[i, p] += np.float32(wrap)
            rests[i, p] = (elevated[i, p] - nearest[i, p]) * down


@compiled
def _list_vertices(nearest, rests, ranks, n, strides, keys, shares, sorted_rests, sorted_strides):
    """`keys` (D + 1, n) of the vertices of each point, and the point's `shares` in them."""
    n_axes = len(nearest)
    last = n_axes - 1
    for p in range(n):
        keys[0, p] = 0
    for i in range(n_axes):
        for p in range(n):
            keys[0, p] += np.int64(nearest[i, p]) * strides[i]
            sorted_rests[ranks[i, p], p] = rests[i, p]
            sorted_strides[ranks[i, p], p] = strides[i]
    one_step = strides.sum()
    for p in range(n):
        shares[0, p] = sorted_rests[last, p] + (np.float32(1) - sorted_rests[0, p])
    for q in range(1, n_axes):
        for p in range(n):
            keys[q, p] = keys[q - 1, p] + one_step - n_axes * sorted_strides[n_axes - q, p]
            shares[q, p] = sorted_rests[last - q, p] - sorted_rests[n_axes - q, p]


@compiled
def find_vertices(features, scales, strides, offsets, weights, n_bits):
    """Keys (M,) of the vertices around the points, by first appearance.

    `features` (D, n) are the points, `scales` (D,) what they are multiplied by before they are
    elevated, `strides` (D + 1,) the weights of a vertex's coordinates in its key; the last is 0.
    `offsets` and `weights` (m, D + 1) take the numbers of the vertices and the barycentric
    coordinates of the first m points; the others only have vertices. A hash table of the vertices
    begins with 2^n_bits rows and grows.
    """
    n_axes, n_points = len(scales) + 1, features.shape[1]
    elevated = np.empty((n_axes, _BLOCK), np.float32)
    nearest, rests, shares = np.empty_like(elevated), np.empty_like(elevated), elevated
    sorted_rests = np.empty_like(elevated)
    ranks = np.empty((n_axes, _BLOCK), np.int32)
    block_keys = np.empty((n_axes, _BLOCK), np.int64)
    sorted_strides, slots = np.empty_like(block_keys), np.empty_like(block_keys)
    sums = np.empty(_BLOCK, np.float32)
    keys = np.empty(1 << (n_bits - 1), np.int64)
    table = _table_of(keys, 0, n_bits)
    n_keys = 0
    for start in range(0, n_points, _BLOCK):
        n = min(_BLOCK, n_points - start)
        _elevate(features, start, n, scales, elevated, sums)
        _find_simplex(elevated, n, nearest, rests, ranks, sums)
        _list_vertices(
            nearest, rests, ranks, n, strides, block_keys, shares, sorted_rests, sorted_strides
        )
        if n_keys + n * n_axes > len(keys):  # the table stays half empty
            n_bits += 1
            grown = np.empty(2 * len(keys), np.int64)
            grown[:n_keys] = keys[:n_keys]
            keys = grown
            table = _table_of(keys, n_keys, n_bits)
        for q in range(n_axes):
            for p in range(n):
                slots[q, p] = _first_slot(block_keys[q, p], n_bits)
                _prefetch(table, slots[q, p])
        n_wanted = min(n, len(offsets) - start)
        for p in range(n):
            for q in range(n_axes):
                slot = _find(table, block_keys[q, p], slots[q, p])
                if table[slot, 1] < 0:
                    table[slot, 0] = block_keys[q, p]
                    table[slot, 1] = n_keys
                    keys[n_keys] = block_keys[q, p]
                    n_keys += 1
                if p < n_wanted:
                    offsets[start + p, q] = table[slot, 1]
                    weights[start + p, q] = shares[q, p]
    return keys[:n_keys]


@compiled
def _sorted(keys):
    """The keys in ascending order, and which each one is, (M,) int32; digit by digit."""
    n = len(keys)
    now, then = keys.copy(), np.empty_like(keys)
    order, order_then = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    least = keys.min()
    most = keys.max() - least
    places = np.empty(1 << _DIGIT, np.int64)
    shift = 0
    while shift < 63 and most >> shift:  # a shift by 64 or more is one by less
        places[:] = 0
        for i in range(n):
            places[((now[i] - least) >> shift) & (len(places) - 1)] += 1
        before = 0
        for digit in range(len(places)):
            count = places[digit]
            places[digit] = before
            before += count
        for i in range(n):
            digit = ((now[i] - least) >> shift) & (len(places) - 1)
            place = places[digit]
            places[digit] = place + 1
            then[place] = now[i]
            order_then[place] = order[i]
        now, then = then, now
        order, order_then = order_then, order
        shift += _DIGIT
    return now, order


@compiled
def find_chains(keys, strides):
    """The vertices in the order of each axis, neighbours behind each other, (D + 1, M + 1) int32.

    A vertex without a next neighbour has its bits inverted. The last entry repeats the one before
    it, so that each has a next entry.
    """
    n_axes, n_vertices = len(strides), len(keys)
    chains = np.empty((n_axes, n_vertices + 1), np.int32)
    following = np.empty(n_vertices, np.int32)
    is_first = np.empty(n_vertices, np.uint8)
    firsts = np.empty(n_vertices + 1, np.int32)
    # keys are less than 2^63 apart, but may go round the end of int64; these do not
    sorted_keys, order = _sorted(keys - keys[0])
    one_step = strides.sum()
    for axis in range(n_axes):
        step = n_axes * strides[axis] - one_step
        following[:] = -1
        is_first[:] = 1
        i = k = 0
        while i < n_vertices and k < n_vertices:  # merged, without a jump that nobody foresees
            wanted, found = sorted_keys[i] + step, sorted_keys[k]
            is_it = np.int32(wanted == found)
            following[order[i]] = is_it * (order[k] + 1) - 1
            is_first[order[k]] = 1 - is_it
            i += np.int64(wanted <= found)
            k += np.int64(found <= wanted)
        n_firsts = 0
        for vertex in range(n_vertices):
            firsts[n_firsts] = vertex
            n_firsts += np.int64(is_first[vertex])
        n_begun, vertex = 0, np.int32(-1)
        for place in range(n_vertices):
            start = firsts[n_begun]
            is_start = vertex < 0
            n_begun += np.int64(is_start)
            vertex = start if is_start else vertex
            neighbour = following[vertex]
            chains[axis, place] = ~vertex if neighbour < 0 else vertex
            vertex = neighbour
        chains[axis, n_vertices] = chains[axis, n_vertices - 1]
    return chains


@compiled
def filter_values(offsets, weights, chains, values):
    """Splat, blur and slice of one value per point, (n,) float32; the weights are used twice."""
    n_points, n_axes = offsets.shape
    n_vertices = chains.shape[1] - 1
    half, none = np.float32(0.5), np.float32(0)
    lattice = np.zeros(n_vertices, np.float32)
    for i in range(n_points):
        for j in range(n_axes):
            lattice[offsets[i, j]] += weights[i, j] * values[i]
    for axis in range(n_axes):
        previous = none
        for i in range(n_vertices):
            here, there = np.int64(chains[axis, i]), np.int64(chains[axis, i + 1])
            is_last = here < 0
            here = ~here if is_last else here
            value = lattice[here]
            following = none if is_last else lattice[~there if there < 0 else there]
            lattice[here] = value + half * (previous + following)
            previous = none if is_last else value
    filtered = np.empty(n_points, np.float32)
    for i in range(n_points):
        filtered[i] = 0
        for j in range(n_axes):
            filtered[i] += weights[i, j] * lattice[offsets[i, j]]
    return filtered
