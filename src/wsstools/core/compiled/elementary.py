"""exp and log of float32, the same bits on every machine.

Those of numpy and of C libraries differ in the last bit with the processor and the version.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled

_HALF, _ONE = np.float32(0.5), np.float32(1)
_LOG2_E = np.float32(1 / math.log(2))
# log 2 in two parts: products of the first one and exponents are exact.
_LOG_2 = np.float32(0.693359375)
_LOG_2_REST = np.float32(math.log(2) - 0.693359375)
_E2, _E3, _E4, _E5, _E6, _E7 = (np.float32(1 / math.factorial(n)) for n in range(2, 8))
_L3, _L5, _L7, _L9 = (np.float32(1 / n) for n in (3, 5, 7, 9))
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)
_LEAST, _ROOT_HALF = np.float32(2.0**-126), np.float32(math.sqrt(0.5))
_SHIFT, _BIAS = np.int32(23), np.int32(127)  # where the exponent of a float32 is in its bits
_FRACTION, _OF_HALF = np.int32((1 << 23) - 1), np.int32(126 << 23)


def exp(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values, contiguous float32, replaced by their exponentials; right to 1e-7 of each.

    It is 0 where they are below -87, and that of 88 where they are above 88.
    """
    _exp(values.reshape(-1))
    return values


def log(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values, contiguous float32, replaced by their logarithms; right to 3e-7 of each.

    Values below 2^-126 count as it.
    """
    _log(values.reshape(-1))
    return values


@compiled
def _exp(values):
    """2^n e^r with the whole number n nearest to value / log 2, e^r by its Taylor series."""
    for i in range(len(values)):
        value = min(max(values[i], _LOWEST), _HIGHEST)
        whole = np.rint(value * _LOG2_E)
        r = (value - whole * _LOG_2) - whole * _LOG_2_REST
        series = _E4 + r * (_E5 + r * (_E6 + r * _E7))
        series = _ONE + r * (_ONE + r * (_HALF + r * (_E3 + r * series)))
        power = np.int32((np.int32(whole) + _BIAS) << _SHIFT).view(np.float32)
        if values[i] >= _LOWEST:
            values[i] = series * power
        elif values[i] < _LOWEST:
            values[i] = 0  # and NaN remains


@compiled
def _log(values):
    """n log 2 + log m with m in sqrt(1/2)..sqrt(2), by the series of artanh (m - 1) / (m + 1)."""
    for i in range(len(values)):
        bits = np.float32(max(values[i], _LEAST)).view(np.int32)
        exponent = np.float32((bits >> _SHIFT) - (_BIAS - np.int32(1)))
        m = np.int32((bits & _FRACTION) | _OF_HALF).view(np.float32)
        if m < _ROOT_HALF:
            exponent -= _ONE
            m += m
        s = (m - _ONE) / (m + _ONE)
        z = s * s
        series = (s + s) * (_ONE + z * (_L3 + z * (_L5 + z * (_L7 + z * _L9))))
        values[i] = exponent * _LOG_2 + (exponent * _LOG_2_REST + series)
