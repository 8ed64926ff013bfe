"""Maps whose strokes are predicted by models that did not learn from them: --folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from wsstools.errors import UsageError
from wsstools.files.provenance import Decoded, Json, Meta
from wsstools.running.join import Input

_LEARN_FROM_STROKES = ("rf-predict", "local-predict", "global-predict", "superpixels")
_NAME = "folds"


def fold_options(folds: int | None) -> dict[str, Json]:
    """What is recorded of --folds: nothing where it is not given; UsageError if it is below 2."""
    if folds is None:
        return {}
    if folds < 2:
        raise UsageError(f"--folds {folds}: expected a number of at least 2")
    return {_NAME: folds}


def held_out_input(entry: Input) -> Input:
    """The same input of maps or labels, with a note where models learned from what they predict.

    A file that carries no record has none.
    """
    return replace(entry, decode=partial(_decode, decode=entry.decode))


def _decode(
    data: bytes, name: str, *, decode: Callable[[bytes, str], Decoded[object]]
) -> Decoded[object]:
    found = decode(data, name)
    learned = set() if found.meta is None else _models_that_saw(found.meta)
    if not learned:
        return found
    made_by = " and ".join(sorted(learned))
    return found.noted(
        f"warning: made by {made_by} without --folds, from the strokes that it is compared with; "
        "they look better than they are"
    )


def _models_that_saw(meta: Meta) -> set[str]:
    """The steps in a record that learned from strokes and predicted the same strokes."""
    made_by = [entry["made_by"] for entry in meta["inputs"] if "made_by" in entry]
    saw = set().union(*map(_models_that_saw, made_by))
    if meta["step"] in _LEARN_FROM_STROKES and _NAME not in meta["options"]:
        saw.add(f"wss {meta['step']}")
    return saw
