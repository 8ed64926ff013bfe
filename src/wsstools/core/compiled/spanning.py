"""The minimum spanning tree of a picture, and sums along its paths, compiled for the CPU."""

from __future__ import annotations

import numpy as np

from wsstools.core.compiled.jit import compiled_for_speed

_NO_PARENT = np.int32(-1)
_FAR = np.float32(1e30)


@compiled_for_speed
def _root_of(tops, pixel):
    while tops[pixel] != pixel:
        tops[pixel] = tops[tops[pixel]]
        pixel = tops[pixel]
    return pixel


@compiled_for_speed
def spanning_tree(rgb, is_real, factor, order, parents, weights):
    """The minimum spanning tree of the grid of an image (3, H, W), between beside and below.

    An edge costs |rgb_i - rgb_j|^2, and more than any other where one pixel is not real. Written
    are, for each of the H W pixels, the `order` in which parents come before their children, the
    `parents`, -1 of the first, and the `weights` of the edges to them: exp(-factor cost), 0 where
    one pixel is not real. Of edges of one cost, the upper and left ones are taken first.
    """
    n_colours, height, width = rgb.shape
    n = height * width
    costs = np.empty(2 * n, np.float32)
    ends = np.empty((2 * n, 2), np.int32)
    n_edges = 0
    for i in range(height):
        for j in range(width):
            for way in range(2):
                below, beside = i + way, j + 1 - way
                if below >= height or beside >= width:
                    continue
                cost = np.float32(0)
                for c in range(n_colours):
                    difference = rgb[c, i, j] - rgb[c, below, beside]
                    cost += difference * difference
                if not (is_real[i, j] and is_real[below, beside]):
                    cost = _FAR
                costs[n_edges] = cost
                ends[n_edges, 0] = i * width + j
                ends[n_edges, 1] = below * width + beside
                n_edges += 1
    tops = np.arange(n).astype(np.int32)
    n_neighbours = np.zeros(n, np.int32)
    neighbours = np.empty((n, 4), np.int32)
    of_edges = np.empty((n, 4), np.float32)
    for edge in np.argsort(costs[:n_edges], kind="mergesort"):
        one, other = ends[edge]
        first, second = _root_of(tops, one), _root_of(tops, other)
        if first == second:
            continue
        tops[second] = first
        weight = np.float32(0) if costs[edge] >= _FAR else np.exp(-factor * costs[edge])
        for here, there in ((one, other), (other, one)):
            neighbours[here, n_neighbours[here]] = there
            of_edges[here, n_neighbours[here]] = weight
            n_neighbours[here] += 1
    order[0], parents[0], weights[0] = 0, _NO_PARENT, 0
    n_found = 1
    for place in range(n):
        pixel = order[place]
        for k in range(n_neighbours[pixel]):
            child = neighbours[pixel, k]
            if child != parents[pixel]:
                parents[child], weights[child] = pixel, of_edges[pixel, k]
                order[n_found] = child
                n_found += 1


@compiled_for_speed
def filter_tree(order, parents, weights, values, sums):
    """sum_j w_ij values_j over all pixels j, to `sums`; w_ij is the product along the path.

    `values` and `sums` are (H W, C) float32. Once from the leaves up, once down again.
    """
    n, n_classes = values.shape
    sums[:] = values
    for place in range(n - 1, 0, -1):
        pixel = order[place]
        parent, weight = parents[pixel], weights[pixel]
        for c in range(n_classes):
            sums[parent, c] += weight * sums[pixel, c]
    for place in range(1, n):
        pixel = order[place]
        parent, weight = parents[pixel], weights[pixel]
        for c in range(n_classes):
            own = sums[pixel, c]
            sums[pixel, c] = weight * (sums[parent, c] - weight * own) + own
