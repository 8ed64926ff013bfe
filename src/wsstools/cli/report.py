"""`wss report`: what a study found, as one HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def report(
    study: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="What wss eval-gap --json printed; - reads standard input."
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="HTML file to write.")],
    images: Annotated[
        Optional[str],
        typer.Option("--images", metavar="DIR", help="The validation images, for the sheets."),
    ] = None,
    gt: Annotated[
        Optional[str],
        typer.Option("--gt", metavar="DIR", help="Their ground truth, for the sheets."),
    ] = None,
    sheet_images: Annotated[
        int,
        typer.Option(
            "--sheet-images",
            metavar="N",
            min=0,
            help="Images in a contact sheet, either way; 0: no sheets.",
        ),
    ] = 3,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Heading of the page.")
    ] = "The gap to full supervision",
) -> None:
    """Write a study as one HTML page that needs no network and nothing beside it.

    The page has the gap table with its intervals, differences, numbers near borders, a plot of the
    labels trained on against what they gave, one of all images for each strategy, the classes,
    contact sheets, and how everything was made. It is read on a screen, a phone or paper; the same
    input gives the same page.

    The contact sheets show the images on which the best strategy of each group and the baseline
    differ most. They are drawn from the folders of labels that the file names, relative to the
    working folder; the page tells what is not there any more.

    \b
    Example:
      wss eval-gap --gt gt/ --full full/ --baseline base/ combined=combined/ --json > gap.json
      wss report gap.json --images images/ --gt gt/ -o report.html
    """
    from wsstools.files.atomic import remove_leftovers, write_atomic
    from wsstools.files.provenance import digest
    from wsstools.formats.study_json import decode_study
    from wsstools.running.sources import STANDARD_INPUT
    from wsstools.view.report.page import report_page

    is_stream = study == STANDARD_INPUT
    name = "standard input" if is_stream else Path(study).name
    data = sys.stdin.buffer.read() if is_stream else Path(study).read_bytes()
    found = decode_study(data, name if is_stream else study)
    sheets = _sheets(found, sheet_images, images, gt)
    told = {"numbers": f"{name}, blake2b {digest(data)}"}
    page = report_page(found, sheets, title=title, sources=told).encode()
    remove_leftovers(Path(out).parent)
    write_atomic(Path(out), page)
    for one in sheets.missing:
        print(f"wss report: left out: {one}", file=sys.stderr)
    print(f"wss report: {len(page) / 1e6:.1f} MB, written to {out}", file=sys.stderr)
    if not sys.stdout.isatty():
        print(out)


def _sheets(study: Any, count: int, images: str | None, gt: str | None) -> Any:
    from wsstools.steps.report_sheets import read_pictures
    from wsstools.view.report.sheets import Pictures, sheet_plans, sheets_section

    plans = sheet_plans(study, count)
    pictures = read_pictures(plans, study.class_names, images, gt) if plans else Pictures()
    if count == 0:
        why = "no sheets were asked for (--sheet-images 0)."
    elif not study.facts.get("labels"):
        why = "the study holds no images; it was made from given scores."
    else:
        why = "no strategy differs from its baseline on any image."
    return sheets_section(plans, pictures, why)
