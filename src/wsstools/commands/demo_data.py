"""`wss demo-data`: a small data set to try everything on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wsstools.commands._options import Out, Seed

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
    """A folder that holds anything must hold scenes of this seed, which are drawn again."""
    from wsstools.errors import UsageError
    from wsstools.io.labelfile import read_meta
    from wsstools.io.provenance import made_by_other_run

    held = [path for path in folder.glob("*") if not path.name.startswith(".")]
    if not held:
        return
    drawn = sorted((folder / "gt").glob("*.png"))
    why = made_by_other_run(read_meta(drawn[0]) if drawn else None, _STEP, {"seed": seed})
    if why:
        raise UsageError(
            f"{drawn[0] if drawn else held[0]} stands already and {why}; "
            "write to another folder, or give --overwrite"
        )


def _write_photos(folder: Path) -> None:
    from wsstools.io.atomic import write_whole
    from wsstools.io.imagefile import encode_image
    from wsstools.io.samples import load_photos

    photos = load_photos()
    for name, photo in photos.items():
        write_whole(folder / f"{name}.png", encode_image(photo))
    print(f"wss demo-data: {len(photos)} photographs written to {folder}", file=sys.stderr)


def _write_scenes(folder: Path, n_train: int, n_val: int, seed: int) -> None:
    import numpy as np

    from wsstools.core.scenes import SCENE_CLASSES, draw_scene
    from wsstools.core.strokes import simulate_scribbles
    from wsstools.io.atomic import write_whole
    from wsstools.io.imagefile import encode_image
    from wsstools.io.labelfile import encode_labels
    from wsstools.io.provenance import output_record
    from wsstools.io.samples import load_textures

    textures = load_textures()
    names = {
        "train": [f"train-{k:03d}" for k in range(n_train)],
        "val": [f"val-{k:03d}" for k in range(n_val)],
    }
    write_whole(folder / "classes.txt", _lines(SCENE_CLASSES))
    for part, (split, stems) in enumerate(names.items()):
        write_whole(folder / f"{split}.txt", _lines(stems))
        for k, stem in enumerate(stems):
            rng = np.random.default_rng([seed, part, k])
            image, labels = draw_scene(rng, textures)
            drawn = {"gt": labels}
            if split == "train":
                drawn["scribbles"] = simulate_scribbles(
                    labels, rng=rng, width=_STROKE_WIDTH, share=_STROKE_SHARE
                )
            write_whole(folder / "images" / f"{stem}.png", encode_image(image))
            for kind, values in drawn.items():
                record = output_record(
                    kind="labels", stem=stem, step=_STEP, options={"seed": seed}, inputs=[]
                )
                write_whole(folder / kind / f"{stem}.png", encode_labels(values, record))
    print(
        f"wss demo-data: {n_train} scenes to train on and {n_val} to test on written to {folder}",
        file=sys.stderr,
    )


def _lines(names: tuple[str, ...] | list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
