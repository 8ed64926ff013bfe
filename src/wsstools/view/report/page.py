"""The page: all sections of a report in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from itertools import count

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wsstools.core.evaluation.study import Study
from wsstools.view.figures.drawing import xml_text
from wsstools.view.report.figures import classes_section, images_section, pfa_section
from wsstools.view.report.numbers import borders_section, differences_section, gap_section
from wsstools.view.report.provenance import provenance_section
from wsstools.view.report.sheets import Sheets, sheets_section
from wsstools.view.report.summary import key_figures, summary

_LOADER = PackageLoader("wsstools.view.report")


def report_page(
    study: Study,
    sheets: Sheets,
    *,
    title: str,
    sources: Mapping[str, str] | None = None,
    record: str = "",
) -> str:
    """The HTML of a report; equal input gives equal text.

    `sources` is what it was made from, for the last section; `record` is JSON for the next run. The
    page forbids itself to load anything but the pictures in it, by a content security policy. Every
    text is escaped; what HTML cannot hold becomes the replacement character.
    """
    sections = [
        gap_section(study),
        differences_section(study),
        borders_section(study),
        pfa_section(study),
        images_section(study),
        classes_section(study),
        sheets_section(sheets),
        provenance_section(study, sources or {}),
    ]
    environment = _environment()
    style, script = (
        Markup(_LOADER.get_source(environment, name)[0]) for name in ("style.css", "print.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = environment.get_template("page.html.j2").render(
        title=title,
        record=record,
        key_figures=key_figures(study),
        summary=summary(study),
        sections=sections,
        style=style,
        script=script,
        script_digest=digest,
        next_prefix=map("f{}".format, count(1)).__next__,  # of the ids in a figure
        next_figure=count(1).__next__,  # figures are numbered as they come
    )
    return xml_text(page)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    environment.filters["short"] = _short
    return environment


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
