"""Growing a random forest on quantile bins of the features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled
from wsstools.core.local.trees import Forest, Nodes, from_scikit_learn, joined

N_CODES = 65536
"""Most codes of a feature; where it has fewer values, each has its own."""
N_BINS = 256
"""Most bins that the codes of a large node are counted in."""
_SORTED_SIZE = 64
"""Nodes with more samples count their codes in bins, smaller ones sort them."""


@dataclass(frozen=True)
class BinnedSamples:
    """Training samples, and the rank of each value within its feature.

    Equal values share a rank, and where there are more than 65536 values, so do neighbours.
    """

    values: NDArray[np.float32]  # (F, n), the features
    codes: NDArray[np.uint16]  # (F, n), the ranks
    labels: NDArray[np.uint8]  # (n,), class of each sample, 0..n_classes-1
    n_classes: int

    def subset(self, chosen: NDArray[np.int64]) -> BinnedSamples:
        """The samples with these features only."""
        return BinnedSamples(self.values[chosen], self.codes[chosen], self.labels, self.n_classes)


@dataclass(frozen=True)
class Growth:
    """A forest as it came out of its training.

    An importance is the share of the decrease in Gini impurity that splits on a feature brought, in
    the mean over the trees; they sum to 1 unless no tree has a split.
    """

    forest: Forest  # over the classes 0..n_classes-1 of the samples
    importances: NDArray[np.float64]  # (F,)


def binned(
    features: NDArray[np.float32], labels: NDArray[np.integer], n_classes: int
) -> BinnedSamples:
    """Samples as the forest takes them: finite features (F, n), labels (n,), up to 255 classes."""
    values = np.ascontiguousarray(features, np.float32)
    codes = np.empty(values.shape, np.uint16)
    _fill_codes(np.sort(values, axis=1), values, N_CODES, codes)
    return BinnedSamples(values, codes, labels.astype(np.uint8), n_classes)


def grow(samples: BinnedSamples, *, n_trees: int, rng: np.random.Generator) -> Growth:
    """A random forest of fully grown trees, each on a bootstrap sample, by compiled code.

    A node takes the best of sqrt(F) features drawn at random.

    Notes
    -----
    The rules are those of scikit-learn's RandomForestClassifier: constant features count as drawn
    as long as another one was found, and a threshold is half way between the two values that it
    parts. Only in nodes of more than 64 samples a split falls between two of 256 bins of about
    equal number (of all samples); in smaller ones every split is looked at.

    References
    ----------
    L. Breiman, Random Forests, Machine Learning 45(1), 2001. G. Ke et al., LightGBM, NIPS 2017
    (splits on binned features).
    """
    n_features, n_samples = samples.values.shape
    n_draws = max(1, int(np.sqrt(n_features)))
    room = 2 * n_samples
    nodes = Nodes(
        np.empty(room, np.int32),
        np.empty(room, np.float32),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty((room, samples.n_classes), np.float32),
    )
    trees, most_splits = [], 0
    importances = np.zeros(n_features)
    for seed in rng.integers(1, 2**63, size=n_trees, dtype=np.uint64):
        gained = np.zeros(n_features)
        weights = np.zeros(n_samples, np.int32)
        size, n_mixed, depth = _grow_tree(
            samples.values, samples.codes, samples.labels, samples.n_classes,
            n_draws, seed, weights, *nodes, gained,
        )  # fmt: skip
        most_splits = max(most_splits, depth)
        ends = (size, size, size, size, n_mixed)
        trees.append(Nodes(*(part[:end].copy() for part, end in zip(nodes, ends, strict=True))))
        if gained.any():
            importances += gained / gained.sum()
    total = importances.sum()
    forest = joined(trees, most_splits)
    return Growth(forest, importances / total if total else importances)


def grow_with_scikit_learn(
    samples: BinnedSamples, *, n_trees: int, rng: np.random.Generator
) -> Growth:
    """The same by scikit-learn's RandomForestClassifier, on the values themselves."""
    # The reference engine only; it takes a second to import.
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    seed = int(rng.integers(2**31))
    fitted = RandomForestClassifier(n_trees, random_state=seed, n_jobs=1)
    fitted.fit(np.ascontiguousarray(samples.values.T), samples.labels)
    forest = from_scikit_learn(fitted, samples.n_classes)
    return Growth(forest, fitted.feature_importances_)


