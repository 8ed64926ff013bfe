"""The page: all sections of a report in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from wsstools.core.evaluation.study import Study
from wsstools.view.markup import Markup, element, joined
from wsstools.view.report.figures import classes_section, images_section, pfa_section
from wsstools.view.report.numbers import bands_section, differences_section, gap_section
from wsstools.view.report.parts import Section, paragraphs, section_html
from wsstools.view.report.provenance import provenance_section
from wsstools.view.report.style import STYLE
from wsstools.view.report.summary import summary

_UNFOLD = (
    "addEventListener('beforeprint',function(){"
    "document.querySelectorAll('details').forEach(function(d){d.open=true})})"
)
"""Older browsers print what is folded only if it is opened; the style does it for newer ones."""


def report_page(
    study: Study, sheets: Section, *, title: str, sources: Mapping[str, str] | None = None
) -> str:
    """The HTML of a report; equal input gives equal text.

    Parameters
    ----------
    study : Study
        What `wss eval-gap` found.
    sheets : Section
        The contact sheets, see `wsstools.view.report.sheets`.
    title : str
        Heading of the page.
    sources : mapping of str to str
        What the report was made from, for its last section.

    Notes
    -----
    The page forbids itself to load anything but the pictures in it, by a content security policy.
    """
    sections = [
        gap_section(study),
        differences_section(study),
        bands_section(study),
        pfa_section(study),
        images_section(study),
        classes_section(study),
        sheets,
        provenance_section(study, sources or {}),
    ]
    shown = [section for section in sections if section.content]
    body = [
        element("header", element("h1", title), paragraphs(summary(study), "lead"), _links(shown)),
        element("main", *(section_html(section) for section in shown), *_missing(sections)),
    ]
    page = element("html", _head(title), element("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _head(title: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(_UNFOLD.encode()).digest()).decode("ascii")
    loads = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    policy = f"{loads} 'sha256-{digest}'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(STYLE)),
        element("script", Markup(_UNFOLD)),
    )


def _links(sections: Sequence[Section]) -> Markup:
    links = (element("a", one.heading, href=f"#{one.anchor}") for one in sections)
    return element("nav", joined(links, " "), aria_label="sections")


def _missing(sections: Sequence[Section]) -> list[Markup]:
    """The sections that there is nothing to show of, in one list."""
    items = [
        element("li", element("b", section.heading), f": {why}")
        for section in sections
        if not section.content
        for why in section.missing
    ]
    if not items:
        return []
    return [
        element("section", element("h2", "What is left out"), element("ul", *items), id="left-out")
    ]
