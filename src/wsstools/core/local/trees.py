"""A random forest as flat arrays, and its class probabilities by compiled tree traversal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled
from wsstools.core.compiled.llvm import everywhere, row_pointer

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

_BLOCK = 64
"""Pixels that go down a tree together: the bits of a word."""


@dataclass(frozen=True)
class Forest:
    """Binary trees that split on one feature at a time.

    A pixel goes left where its feature is not above the threshold; a leaf has +infinity. The right
    child follows the left one; a leaf is its own left child.
    """

    roots: NDArray[np.int32]  # (T,), node at which each tree begins
    features: NDArray[np.int32]  # (N,), feature that a node splits on
    thresholds: NDArray[np.float32]  # (N,)
    children: NDArray[np.int32]  # (N,), left child
    leaves: NDArray[np.int32]  # (N,), of a leaf, its row of `shares`
    # (L, K), class shares of leaves, sum 1; the first K rows are the pure leaves
    shares: NDArray[np.float32]
    depth: int  # most splits between a root and a leaf

    @property
    def n_classes(self) -> int:
        """Number of classes that the forest was trained on."""
        return self.shares.shape[1]

    def on_used_features(self) -> tuple[Forest, NDArray[np.int64]]:
        """The same forest on the features that it splits on, and which those are, ascending."""
        is_leaf = self.children == np.arange(len(self.children))
        used, renumbered = np.unique(self.features[~is_leaf], return_inverse=True)
        features = np.zeros_like(self.features)
        features[~is_leaf] = renumbered
        return replace(self, features=features), used.astype(np.int64)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of the trees' class shares, (K, n) float32, for features of shape (F, n)."""
        features = np.ascontiguousarray(features, np.float32)
        probs = np.empty((self.n_classes, features.shape[1]), np.float32)
        _predict(
            features, self.roots, self.features, self.thresholds, self.children, self.leaves,
            self.shares, self.depth, probs,
        )  # fmt: skip
        return probs


class Nodes(NamedTuple):
    """The nodes of one tree, as `Forest` holds them; `shares` are those of its mixed leaves."""

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    children: NDArray[np.int32]
    leaves: NDArray[np.int32]
    shares: NDArray[np.float32]


def from_scikit_learn(fitted: RandomForestClassifier, n_classes: int) -> Forest:
    """The Forest of a fitted sklearn.ensemble.RandomForestClassifier with one output.

    Its classes are numbers in 0..n_classes-1; those that it has not seen get probability 0.

    Notes
    -----
    scikit-learn casts features to float32 and compares them with float64 thresholds; the largest
    float32 that is not above a threshold decides in the same way.
    """
    trees = []
    fitted_trees = [estimator.tree_ for estimator in fitted.estimators_]
    for tree in fitted_trees:
        order, left = _siblings_together(tree.children_left, tree.children_right)
        is_leaf = left < 0
        values = np.zeros((len(order), n_classes))
        values[:, fitted.classes_] = tree.value[order, 0]
        values /= values.sum(axis=1, keepdims=True)
        rows = values.argmax(axis=1)
        is_mixed = is_leaf & (values.max(axis=1) < 1)
        rows[is_mixed] = n_classes + np.arange(is_mixed.sum())
        trees.append(
            Nodes(
                np.where(is_leaf, 0, tree.feature[order]).astype(np.int32),
                np.where(is_leaf, np.float32(np.inf), _floor32(tree.threshold[order])),
                np.where(is_leaf, np.arange(len(order)), left).astype(np.int32),
                np.where(is_leaf, rows, -1).astype(np.int32),
                values[is_mixed].astype(np.float32),
            )
        )
    return joined(trees, max(tree.max_depth for tree in fitted_trees))


def joined(trees: Sequence[Nodes], depth: int) -> Forest:
    """The forest of some trees, one behind the other; `depth` is that of the deepest."""
    n_classes = trees[0].shares.shape[1]
    roots = np.cumsum([0, *(len(tree.children) for tree in trees)], dtype=np.int32)[:-1]
    n_mixed = np.cumsum([0, *(len(tree.shares) for tree in trees)], dtype=np.int32)[:-1]
    moved = [
        tree._replace(
            children=tree.children + root,
            leaves=np.where(tree.leaves < n_classes, tree.leaves, tree.leaves + n_before),
        )
        for tree, root, n_before in zip(trees, roots, n_mixed, strict=True)
    ]
    nodes = Nodes(*(np.concatenate(part) for part in zip(*moved, strict=True)))
    shares = np.concatenate([np.eye(n_classes, dtype=np.float32), nodes.shares])
    return Forest(roots, *nodes[:4], shares=shares, depth=depth)


