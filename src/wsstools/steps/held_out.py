"""Maps whose strokes are predicted by models that did not learn from them: --folds."""

from __future__ import annotations

from wsstools.errors import UsageError
from wsstools.files.provenance import Json, Meta
from wsstools.formats import label_files, map_files
from wsstools.running.messages import say
from wsstools.running.sources import Source

_LEARN_FROM_STROKES = ("rf-predict", "local-predict", "global-predict", "superpixels")
_NAME = "folds"


def fold_options(folds: int | None) -> dict[str, Json]:
    """What is recorded of --folds: nothing where it is not given; UsageError if it is below 2."""
    if folds is None:
        return {}
    if folds < 2:
        raise UsageError(f"--folds {folds}: expected a number of at least 2")
    return {_NAME: folds}


def warn_unless_held_out(source: Source, stem: str, command: str) -> None:
    """Warn if the record of one file says that its models learned from the strokes themselves."""
    path = source.find(stem)
    form = map_files if path.suffix.lower() in map_files.SUFFIXES else label_files
    meta = form.read_meta(path)
    learned = set() if meta is None else _models_that_saw(meta)
    if learned:
        say(
            f"warning: {path} was made by {' and '.join(sorted(learned))} without --folds, from "
            "the strokes that it is compared with: they look better than they are",
            command,
        )


def _models_that_saw(meta: Meta) -> set[str]:
    """The steps in a record that learned from strokes and predicted the same strokes."""
    made_by = [entry["made_by"] for entry in meta["inputs"] if "made_by" in entry]
    saw = set().union(*map(_models_that_saw, made_by))
    if meta["step"] in _LEARN_FROM_STROKES and _NAME not in meta["options"]:
        saw.add(f"wss {meta['step']}")
    return saw
