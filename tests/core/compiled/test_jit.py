"""Compiled functions: exact, and kept in the user's cache."""

import os
import subprocess
import sys

import numpy as np
import pytest

from wsstools.core.compiled.jit import compiled


@compiled
def less_product(a, b, c):
    """c - a b for each element."""
    out = np.empty_like(c)
    for i in range(len(c)):
        out[i] = c[i] - a[i] * b[i]
    return out


def test_a_compiled_product_is_rounded_before_it_is_subtracted():
    a, b = np.random.default_rng(0).uniform(1, 2, (2, 999)).astype(np.float32)
    assert (less_product(a, b, a * b) == 0).all()  # fused, most would be a rounding error


KEEPS = """
import numpy as np
from wsstools.core.potts.bounds import sharpen
sharpen(np.ones((2, 3, 3), np.float32), np.float32(0.1))
print(sum(sharpen.stats.cache_hits.values()), sharpen.stats.cache_path)
"""


@pytest.mark.slow
def test_compiled_functions_are_kept_in_the_users_cache_or_nowhere(tmp_path):
    def run(caches):
        environment = dict(os.environ, XDG_CACHE_HOME=str(caches))
        environment.pop("NUMBA_CACHE_DIR", None)
        command = [sys.executable, "-c", KEEPS]
        return subprocess.check_output(command, env=environment, text=True).split()

    (tmp_path / "a file").touch()
    assert run(tmp_path / "a file") == ["0", "None"]
    hits, folder = run(tmp_path)
    assert hits == "0" and folder.startswith(str(tmp_path / "wsstools" / "numba"))
    assert run(tmp_path) == ["1", folder]
