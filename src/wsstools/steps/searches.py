"""What the searches of `tune` share: the files that they write, and the images that they try on."""

from __future__ import annotations

from collections.abc import Iterable

from wsstools.running.settings import RunSettings
from wsstools.running.step import image_rng

PARAMS_FILE, TABLE_FILE = "params.json", "table.csv"
SAMPLE = 20
"""Images to try on, where nothing else is said."""


def sampled(stems: Iterable[str], sample: int | None, seed: int, run: RunSettings) -> list[str]:
    """At most `sample` of the images, drawn by chance; None: SAMPLE, or all that `run` names.

    The place of an image follows from (seed, stem), so that a larger sample holds the smaller.
    """
    order = sorted(stems, key=lambda stem: image_rng(seed, stem).random())
    return order[: sample or (SAMPLE if run.names is None else len(order))]
