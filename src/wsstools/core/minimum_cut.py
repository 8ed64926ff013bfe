"""The minimum cut of a graph, which is the best choice between two sides for all its nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow


def minimum_cut(
    gains: NDArray[np.integer],
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    prices: NDArray[np.integer],
) -> NDArray[np.bool_]:
    """Which nodes are chosen, (n,), for most gains less prices; the fewest of equally good ones.

    Parameters
    ----------
    gains : (n,) of int
        What the choice of a node brings.
    rows, columns, prices : (m,) of int
        The price of a pair (row, column) of which the row alone is chosen; not negative.

    Notes
    -----
    All numbers are at most 2^31 - 1 in size, which is what the flow counts with.

    Examples
    --------
    >>> minimum_cut(np.array([5, -2]), np.array([0]), np.array([1]), np.array([3]))
    array([ True,  True])
    """
    n = gains.size
    chosen, left = np.flatnonzero(gains > 0), np.flatnonzero(gains < 0)
    source, sink = n, n + 1
    capacities = csr_array(
        (
            np.concatenate([prices, gains[chosen], -gains[left]]).astype(np.int32),
            (
                np.concatenate([rows, np.full(len(chosen), source), left]),
                np.concatenate([columns, chosen, np.full(len(left), sink)]),
            ),
        ),
        shape=(n + 2, n + 2),
    )
    rest = csr_array(capacities - maximum_flow(capacities, source, sink).flow)
    rest.eliminate_zeros()
    reached = np.zeros(n + 2, bool)
    reached[breadth_first_order(rest, source, return_predecessors=False)] = True
    return reached[:n]
