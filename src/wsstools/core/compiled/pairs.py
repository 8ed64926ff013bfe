"""Sums over pairs of pixels at given offsets, compiled for the CPU."""

from __future__ import annotations

import numpy as np

from wsstools.core.compiled.jit import compiled_for_speed

_NEVER = np.float32(-100)
"""An exponent of 0, such as of pairs that reach beyond the image."""


@compiled_for_speed
def _set_differences(here, there, factor, exponents):
    for j in range(len(exponents)):
        difference = here[j] - there[j]
        exponents[j] -= factor * difference * difference


@compiled_for_speed
def _set_gates(here, there, log_half, exponents):
    for j in range(len(exponents)):
        both = here[j] + there[j]
        exponents[j] += np.float32(0) if both > 1 else (log_half if both > 0 else _NEVER)


@compiled_for_speed
def pair_exponents(first, last, rgb, is_real, is_open, factor, distances, offsets, exponents):
    """Logarithms of the weights of pairs, to `exponents` (N, O, H, W) float32.

    ``distances[n, o] - factor |rgb_i - rgb_j|^2`` for pixel i and that at offset o from it; of
    pairs of which one is not open log(1/2) less; of those of which none is, or one not real or
    outside, far below 0. `rgb` is (N, 3, H, W), `is_real` and `is_open` (N, H, W) float32 of 0 and
    1; offsets are as for `filter_pairs`.
    """
    _, n_colours, height, width = rgb.shape
    log_half = np.float32(np.log(0.5))
    for image in range(first, last):
        for k in range(len(offsets)):
            down, right = offsets[k]
            begin, end = max(0, -right), min(width, width - right)
            for i in range(height):
                row = exponents[image, k, i]
                row[:] = _NEVER
                if i + down >= height or begin >= end:
                    continue
                row = row[begin:end]
                row[:] = distances[image, k]
                other = i + down
                for c in range(n_colours):
                    here = rgb[image, c, i, begin:end]
                    there = rgb[image, c, other, begin + right : end + right]
                    _set_differences(here, there, factor, row)
                here = is_open[image, i, begin:end]
                there = is_open[image, other, begin + right : end + right]
                _set_gates(here, there, log_half, row)
                for j in range(begin, end):
                    if not (is_real[image, i, j] and is_real[image, other, j + right]):
                        row[j - begin] = _NEVER


@compiled_for_speed
def _add_products(weights, values, sums):
    for j in range(len(sums)):
        sums[j] += weights[j] * values[j]


@compiled_for_speed
def filter_pairs(first, last, values, weights, offsets, sums):
    """sum_j w_ij values_j over the pixels j that are paired with pixel i, to `sums`.

    `values` and `sums` are (N, C, H, W) float32, of which the images from `first` to before `last`
    are worked on. `weights` (N, O, H, W) float32 are of the pairs of each pixel with that at each
    of the `offsets` (O, 2), rows downwards; each pair counts for both of its pixels.
    """
    _, n_classes, height, width = values.shape
    for image in range(first, last):
        sums[image] = 0
        for i in range(height):
            for k in range(len(offsets)):
                down, right = offsets[k]
                if i + down >= height:
                    continue
                begin, end = max(0, -right), min(width, width - right)
                of_pair = weights[image, k, i, begin:end]
                for c in range(n_classes):
                    here = values[image, c, i, begin:end]
                    there = values[image, c, i + down, begin + right : end + right]
                    _add_products(of_pair, there, sums[image, c, i, begin:end])
                    _add_products(
                        of_pair, here, sums[image, c, i + down, begin + right : end + right]
                    )