def _siblings_together(
    left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An order of the nodes in which siblings follow each other, and the left child of each."""
    order, children = [0], []
    for node in order:  # it grows as it is walked
        if left[node] < 0:
            children.append(-1)
        else:
            children.append(len(order))
            order += [left[node], right[node]]
    return np.array(order), np.array(children)


def _floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value."""
    rounded = values.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded.astype(np.float64) > values, below, rounded)


@intrinsic
def _above(typing, block, row, threshold):
    """Bits of the pixels of block[row] that are above a threshold: one comparison for all 64."""

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, signature.args[0], *arguments[:2])
        vector = ir.VectorType(ir.FloatType(), _BLOCK)
        values = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)
        return builder.bitcast(
            builder.fcmp_ordered(">", values, everywhere(builder, vector, arguments[2])),
            ir.IntType(_BLOCK),
        )

    return types.uint64(block, types.intp, types.float32), generate


@intrinsic
def _add_one(typing, votes, row, bits):
    """Add 1 to the pixels of votes[row] whose bit is set."""

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, signature.args[0], *arguments[:2])
        vector = ir.VectorType(ir.IntType(16), _BLOCK)
        pointer = builder.bitcast(pointer, vector.as_pointer())
        chosen = builder.bitcast(arguments[2], ir.VectorType(ir.IntType(1), _BLOCK))
        counted = builder.add(builder.load(pointer, align=2), builder.zext(chosen, vector))
        builder.store(counted, pointer, align=2)
        return context.get_dummy_value()

    return types.void(votes, types.intp, types.uint64), generate


@compiled
def _predict(planes, roots, features, thresholds, children, leaves, shares, depth, probs):
    """probs[k, i] = mean over the trees of the share of class k in the leaf of pixel i.

    Sixty-four neighbouring pixels go down a tree together, as the bits of a word: where they part,
    one side waits on a stack. Neighbours are alike, so that they rarely part.
    """
    n_features, n_pixels = planes.shape
    n_classes = shares.shape[1]
    n_trees = len(roots)
    block = np.zeros((n_features, _BLOCK), np.float32)
    votes = np.empty((n_classes, _BLOCK), np.uint16)
    mixed = np.empty((n_classes, _BLOCK), np.float32)
    waiting_nodes = np.empty(depth + 1, np.int32)
    waiting_bits = np.empty(depth + 1, np.uint64)
    one = np.uint64(1)
    for start in range(0, n_pixels, _BLOCK):
        n = min(_BLOCK, n_pixels - start)
        for f in range(n_features):
            block[f, :n] = planes[f, start : start + n]
        every = (one << np.uint64(n)) - one if n < _BLOCK else ~np.uint64(0)
        votes[:] = 0
        mixed[:] = 0
        for t in range(n_trees):
            node = roots[t]
            bits = every
            n_waiting = 0
            while True:
                child = children[node]
                if child != node:
                    right = bits & _above(block, features[node], thresholds[node])
                    left = bits & ~right
                    if right == 0:
                        node = child
                    elif left == 0:
                        node = child + 1
                    else:
                        waiting_nodes[n_waiting] = child + 1
                        waiting_bits[n_waiting] = right
                        n_waiting += 1
                        node = child
                        bits = left
                    continue
                leaf = leaves[node]
                if leaf < n_classes:
                    _add_one(votes, leaf, bits)
                else:
                    for i in range(n):
                        if (bits >> np.uint64(i)) & one:
                            for k in range(n_classes):
                                mixed[k, i] += shares[leaf, k]
                if n_waiting == 0:
                    break
                n_waiting -= 1
                node = waiting_nodes[n_waiting]
                bits = waiting_bits[n_waiting]
        for k in range(n_classes):
            for i in range(n):
                probs[k, start + i] = (votes[k, i] + mixed[k, i]) / n_trees
