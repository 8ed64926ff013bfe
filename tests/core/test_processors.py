"""Local models and regularizers give the same bits on processors of other kinds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from builders import PATIENCE, draw_image, noisy_map

from wsstools.core.crf.mean_field import dense_crf
from wsstools.core.local.colours import parzen
from wsstools.core.local.forest import random_forest
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.potts.solver import edge_weights, solve_potts, unary

IMAGE, LABELS, SCRIBBLES = draw_image(0)
IMAGE = IMAGE // 32 * 32  # of few colours: many responses are equal but for rounding
PROBS = noisy_map(LABELS, 0).probs
STEPS = {
    "forest": lambda: random_forest(IMAGE, SCRIBBLES, position=True, trees=10).probs,
    "parzen": lambda: parzen(IMAGE, scribbled_pixels(IMAGE, SCRIBBLES, None)).probs,
    "potts": lambda: solve_potts(unary(PROBS), edge_weights(IMAGE, eta=0.01)).soft,
    "crf": lambda: dense_crf(PROBS, IMAGE, prune=0.3).marginals,
}


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@pytest.mark.slow
def test_steps_give_the_same_bits_with_and_without_fused_products_and_wide_vectors(tmp_path):
    """An x86-64 of 2003, or the plainest processor of the architecture."""
    environment = dict(
        os.environ,
        NUMBA_CPU_NAME="generic",
        NUMBA_CPU_FEATURES="",
        NUMBA_CACHE_DIR=str(tmp_path),
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    plain = subprocess.Popen(
        [sys.executable, __file__], env=environment, stdout=subprocess.PIPE, text=True
    )
    here = {step: digest(compute()) for step, compute in STEPS.items()}
    there = json.loads(plain.communicate(timeout=PATIENCE)[0])
    assert there == here


def test_the_built_in_filters_have_the_same_bits_everywhere():
    weights = np.concatenate([layer.weights.ravel() for layer in gabor_bank().filters])
    assert digest(weights)[:16] == "73df504770c3061c"


if __name__ == "__main__":
    print(json.dumps({step: digest(compute()) for step, compute in STEPS.items()}))
