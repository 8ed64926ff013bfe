"""Compiled mean field on permutohedral lattices: all classes of a pixel at once, in registers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.extending import intrinsic

from wsstools.core.compiled.jit import compiled
from wsstools.core.compiled.llvm import everywhere, prefetch

F = TypeVar("F", bound=Callable[..., object])

_intrinsic = intrinsic(prefer_literal=True)
_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_LANES = 8
"""Values that a processor's vector holds."""
_PIXELS_AHEAD, _VERTICES_AHEAD = 4, 16
"""How far ahead rows are fetched into the cache, where they are a vector or longer; measured."""
_BLOCK = 64
"""Pixels whose rows are turned together: they fit into the first cache."""
_TOGETHER = 16
"""Pixels that take each step of the update together: what one waits for, the others fill."""
_FAR, _NEAR = 6, 3
"""Vertices around a pixel, of five features (position and colour) and of two (position)."""


class _Row(types.Type):
    """A row of float32 in registers: vectors that are worked on one after the other."""

    def __init__(self, size: int) -> None:
        super().__init__(name=f"_Row({size})")
        self.size = size

    @property
    def lanes(self) -> int:
        return min(self.size, _LANES)

    @property
    def n_vectors(self) -> int:
        return self.size // self.lanes

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(_FLOAT, self.lanes)


@register_default(_Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager, row):
        super().__init__(manager, row, ir.ArrayType(row.vector, row.n_vectors))


def _vectors(builder, row):
    return [builder.extract_value(row, i) for i in range(row.type.count)]


