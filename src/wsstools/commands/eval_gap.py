"""`wss eval-gap`: how much of the gap to full supervision a strategy closes."""

from __future__ import annotations

from typing import Annotated, List, Optional

import typer

from wsstools.commands._options import AsJson, RunOptions


def eval_gap(
    run: RunOptions,
    strategies: Annotated[
        Optional[List[str]],
        typer.Argument(metavar="NAME=DIR...", help="Labels predicted by each strategy's network."),
    ] = None,
    gt: Annotated[Optional[str], typer.Option("--gt", metavar="DIR", help="Ground truth.")] = None,
    full: Annotated[
        Optional[str],
        typer.Option("--full", metavar="DIR", help="Labels predicted under full supervision."),
    ] = None,
    baseline: Annotated[
        Optional[str],
        typer.Option("--baseline", metavar="DIR", help="Labels predicted by the baseline."),
    ] = None,
    scores: Annotated[
        Optional[str],
        typer.Option(
            "--scores",
            metavar="FILE",
            help="Take mIoUs from a CSV file (name,miou with the rows full and baseline) instead "
            "of folders; numbers above 1 are percent.",
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option("--format", metavar="FORM", help="table, csv, json, markdown or latex."),
    ] = "table",
    as_json: AsJson = False,
) -> None:
    """Print the gap table: full supervision, baseline, strategies.

    full gap = mIoU(full) - mIoU(baseline); remaining gap = mIoU(full) - mIoU(strategy); gap
    reduction = (full gap - remaining gap) / full gap. The mIoU of a folder comes from one
    confusion matrix, as wss score gives it. All folders must hold the same images.

    \b
    Examples:
      wss eval-gap --gt gt/ --full full/ --baseline base/ combined=combined/
      wss eval-gap --scores table1.csv --format latex
    """
    from wsstools.core.gap import gap_table
    from wsstools.errors import UsageError
    from wsstools.view.tables import GAP_FORMATS

    form = "json" if as_json else format_
    if form not in GAP_FORMATS:
        raise UsageError(f"--format {form}: expected one of {', '.join(GAP_FORMATS)}")
    if scores is not None:
        if gt or full or baseline or strategies:
            raise UsageError("--scores takes the place of the folders; give one or the other")
        from wsstools.io.scorefile import read_scores

        mious = read_scores(scores)
    else:
        mious = _measured(gt, full, baseline, strategies or [], run)
    print(GAP_FORMATS[form](gap_table(mious)))


def _measured(
    gt: str | None,
    full: str | None,
    baseline: str | None,
    strategies: list[str],
    run: RunOptions,
) -> dict[str, float]:
    import sys

    from wsstools.commands._confusion import summed_confusion
    from wsstools.core import metrics
    from wsstools.core.labels import class_name
    from wsstools.errors import DataError, UsageError
    from wsstools.io.labelfile import find_class_names

    if gt is None or full is None or baseline is None:
        raise UsageError("give --gt, --full and --baseline (or --scores FILE)")
    folders = {"full": full, "baseline": baseline}
    for entry in strategies:
        name, equals, folder = entry.partition("=")
        if not (name and equals and folder) or name in folders:
            raise UsageError(f"{entry}: expected NAME=DIR with a name of its own")
        folders[name] = folder
    names = find_class_names(gt)
    mious, stems = {}, None
    for name, folder in folders.items():
        total, images = summed_confusion("eval-gap", folder, gt, run)
        stems = stems or images.keys()
        if images.keys() != stems:
            odd = sorted(images.keys() ^ stems)
            raise DataError(
                f"{folder} and {full} hold different images: {len(odd)} are in one only, "
                f"such as {odd[0]!r} (--ids chooses the images)"
            )
        found = metrics.scores(total, None if names is None else len(names))
        mious[name] = found.mean_iou
        if found.absent:
            absent = ", ".join(class_name(names, c) for c in found.absent)
            print(
                f"wss eval-gap: {name}: left out of the mean, in neither ground truth nor "
                f"labels: {absent}",
                file=sys.stderr,
            )
    return mious
