"""exp and log of float32: right, and the same bits everywhere."""

import hashlib

import numpy as np

from wsstools.core.compiled.elementary import exp, log

# Spread evenly by whole numbers, so that no function of a library makes them.
EXPONENTS = (np.arange(-87 * 4096, 88 * 4096, 7) / 4096).astype(np.float32)
POSITIVE = np.arange(1 << 23, 255 << 23, 4999, dtype=np.int32).view(np.float32)


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()[:16]


def test_exp_and_log_are_right_to_the_last_bits():
    powers = exp(EXPONENTS.copy())
    np.testing.assert_allclose(powers, np.exp(EXPONENTS.astype(np.float64)), rtol=1.1e-7)
    logs = log(POSITIVE.copy())
    np.testing.assert_allclose(logs, np.log(POSITIVE.astype(np.float64)), rtol=3e-7)


def test_exp_and_log_at_the_ends_of_float32():
    ends = np.array([-np.inf, -87.5, 0, 88, 1000, np.nan], np.float32)
    np.testing.assert_array_equal(exp(ends.copy())[[0, 1, 2, 5]], [0, 0, 1, np.nan])
    assert exp(ends.copy())[3] == exp(ends.copy())[4] < np.inf
    least = np.array([0, 1e-45, 2.0**-126], np.float32)
    np.testing.assert_allclose(log(least.copy()), [np.log(2.0**-126)] * 3, rtol=1e-7)


def test_exp_and_log_keep_the_shape_and_change_the_array_itself():
    values = np.full((2, 3), 0.5, np.float32)
    assert log(values) is values
    np.testing.assert_allclose(values, np.log(0.5), rtol=1e-7)


def test_exp_and_log_have_the_same_bits_everywhere():
    assert digest(exp(EXPONENTS.copy())) == "6450093104f53e25"
    assert digest(log(POSITIVE.copy())) == "373451fd3c12da31"