def _joined(builder, vectors):
    row = ir.Constant(ir.ArrayType(vectors[0].type, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        row = builder.insert_value(row, vector, i)
    return row


def _loaded(builder, pointers):
    return [builder.load(pointer, align=4) for pointer in pointers]


def _constant(vector_type, value):
    value = float(np.float32(value)) if vector_type.element == _FLOAT else value
    return ir.Constant(vector_type, [value] * vector_type.count)


def _pointers(context, builder, array_type, array, number, row):
    """Pointers to the vectors of array[number], of a contiguous array with rows of that size."""
    table = context.make_array(array_type)(context, builder, array)
    start = builder.gep(table.data, [builder.mul(number, ir.Constant(number.type, row.size))])
    start = builder.bitcast(start, row.vector.as_pointer())
    return [builder.gep(start, [ir.Constant(_INT, i)]) for i in range(row.n_vectors)]


@_intrinsic
def _load(typing, size, array, number):
    """array[number] as a row of `size` values."""
    row = _Row(size.literal_value)

    def generate(context, builder, signature, arguments):
        _, array, number = arguments
        pointers = _pointers(context, builder, signature.args[1], array, number, row)
        return _joined(builder, _loaded(builder, pointers))

    return row(size, array, types.intp), generate


@_intrinsic
def _store(typing, array, number, row):
    """Write a row to array[number]."""

    def generate(context, builder, signature, arguments):
        array, number, values = arguments
        pointers = _pointers(context, builder, signature.args[0], array, number, row)
        for pointer, value in zip(pointers, _vectors(builder, values), strict=True):
            builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, row), generate


@_intrinsic
def _prefetch(typing, size, array, number):
    """Fetch array[number], a row of `size` values, into the cache."""
    row = _Row(size.literal_value)

    def generate(context, builder, signature, arguments):
        _, array, number = arguments
        pointers = _pointers(context, builder, signature.args[1], array, number, row)
        prefetch(builder, pointers[::2])  # a cache line holds two vectors
        return context.get_dummy_value()

    return types.void(size, array, types.intp), generate


@_intrinsic
def _zeros(typing, size):
    """A row of `size` zeros."""
    row = _Row(size.literal_value)

    def generate(context, builder, signature, arguments):
        return _joined(builder, [_constant(row.vector, 0.0)] * row.n_vectors)

    return row(size), generate


@_intrinsic
def _product(typing, left, right):
    """Left * right, value by value."""

    def generate(context, builder, signature, arguments):
        pairs = zip(*(_vectors(builder, row) for row in arguments), strict=True)
        return _joined(builder, [builder.fmul(*pair) for pair in pairs])

    return left(left, left), generate


@_intrinsic
def _scaled(typing, factor, row):
    """factor * row."""

    def generate(context, builder, signature, arguments):
        values = _vectors(builder, arguments[1])
        factor = everywhere(builder, values[0].type, arguments[0])
        return _joined(builder, [builder.fmul(factor, value) for value in values])

    return row(types.float32, row), generate


@_intrinsic
def _add_product(typing, total, factor, row):
    """total + factor * row."""

    def generate(context, builder, signature, arguments):
        totals, values = _vectors(builder, arguments[0]), _vectors(builder, arguments[2])
        factor = everywhere(builder, values[0].type, arguments[1])
        return _joined(
            builder,
            [
                builder.fadd(total, builder.fmul(factor, value))
                for total, value in zip(totals, values, strict=True)
            ],
        )

    return row(row, types.float32, row), generate


def _larger(builder, left, right):
    return builder.select(builder.fcmp_ordered(">", left, right), left, right)


def _chosen(builder, left, right, lanes):
    """The lanes of two vectors, those of the second counted on, that are listed."""
    mask = ir.Constant(ir.VectorType(_INT, len(lanes)), list(lanes))
    return builder.shuffle_vector(left, right, mask)


def _merged(builder, combine, vectors):
    """One vector from several, by `combine` of two; always in the same order."""
    vectors = list(vectors)
    while len(vectors) > 1:
        vectors.append(combine(builder, vectors.pop(), vectors.pop()))
    return vectors[0]


def _of_each(builder, combine, vectors):
    """One number of each of as many vectors as they have lanes, by `combine` of two.

    The halves of a vector are combined, then those of what is left, until it is one number. Halves
    of two vectors fit into one, so that all are worked on together.
    """
    n = len(vectors)
    owners = [[number] * n for number in range(n)]  # the vector that each lane is of
    half = n // 2
    while half:
        low = [
            lane
            for first in range(0, n, 2 * half)
            for start in (first, n + first)  # of the left vector, of the right one
            for lane in range(start, start + half)
        ]
        high = [lane + half for lane in low]
        vectors = [
            combine(builder, _chosen(builder, *pair, low), _chosen(builder, *pair, high))
            for pair in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        owners = [
            [(left + right)[lane] for lane in low]
            for left, right in zip(owners[::2], owners[1::2], strict=True)
        ]
        half //= 2
    order = [owners[0].index(number) for number in range(n)]
    return _chosen(builder, vectors[0], vectors[0], order)


# 2^x on [-1/2, 1/2] as a polynomial, highest power first: relative error below 3e-7.
_POWER_OF_TWO = (
    1.32764718e-3, 9.67554133e-3, 5.55071327e-2, 2.40221197e-1, 6.93146967e-1, 1.00000007
)  # fmt: skip
_LOWEST = -60.0  # exp is 0 below: the tiny numbers that weights would make of it are slow


def _exponential(builder, values):
    """exp of a vector of values that are not above 0; 0 where they are below `_LOWEST`."""
    floats = values.type
    ints = ir.VectorType(_INT, floats.count)
    lowest = _constant(floats, _LOWEST)
    is_tiny = builder.fcmp_ordered("<", values, lowest)
    powers = builder.fmul(builder.select(is_tiny, lowest, values), _constant(floats, np.log2(np.e)))
    nearest = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(floats, [floats]), f"llvm.rint.v{floats.count}f32"
    )
    whole = builder.call(nearest, [powers])
    rest = builder.fsub(powers, whole)
    # In pairs of coefficients: half as many operations wait for each other.
    square = builder.fmul(rest, rest)
    result = None
    for odd, even in zip(_POWER_OF_TWO[::2], _POWER_OF_TWO[1::2], strict=True):
        pair = builder.fadd(builder.fmul(rest, _constant(floats, odd)), _constant(floats, even))
        result = builder.fadd(builder.fmul(result, square), pair) if result else pair
    exponent = builder.add(builder.fptosi(whole, ints), _constant(ints, 127))
    scale = builder.bitcast(builder.shl(exponent, _constant(ints, 23)), floats)
    return builder.select(is_tiny, _constant(floats, 0.0), builder.fmul(result, scale))


@_intrinsic
def _exponentials(typing, size, rows, first, inverses):
    """Rows from `first` on become exp(row - its largest value), `inverses` 1 / their sums.

    They are as many as a row has lanes: reduced together, they take half the operations.
    """
    row = _Row(size.literal_value)

    def generate(context, builder, signature, arguments):
        _, rows, first, inverses = arguments
        pointers = []
        for place in range(row.lanes):
            number = builder.add(first, ir.Constant(first.type, place))
            pointers.append(_pointers(context, builder, signature.args[1], rows, number, row))
        largest = _of_each(
            builder, _larger, [_merged(builder, _larger, _loaded(builder, p)) for p in pointers]
        )
        sums = []
        for place, of_row in enumerate(pointers):
            top = _chosen(builder, largest, largest, (place,) * row.lanes)
            values = [builder.fsub(value, top) for value in _loaded(builder, of_row)]
            values = [_exponential(builder, value) for value in values]
            for pointer, value in zip(of_row, values, strict=True):
                builder.store(value, pointer, align=4)
            sums.append(_merged(builder, ir.IRBuilder.fadd, values))
        total = _of_each(builder, ir.IRBuilder.fadd, sums)
        shares = builder.fdiv(_constant(row.vector, 1.0), total)
        (place,) = _pointers(context, builder, signature.args[3], inverses, first, _Row(1))
        builder.store(shares, builder.bitcast(place, row.vector.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(size, rows, types.intp, inverses), generate


@compiled
def to_rows(costs, gains, rows):
    """rows (n, size) = gains (K,) - costs (K, n) of each pixel, -infinity beyond the classes."""
    n_classes, n_pixels = costs.shape
    for start in range(0, n_pixels, _BLOCK):
        stop = min(start + _BLOCK, n_pixels)
        for k in range(n_classes):
            for i in range(start, stop):
                rows[i, k] = gains[k] - costs[k, i]
        for k in range(n_classes, rows.shape[1]):
            for i in range(start, stop):
                rows[i, k] = -np.inf


@compiled
def from_rows(rows, planes):
    """planes (K, n) = the first K values of rows (n, size)."""
    n_classes, n_pixels = planes.shape
    for start in range(0, n_pixels, _BLOCK):
        stop = min(start + _BLOCK, n_pixels)
        for k in range(n_classes):
            for i in range(start, stop):
                planes[k, i] = rows[i, k]


def _kernel(make: Callable[[int], F]) -> Callable[[int], F]:
    """The function that `make` gives for a size of row, compiled once for each."""

    @functools.cache
    def kernel(size: int) -> F:
        function = make(size)
        # Names in the compiled code follow from it: those of two sizes must differ.
        function.__qualname__ = f"{make.__name__}_{size}"
        return compiled(function)

    return kernel


@_kernel
def blur(size: int) -> Callable[..., None]:
    """The kernel that blurs values (M, size) in place along each axis, by the `chains`."""
    fetches = size >= _LANES

    def kernel(values, chains):
        n_axes, n_vertices = chains.shape[0], chains.shape[1] - 1
        half = np.float32(0.5)
        none = np.float32(0)
        for axis in range(n_axes):
            here = np.int64(chains[axis, 0])
            onwards = half if here >= 0 else none
            here = here if here >= 0 else ~here
            backwards = none
            previous = _zeros(size)
            value = _load(size, values, here)
            for i in range(n_vertices):
                there = np.int64(chains[axis, i + 1])
                beyond = half if there >= 0 else none
                there = there if there >= 0 else ~there
                if fetches:
                    soon = np.int64(chains[axis, min(i + _VERTICES_AHEAD, n_vertices)])
                    _prefetch(size, values, soon if soon >= 0 else ~soon)
                following = _load(size, values, there)
                blurred = _add_product(value, backwards, previous)
                _store(values, here, _add_product(blurred, onwards, following))
                backwards, onwards = onwards, beyond
                previous, value = value, following
                here = there

    return kernel


@_kernel
def update(size: int) -> Callable[..., None]:
    """The kernel of a mean field step at all pixels: slice, softmax, splat.

    It takes `logits` (n, size), -infinity beyond the classes; of a far and a near lattice the
    offsets, weights and blurred values (M, size); a weight of each; `parts` (1, size), what goes on
    of a share; and sums (M, size) of each lattice. With `gather` the blurred values are added to
    the logits; with `scatter` the shares go to the sums, without it they replace the logits. No
    shares are kept between iterations.
    """
    lanes = min(size, _LANES)
    fetches = size >= _LANES

    def kernel(
        logits, far, far_weights, near, near_weights, far_values, near_values,
        w1, w2, parts, far_sums, near_sums, gather, scatter,
    ):  # fmt: skip
        part = _load(size, parts, 0)
        rows, inverses = np.zeros((_TOGETHER, size), np.float32), np.empty(_TOGETHER, np.float32)
        for start in range(0, len(logits), _TOGETHER):
            n = min(_TOGETHER, len(logits) - start)
            for i in range(start, start + n):
                if fetches:
                    soon = min(i + _PIXELS_AHEAD, len(logits) - 1)
                    for j in range(_FAR):
                        _prefetch(size, far_values, far[soon, j])
                        _prefetch(size, far_sums, far[soon, j])
                row = _load(size, logits, i)
                if gather:
                    message = _scaled(far_weights[i, 0], _load(size, far_values, far[i, 0]))
                    for j in range(1, _FAR):
                        values = _load(size, far_values, far[i, j])
                        message = _add_product(message, far_weights[i, j], values)
                    row = _add_product(row, w1, message)
                    message = _scaled(near_weights[i, 0], _load(size, near_values, near[i, 0]))
                    for j in range(1, _NEAR):
                        values = _load(size, near_values, near[i, j])
                        message = _add_product(message, near_weights[i, j], values)
                    row = _add_product(row, w2, message)
                _store(rows, i - start, row)
            for p in range(0, n, lanes):
                _exponentials(size, rows, p, inverses)
            for i in range(start, start + n):
                share = _scaled(inverses[i - start], _load(size, rows, i - start))
                if scatter:
                    share = _product(share, part)
                    for j in range(_FAR):
                        values = _load(size, far_sums, far[i, j])
                        _store(far_sums, far[i, j], _add_product(values, far_weights[i, j], share))
                    for j in range(_NEAR):
                        values = _load(size, near_sums, near[i, j])
                        _store(
                            near_sums, near[i, j], _add_product(values, near_weights[i, j], share)
                        )
                else:
                    _store(logits, i, share)

    return kernel
