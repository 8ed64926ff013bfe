"""Vectors of float32 in registers, for compiled loops over the channels of features.

Features are float32, or uint16, which are the bits of bfloat16. The compiler cannot make such
loops fast by itself: it would have to know that none of their many arrays overlap.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.extending import intrinsic

from wsstools.core.compiled.llvm import everywhere, prefetch

LANES = 16
"""Values in a vector."""
AHEAD = 4096
"""How many values ahead a loop over all of them fetches; 1,024 and 16,384 are as good."""

_HALF = 16
"""Bits of a float32 that bfloat16 lacks."""
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_SHORTS = ir.VectorType(ir.IntType(16), LANES)
_FAST = ("contract",)


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name="_Vector")


_VECTOR = _Vector()


@register_default(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, _FLOATS)


def _constant(kind, value):
    return ir.Constant(kind, [value] * LANES)


def _pointer(context, builder, array_type, array, index, kind):
    """Pointer to LANES values of a contiguous array, `index` of its values before them."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _widened(builder, shorts):
    bits = builder.shl(builder.zext(shorts, _INTS), _constant(_INTS, _HALF))
    return builder.bitcast(bits, _FLOATS)


@intrinsic
def load(typing, array, index):
    """The values of a contiguous array from its value number `index` on."""
    is_float = array.dtype == types.float32

    def generate(context, builder, signature, arguments):
        kind = _FLOATS if is_float else _SHORTS
        pointer = _pointer(context, builder, signature.args[0], *arguments, kind)
        values = builder.load(pointer, align=4 if is_float else 2)
        return values if is_float else _widened(builder, values)

    return _VECTOR(array, types.intp), generate


@intrinsic
def fetch(typing, array, index):
    """Fetch the values that `load` would give into the cache, to be read soon."""

    def generate(context, builder, signature, arguments):
        prefetch(builder, [_pointer(context, builder, signature.args[0], *arguments, _SHORTS)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def store(typing, array, index, vector):
    """Write a vector to a contiguous array; bfloat16 is the nearest, of two the even one."""
    is_float = array.dtype == types.float32

    def generate(context, builder, signature, arguments):
        array, index, values = arguments
        kind = _FLOATS if is_float else _SHORTS
        pointer = _pointer(context, builder, signature.args[0], array, index, kind)
        if not is_float:
            values = builder.trunc(_rounded(builder, values), _SHORTS)
        builder.store(values, pointer, align=4 if is_float else 2)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def rounded(typing, vector, array):
    """A vector as `store` and `load` leave it in an array of this type."""
    is_float = array.dtype == types.float32

    def generate(context, builder, signature, arguments):
        if is_float:
            return arguments[0]
        bits = builder.shl(_rounded(builder, arguments[0]), _constant(_INTS, _HALF))
        return builder.bitcast(bits, _FLOATS)

    return vector(vector, array), generate


def _rounded(builder, floats):
    """The upper halves of the nearest bfloat16."""
    bits = builder.bitcast(floats, _INTS)
    odd = builder.and_(builder.lshr(bits, _constant(_INTS, _HALF)), _constant(_INTS, 1))
    bits = builder.add(builder.add(bits, _constant(_INTS, 0x7FFF)), odd)
    return builder.lshr(bits, _constant(_INTS, _HALF))


@intrinsic
def zeros(typing):
    """A vector of zeros."""
    return _VECTOR(), lambda *_: _constant(_FLOATS, 0.0)


@intrinsic
def times_plus(typing, factor, vector, summand):
    """factor * vector + summand, rounded once where the processor has an instruction for it."""

    def generate(context, builder, signature, arguments):
        factor, values, summand = arguments
        return builder.fadd(builder.fmul(factor, values, _FAST), summand, _FAST)

    return vector(vector, vector, vector), generate


@intrinsic
def plus(typing, left, right):
    """The sum of two vectors."""
    return left(left, left), lambda context, builder, _, pair: builder.fadd(*pair, _FAST)


@intrinsic
def minus(typing, left, right):
    """The difference of two vectors."""
    return left(left, left), lambda context, builder, _, pair: builder.fsub(*pair, _FAST)


@intrinsic
def between(typing, vector, low, high):
    """A vector put between two bounds; NaN stays NaN."""

    def generate(context, builder, signature, arguments):
        values, low, high = arguments
        low, high = (everywhere(builder, _FLOATS, bound) for bound in (low, high))
        values = builder.select(builder.fcmp_ordered(">", values, high), high, values)
        return builder.select(builder.fcmp_ordered("<", values, low), low, values)

    return vector(vector, types.float32, types.float32), generate


@intrinsic
def where_between(typing, vector, values, low, high):
    """`values` where a vector is neither at a bound nor beyond it, else 0."""

    def generate(context, builder, signature, arguments):
        vector, values, low, high = arguments
        low, high = (everywhere(builder, _FLOATS, bound) for bound in (low, high))
        is_low = builder.fcmp_ordered("<=", vector, low)
        is_high = builder.fcmp_ordered(">=", vector, high)
        return builder.select(builder.or_(is_low, is_high), _constant(_FLOATS, 0.0), values)

    return vector(vector, vector, types.float32, types.float32), generate
