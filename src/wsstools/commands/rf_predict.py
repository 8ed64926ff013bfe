"""`wss rf-predict`: the local annotator model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from wsstools.commands._options import (
    Images,
    NClasses,
    Out,
    Seed,
    StepOptions,
    WeightsDir,
    class_count,
)


def rf_predict(
    images: Images,
    scribbles: Annotated[
        str, typer.Argument(metavar="SCRIBBLES", help="Scribbles: folder or file of index PNGs.")
    ],
    out: Out,
    run: StepOptions,
    filters: Annotated[
        Optional[List[str]],
        typer.Option(
            "--filters",
            metavar="BANK",
            help="gabor (built in, the default), vgg16, alexnet (torchvision's weights), or a "
            ".npz/.pth file of first-layer weights; give it twice to join two banks.",
        ),
    ] = None,
    filter_order: Annotated[
        str,
        typer.Option(
            "--filter-order", metavar="RGB|BGR", help="Order of the planes in filter files."
        ),
    ] = "RGB",
    trees: Annotated[
        int, typer.Option("--trees", metavar="N", min=1, help="Trees of the forest.")
    ] = 50,
    features: Annotated[
        int,
        typer.Option("--features", metavar="N", min=1, help="Filters that the ranking keeps."),
    ] = 100,
    weights_dir: WeightsDir = None,
    n_classes: NClasses = None,
    seed: Seed = 0,
) -> None:
    """Predict each image from its own scribbles with a random forest.

    The features of a pixel are the responses of a filter bank. A first forest on the scribbled
    pixels ranks them, a second one on the best gives the probabilities of all pixels, for the
    classes scribbled in that image. An image without scribbles is told of and skipped.

    \b
    Example:
      wss rf-predict images/ scribbles/ -o local/
    """
    from wsstools.io import imagefile, labelfile
    from wsstools.io.joined import Input
    from wsstools.io.steps import Step, run_step

    count = class_count(n_classes, scribbles)
    bank, shared = _bank(filters or ["gabor"], filter_order, weights_dir)
    step = Step(
        "rf-predict",
        "prob",
        partial(
            _compute,
            bank=bank,
            n_classes=count,
            n_trees=trees,
            n_features=features,
        ),
        options={
            "filters": bank.name,
            "trees": trees,
            "features": features,
            "n_classes": count,
            "seed": seed,
        },
        seed=seed,
        shared=shared,
    )
    inputs = [
        Input(
            "image",
            run.source(images, imagefile.SUFFIXES, "image"),
            imagefile.decode_image,
        ),
        Input(
            "scribbles",
            run.source(scribbles, labelfile.SUFFIXES, "scribbles"),
            labelfile.decode_labels,
            may_lack=True,
        ),
    ]
    run_step(step, inputs, out, run.settings())


def _compute(image: Any, scribbles: Any, *, rng: Any, **options: Any) -> Any:
    from wsstools.core.forest import predict_from_scribbles
    from wsstools.io.steps import Computed

    return Computed(predict_from_scribbles(image, scribbles, rng=rng, **options))


def _bank(names: list[str], order: str, weights_dir: str | None) -> tuple[Any, list[Any]]:
    """The joined filter bank, and the records of the files that it came from."""
    from wsstools.core.bank import FilterBank
    from wsstools.core.gabor import gabor_bank
    from wsstools.errors import UsageError
    from wsstools.io.bankfile import read_bank
    from wsstools.io.provenance import input_record

    if order.upper() not in ("RGB", "BGR"):
        raise UsageError(f"--filter-order {order}: expected RGB or BGR")
    banks, records = [], []
    for name in names:
        if name == "gabor":
            banks.append(gabor_bank())
        elif name in ("vgg16", "alexnet"):
            from wsstools.nn.banks import torchvision_bank

            banks.append(torchvision_bank(name, weights_dir))
        elif Path(name).is_file():
            bank, found = read_bank(Path(name), order=order.upper())
            banks.append(bank)
            records.append(input_record("filters", Path(name).name, found))
        else:
            raise UsageError(f"--filters {name}: neither gabor, vgg16 or alexnet nor a file")
    layers = tuple(layer for bank in banks for layer in bank.layers)
    return FilterBank("+".join(bank.name for bank in banks), layers), records
