"""Places for strokes as text, CSV and JSON, and drawn on an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wsstools.core.evaluation.settings import FIGURE_FORMATS
from wsstools.core.labels import IGNORE_LABEL, class_name
from wsstools.core.palette import voc_palette
from wsstools.core.scribbles.suggestions import Suggestion
from wsstools.files.names import listed_name
from wsstools.files.provenance import Json
from wsstools.view.overlay import overlay_scribbles
from wsstools.view.settings import IMAGE_WIDTH
from wsstools.view.tables import records_csv, text_table

NAMES = "names"
FORMS = (*FIGURE_FORMATS, NAMES)
Names: TypeAlias = "Sequence[str] | None"
Listed: TypeAlias = "Sequence[tuple[str, Suggestion]]"
_MARK = (255, 64, 0)


def formatted(places: Listed, names: Names, form: str) -> str:
    """The places as one of FORMS: a line each, or the names of their images, once each."""
    if form == NAMES:
        return "\n".join(dict.fromkeys(listed_name(stem) for stem, _ in places))
    if form == "table":
        return _text(places, names)
    rows = [_row(stem, place, names) for stem, place in places]
    return json.dumps(rows, indent=2) if form == "json" else records_csv(rows)


def marked_places(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8] | None,
    places: Sequence[tuple[int, Suggestion]],
) -> NDArray[np.uint8]:
    """An image with its strokes, and a box, a point and its number for each place, (h, w, 3)."""
    drawn = np.full(image.shape[:2], IGNORE_LABEL, np.uint8) if scribbles is None else scribbles
    picture = Image.fromarray(overlay_scribbles(image, drawn, voc_palette(), lighten=0.2))
    scale = IMAGE_WIDTH / picture.width
    picture = picture.resize((IMAGE_WIDTH, max(1, round(picture.height * scale))))
    pen = ImageDraw.Draw(picture)
    for number, place in places:
        left, top, right, bottom = (round(scale * side) for side in place.box)
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=_MARK)
        x, y = scale * (place.x + 0.5), scale * (place.y + 0.5)
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_MARK)
        pen.text(
            (x + 5, y - 5),
            str(number),
            fill=_MARK,
            font=ImageFont.load_default(11),
            stroke_width=2,
            stroke_fill=(255, 255, 255),
        )
    return np.asarray(picture)


def _text(places: Listed, names: Names) -> str:
    header = ("image", "likeliest", "or", "x", "y", "box", "gain", "prob", "new class")
    cells = [
        (
            stem,
            class_name(names, place.likeliest),
            "" if place.second < 0 else class_name(names, place.second),
            str(place.x),
            str(place.y),
            ",".join(map(str, place.box)),
            f"{place.gain:.3%}",
            f"{place.prob:.2f}",
            "yes" if place.is_new else "",
        )
        for stem, place in places
    ]
    note = "gain: share of the image that is expected to be wrong there; box: left,top,right,bottom"
    return "\n".join([*text_table(header, cells, n_left=3), "", note])


def _row(stem: str, place: Suggestion, names: Names) -> dict[str, Json]:
    left, top, right, bottom = place.box
    has_second = place.second >= 0
    return {
        "image": stem,
        "x": place.x,
        "y": place.y,
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "gain": place.gain,
        "likeliest": place.likeliest,
        "likeliest_name": class_name(names, place.likeliest),
        "prob": place.prob,
        "second": place.second if has_second else None,
        "second_name": class_name(names, place.second) if has_second else None,
        "is_new": place.is_new,
    }