@compiled
def _fill_codes(ordered, values, n_codes, codes):
    """codes[f, i]: how many of the codes' upper ends are below values[f, i]."""
    n_features, n_samples = values.shape
    n_codes = min(n_codes, n_samples)
    ends = np.empty(n_codes, np.float32)
    for f in range(n_features):
        n_ends = 0
        for b in range(n_codes - 1):  # the last code has no end
            place = (b + 1) * n_samples // n_codes - 1
            end = ordered[f, place]
            if n_ends == 0 or end > ends[n_ends - 1]:
                ends[n_ends] = end
                n_ends += 1
        for i in range(n_samples):
            value = values[f, i]
            low, high = 0, n_ends
            while low < high:
                middle = (low + high) >> 1
                if ends[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            codes[f, i] = low


@compiled
def _draw(state, n):
    """A number in 0..n-1 by xorshift64* (S. Vigna, 2016) and multiplication."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    high = (x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(32)
    return np.int64((high * np.uint64(n)) >> np.uint64(32))


@compiled
def _bootstrap(state, weights):
    """Count in `weights` how often each sample is drawn; gives the samples that are."""
    n = len(weights)
    for _ in range(n):
        weights[_draw(state, n)] += 1
    inside = np.empty(n, np.int32)
    size = 0
    for j in range(n):
        if weights[j]:
            inside[size] = j
            size += 1
    return inside[:size]


@compiled
def _move_left(c, weight, counts, left_counts, sums):
    """Samples of class c go to the left: sums are the left and right sum of squared counts."""
    in_left = left_counts[c]
    sums[0] += weight * (2.0 * in_left + weight)
    sums[1] -= weight * (2.0 * (counts[c] - in_left) - weight)
    left_counts[c] = in_left + weight


@compiled
def _best_by_sorting(codes, labels, weights, size, counts, left_counts, sums, keys, total):
    """Best gain of a split between two codes, and the last code on its left; for few samples."""
    for i in range(size):
        key = (np.int64(codes[i]) << 40) | (np.int64(labels[i]) << 32) | np.int64(weights[i])
        place = i
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key
    best_gain, best_code = -1.0, 0
    n_left = 0
    for i in range(size - 1):
        key = keys[i]
        weight = key & 0xFFFFFFFF
        _move_left((key >> 32) & 255, weight, counts, left_counts, sums)
        n_left += weight
        if keys[i + 1] >> 40 != key >> 40:
            gain = sums[0] / n_left + sums[1] / (total - n_left)
            if gain > best_gain:
                best_gain, best_code = gain, key >> 40
    return best_gain, best_code


@compiled
def _best_by_counting(codes, labels, weights, size, counts, left_counts, sums, bins, shift, total):
    """The same for many samples; `bins` (256, K + 1) is all 0 before and after.

    A bin holds 2**shift codes; the last one of its codes is given.
    """
    n_classes = len(counts)
    low, high = len(bins) - 1, 0
    for i in range(size):
        code = np.int64(codes[i] >> shift)
        bins[code, labels[i]] += weights[i]
        bins[code, n_classes] = 1
        low = min(low, code)
        high = max(high, code)
    best_gain, best_code = -1.0, 0
    n_left = 0
    for code in range(low, high + 1):
        if bins[code, n_classes] == 0:
            continue
        bins[code, n_classes] = 0
        for c in range(n_classes):
            weight = np.int64(bins[code, c])
            if weight:
                bins[code, c] = 0
                _move_left(c, weight, counts, left_counts, sums)
                n_left += weight
        if code < high:
            gain = sums[0] / n_left + sums[1] / (total - n_left)
            if gain > best_gain:
                best_gain, best_code = gain, ((code + 1) << shift) - 1
    return best_gain, best_code


@compiled
def _part(inside, first, last, codes, values, best_code):
    """Put the samples with codes up to best_code first; gives their end and the threshold."""
    below, above = np.float32(-np.inf), np.float32(np.inf)
    left, right = first, last - 1
    while left <= right:
        j = inside[left]
        if codes[j] <= best_code:
            below = max(below, values[j])
            left += 1
        else:
            above = min(above, values[j])
            inside[left] = inside[right]
            inside[right] = j
            right -= 1
    threshold = np.float32(0.5) * below + np.float32(0.5) * above
    return left, threshold if threshold < above else below


@compiled
def _grow_tree(
    values, codes, labels, n_classes, n_draws, seed, weights,
    features, thresholds, children, leaves, shares, gained,
):  # fmt: skip
    """Fill the nodes of one tree; gives the number of nodes, of mixed leaves, and the depth."""
    n_features = len(codes)
    state = np.full(1, seed, np.uint64)
    inside = _bootstrap(state, weights)  # the samples of each node are together
    waiting = np.empty((len(inside) + 1, 4), np.int32)  # node, first, last + 1, level
    waiting[0] = 0
    waiting[0, 2] = len(inside)
    n_waiting = n_nodes = 1
    n_mixed = depth = 0
    order = np.arange(n_features)
    node_codes = np.empty(len(inside), np.uint16)
    node_labels = np.empty(len(inside), np.uint8)
    node_weights = np.empty(len(inside), np.int32)
    counts = np.empty(n_classes, np.int64)
    left_counts = np.empty(n_classes, np.int64)
    sums = np.empty(2)
    bins = np.zeros((N_BINS, n_classes + 1), np.int32)
    keys = np.empty(_SORTED_SIZE, np.int64)
    shift = 0
    while min(len(labels), N_CODES) > N_BINS << shift:
        shift += 1
    while n_waiting:
        n_waiting -= 1
        node, first = waiting[n_waiting, 0], waiting[n_waiting, 1]
        last, level = waiting[n_waiting, 2], waiting[n_waiting, 3]
        depth = max(depth, level)
        size = last - first
        counts[:] = 0
        for i in range(size):
            j = inside[first + i]
            node_labels[i] = labels[j]
            node_weights[i] = weights[j]
            counts[labels[j]] += weights[j]
        total = 0
        squares = 0.0
        for c in range(n_classes):
            total += counts[c]
            squares += float(counts[c]) * counts[c]
        largest = np.argmax(counts)
        best_gain, best_feature, best_code = -1.0, -1, 0
        n_drawn = n_tried = 0
        while (
            counts[largest] < total and n_drawn < n_features and (n_drawn < n_draws or n_tried == 0)
        ):
            drawn = n_drawn + _draw(state, n_features - n_drawn)
            f = order[drawn]
            order[drawn] = order[n_drawn]
            order[n_drawn] = f
            n_drawn += 1
            is_constant = True
            for i in range(size):
                node_codes[i] = codes[f, inside[first + i]]
                is_constant &= node_codes[i] == node_codes[0]
            if is_constant:
                continue
            n_tried += 1
            left_counts[:] = 0
            sums[0], sums[1] = 0.0, squares
            if size <= _SORTED_SIZE:
                gain, code = _best_by_sorting(
                    node_codes, node_labels, node_weights, size,
                    counts, left_counts, sums, keys, total,
                )  # fmt: skip
            else:
                gain, code = _best_by_counting(
                    node_codes, node_labels, node_weights, size,
                    counts, left_counts, sums, bins, shift, total,
                )  # fmt: skip
            if gain > best_gain:
                best_gain, best_feature, best_code = gain, f, code
        if best_feature < 0:
            features[node] = 0
            thresholds[node] = np.inf
            children[node] = node
            leaves[node] = largest
            if counts[largest] < total:
                leaves[node] = n_classes + n_mixed
                for c in range(n_classes):
                    shares[n_mixed, c] = counts[c] / total
                n_mixed += 1
            continue
        middle, threshold = _part(
            inside, first, last, codes[best_feature], values[best_feature], best_code
        )
        features[node] = best_feature
        thresholds[node] = threshold
        children[node] = n_nodes
        leaves[node] = -1
        gained[best_feature] += best_gain - squares / total
        for side in range(2):
            waiting[n_waiting, 0] = n_nodes + side
            waiting[n_waiting, 1] = middle if side else first
            waiting[n_waiting, 2] = last if side else middle
            waiting[n_waiting, 3] = level + 1
            n_waiting += 1
        n_nodes += 2
    return n_nodes, n_mixed, depth
