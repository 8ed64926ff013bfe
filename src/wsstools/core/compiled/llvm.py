"""Pieces of LLVM code that the instructions of compiled modules are made of."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types

_INT = ir.IntType(32)


def row_pointer(context, builder, array_type, array, row):
    """Pointer to array[row, 0] of a two-dimensional array."""
    table = context.make_array(array_type)(context, builder, array)
    first = context.get_constant(types.intp, 0)
    return cgutils.get_item_pointer(
        context, builder, array_type, table, [row, first], wraparound=False
    )


def everywhere(builder, vector, value):
    """A vector that holds one value everywhere."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    lanes = ir.Constant(ir.VectorType(_INT, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, undefined, lanes)


def prefetch(builder, pointers):
    """Fetch what the pointers point to into the cache, to be read soon."""
    byte = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT]),
        "llvm.prefetch.p0i8",
    )
    flags = [ir.Constant(_INT, flag) for flag in (0, 3, 1)]  # to read, keep it, data
    for pointer in pointers:
        builder.call(function, [builder.bitcast(pointer, byte), *flags])
