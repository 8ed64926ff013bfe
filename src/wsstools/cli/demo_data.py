"""`wss demo-data`: a small data set to try everything on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wsstools.cli.options import Out, Seed

_STEP = "demo-data"
_STROKE_SHARE = 0.02
_STROKE_WIDTH = 3.0


def demo_data(
    out: Out,
    n_train: Annotated[
        int, typer.Option("--train", metavar="N", min=1, help="Scenes to train on.")
    ] = 48,
    n_val: Annotated[
        int, typer.Option("--val", metavar="N", min=1, help="Scenes to test on.")
    ] = 24,
    photos: Annotated[
        bool,
        typer.Option(
            "--photos",
            help="Write the six photographs that scikit-image and "
            "scikit-learn ship instead: images only.",
        ),
    ] = False,
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that holds other data.")
    ] = False,
) -> None:
    """Draw small textured scenes with ground truth and scribbles.

    The folder gets images/, gt/, scribbles/ (of the training scenes), classes.txt, train.txt and
    val.txt: the layout that the examples take. Nothing is downloaded.

    \b
    Example:
      wss demo-data -o data/
    """
    folder = Path(out)
    if photos:
        _write_photos(folder)
    else:
        if not overwrite:
            _refuse_other_data(folder, seed)
        _write_scenes(folder, n_train, n_val, seed)
    if not sys.stdout.isatty():
        print(folder)


def _refuse_other_data(folder: Path, seed: int) -> None:
    """A folder that holds anything must hold scenes of this seed, be they all drawn or not."""
    from wsstools.demo.scenes import SCENE_CLASSES
    from wsstools.errors import UsageError
    from wsstools.files.provenance import refuse_other_run
    from wsstools.formats.label_files import read_meta

    if not any(not path.name.startswith(".") for path in folder.glob("*")):
        return
    classes = folder / "classes.txt"  # the first file to be written
    if not classes.is_file() or classes.read_bytes() != _lines(SCENE_CLASSES):
        raise UsageError(f"{folder} holds other data; write elsewhere, or give --overwrite")
    drawn = min((folder / "gt").glob("*.png"), default=None)
    if drawn is not None:
        refuse_other_run(drawn, read_meta(drawn), _STEP, {"seed": seed})


def _write_photos(folder: Path) -> None:
    from wsstools.demo.sample_images import load_photos
    from wsstools.files.atomic import remove_leftovers, write_atomic
    from wsstools.formats.image_files import encode_image

    remove_leftovers(folder)
    photos = load_photos()
    for name, photo in photos.items():
        write_atomic(folder / f"{name}.png", encode_image(photo))
    print(f"wss demo-data: {len(photos)} photographs written to {folder}", file=sys.stderr)


def _write_scenes(folder: Path, n_train: int, n_val: int, seed: int) -> None:
    from wsstools.demo.sample_images import load_textures
    from wsstools.demo.scenes import SCENE_CLASSES
    from wsstools.files.atomic import remove_leftovers, write_atomic

    for part in ("images", "gt", "scribbles", "."):
        remove_leftovers(folder / part)
    textures = load_textures()
    write_atomic(folder / "classes.txt", _lines(SCENE_CLASSES))
    n_drawn = 0
    for split, (name, count) in enumerate((("train", n_train), ("val", n_val))):
        stems = [f"{name}-{k:03d}" for k in range(count)]
        write_atomic(folder / f"{name}.txt", _lines(stems))
        for k, stem in enumerate(stems):
            n_drawn += _write_scene(folder, stem, [seed, split, k], textures)
    stood = n_train + n_val - n_drawn
    print(
        f"wss demo-data: {n_drawn} scenes drawn in {folder}"
        + (f", skipped {stood} (up to date)" if stood else ""),
        file=sys.stderr,
    )


def _write_scene(folder: Path, stem: str, seeds: list[int], textures: dict[str, Any]) -> bool:
    """Draw one scene, unless it stands; the scenes to train on (split 0) get scribbles.

    The labels are written last, so that where they stand all does.
    """
    import numpy as np

    from wsstools.core.scribbles.strokes import simulate_scribbles
    from wsstools.demo.scenes import draw_scene
    from wsstools.files.atomic import write_atomic
    from wsstools.files.provenance import output_record
    from wsstools.formats.image_files import encode_image
    from wsstools.formats.label_files import encode_labels, read_meta

    seed, split, _ = seeds
    record = output_record(kind="labels", stem=stem, step=_STEP, options={"seed": seed}, inputs=[])
    if read_meta(folder / "gt" / f"{stem}.png") == record:
        return False
    rng = np.random.default_rng(seeds)
    image, labels = draw_scene(rng, textures)
    write_atomic(folder / "images" / f"{stem}.png", encode_image(image))
    if split == 0:
        drawn = simulate_scribbles(labels, rng=rng, width=_STROKE_WIDTH, share=_STROKE_SHARE)
        write_atomic(folder / "scribbles" / f"{stem}.png", encode_labels(drawn, record))
    write_atomic(folder / "gt" / f"{stem}.png", encode_labels(labels, record))
    return True


def _lines(names: tuple[str, ...] | list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
