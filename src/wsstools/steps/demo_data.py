"""A small data set to try everything on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wsstools.core.arrays import AnyArray
from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.demo.sample_images import load_photos, load_textures
from wsstools.demo.scenes import SCENE_CLASSES, draw_scene
from wsstools.errors import UsageError
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.limits import read_file
from wsstools.files.provenance import Origin
from wsstools.files.targets import output_file
from wsstools.files.text import encode_list
from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels, read_meta
from wsstools.running.claim import claimed
from wsstools.running.messages import print_path, say
from wsstools.running.settings import RunSettings

__all__ = ["demo_data", "demo_photos", "print_path"]

_STROKE_SHARE = 0.02
_STROKE_WIDTH = 3.0


def demo_photos(out: str | Path, *, overwrite: bool = False) -> None:
    """Write the six photographs that ship with scikit-image and scikit-learn into a folder.

    Raises
    ------
    UsageError
        If a file of that name holds another picture, unless `overwrite` is set.
    """
    folder = Path(out)
    photos = {folder / f"{name}.png": encode_image(p) for name, p in load_photos().items()}
    for path, data in photos.items():
        is_ours = read_file(path) == data if path.is_file() else None
        output_file(path, [], is_ours=is_ours, overwrite=overwrite)
    remove_leftovers(folder)
    for path, data in photos.items():
        write_atomic(path, data)
    say(f"{len(photos)} photographs written to {folder}", "demo-data")


def demo_data(
    out: str | Path,
    *,
    n_train: int = 48,
    n_val: int = 24,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Draw small textured scenes with ground truth, scribbles and lists of names.

    Parameters
    ----------
    out : str or Path
        Folder to write to; made if missing.
    n_train, n_val : int
        Number of scenes to train on, which get scribbles, and to test on.
    seed : int
        Of everything that is drawn.
    overwrite : bool
        Write into a folder that holds other data.

    Raises
    ------
    UsageError
        If the folder holds other data.
    """
    folder = Path(out)
    origin = Origin("demo-data", {"seed": seed})
    with claimed(folder, origin, RunSettings(overwrite=overwrite)):
        if not overwrite:
            _refuse_other_data(folder, origin)
        _draw(folder, origin, n_train, n_val, seed)


def _draw(folder: Path, origin: Origin, n_train: int, n_val: int, seed: int) -> None:
    """The same for a folder that is ours."""
    for part in ("images", "gt", "scribbles", "."):
        remove_leftovers(folder / part)
    textures = load_textures()
    write_atomic(folder / "classes.txt", encode_list(SCENE_CLASSES))
    n_drawn = 0
    for split, (name, count) in enumerate((("train", n_train), ("val", n_val))):
        stems = [f"{name}-{k:03d}" for k in range(count)]
        write_atomic(folder / f"{name}.txt", encode_list(stems))
        for k, stem in enumerate(stems):
            n_drawn += _write_scene(folder, stem, [seed, split, k], origin, textures)
    skipped = n_train + n_val - n_drawn
    more = f", skipped {skipped} (up to date)" if skipped else ""
    say(f"{n_drawn} scenes drawn in {folder}{more}", "demo-data")


def _refuse_other_data(folder: Path, origin: Origin) -> None:
    """Raise UsageError unless a folder that holds anything holds scenes of this seed."""
    if not any(not path.name.startswith(".") for path in folder.glob("*")):
        return
    classes = folder / "classes.txt"  # the first file to be written
    if not classes.is_file() or read_file(classes) != encode_list(SCENE_CLASSES):
        raise UsageError(f"{folder} holds other data; write to another place, or give --overwrite")
    drawn = min((folder / "gt").glob("*.png"), default=None)
    if drawn is not None:
        origin.refuse_other_run(drawn, read_meta(drawn))


def _write_scene(
    folder: Path, stem: str, seeds: list[int], origin: Origin, textures: Mapping[str, AnyArray]
) -> bool:
    """Draw one scene, unless it is up to date; the scenes to train on (split 0) get scribbles.

    The labels are written last: where they are, all is.
    """
    record = origin.record(kind="labels", stem=stem, inputs=[])
    if read_meta(folder / "gt" / f"{stem}.png") == record:
        return False
    rng = np.random.default_rng(seeds)
    image, labels = draw_scene(rng, textures)
    write_atomic(folder / "images" / f"{stem}.png", encode_image(image))
    if seeds[1] == 0:
        drawn = simulate_scribbles(labels, rng=rng, width=_STROKE_WIDTH, share=_STROKE_SHARE)
        write_atomic(folder / "scribbles" / f"{stem}.png", encode_labels(drawn, record))
    write_atomic(folder / "gt" / f"{stem}.png", encode_labels(labels, record))
    return True
