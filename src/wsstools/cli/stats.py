"""`wss stats`: how much is labelled, and with what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson, RunOptions


def stats(
    labels: Annotated[
        str, typer.Argument(metavar="LABELS", help=f"Scribbles or labels: {FOLDER_HELP}.")
    ],
    run: RunOptions,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Print a table of the images instead.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="table, csv or json.")
    ] = "table",
    as_json: AsJson = False,
) -> None:
    """Print how much of the pixels is labelled: per class, or per image.

    For each class: its share of all pixels and of the labelled ones, the images it occurs in, and
    its strokes (8-connected regions). JSON holds both tables. The CSV of --per-image has a line
    for each image and class.

    \b
    Examples:
      wss stats scribbles/
      wss stats scribbles/ --per-image --format csv
    """
    import json

    from wsstools.core.evaluation.label_statistics import summed_stats
    from wsstools.errors import DataError, UsageError
    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.step import collect
    from wsstools.view import stats as view

    form = "json" if as_json else form
    if form not in ("table", "csv", "json"):
        raise UsageError(f"--format {form}: expected table, csv or json")
    source = run.source(labels, label_files.SUFFIXES, "labels")
    inputs = [Input("labels", source, label_files.decode_labels)]
    images = dict(collect("stats", _compute, inputs, run.selection(), run.pool()))
    if not images:
        raise DataError("no image to count")
    names = label_files.find_class_names(labels)
    total = summed_stats(images.values())
    if form == "json":
        print(json.dumps(view.stats_answer(total, images, names), indent=2))
    elif form == "csv":
        print(view.images_csv(images, names) if per_image else view.classes_csv(total, names))
    elif per_image:
        print(view.images_text(images))
    else:
        print(view.classes_text(total, images, names))


def _compute(labels: Any) -> Any:
    from wsstools.core.evaluation.label_statistics import label_stats

    return label_stats(labels)
