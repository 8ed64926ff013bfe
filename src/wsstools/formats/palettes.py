"""Colours that indexed pictures show their values in."""

from __future__ import annotations

import numpy as np

from wsstools.files.pillow import opened

Colours = dict[int, tuple[int, int, int]]


def used_colours(data: bytes) -> Colours:
    """The colour of each value that occurs in a palette picture; empty for any other file."""
    try:
        with opened(data) as picture:
            palette = picture.getpalette() if picture.mode == "P" else None
            if palette is None:
                return {}
            values = np.unique(np.asarray(picture)).tolist()
    except Exception:  # the decoders raise whatever they like at damaged files
        return {}
    return {v: (palette[3 * v], palette[3 * v + 1], palette[3 * v + 2]) for v in values}
