"""Parameters of drawn and simulated scribbles. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from wsstools.core.parameter import documented, parameter


@documented
@dataclass(frozen=True)
class SimulationSettings:
    """What simulated strokes are like."""

    share: float = parameter(
        0.02,
        "Simulated: share of the pixels to cover, about; larger means longer strokes.",
        metavar="S",
        min=0.0,
        max=1.0,
    )
    strokes: int = parameter(
        3, "Simulated: most strokes in a connected region.", metavar="N", min=1
    )
    min_area: Optional[int] = parameter(
        None,
        "Simulated: smaller regions get no stroke, nor box. Default: (4 x width) squared, but the "
        "largest region of each class gets one in any case.",
        metavar="PIXELS",
        min=0,
    )
    seed: int = parameter(0, "Seed of everything left to chance.", metavar="N", min=0)


@documented
@dataclass(frozen=True)
class SourceSettings:
    """What annotations are in, and what their classes are called."""

    format: Optional[str] = parameter(
        None,
        "labelme, coco, labelstudio, via, davis, points, voc, scribblesup, cvat, yolo, strokes, "
        "napari, napari-csv, sbd, picture or geojson; default: what the content looks like.",
        "--source-format",
        metavar="FORM",
    )
    classes: Optional[str] = parameter(
        None,
        "Names of the classes, one a line, line number = id from 0; default: the classes.txt in "
        "or beside SOURCE or the images, or those that the files list.",
        metavar="FILE",
    )
    remap: Optional[str] = parameter(
        None,
        "Change class ids: OLD=NEW,... where 255 is unlabelled and OLD may be others; a file of "
        "lines OLD NEW; or cityscapes (labelIds to trainIds).",
        metavar="IDS",
    )


@documented
@dataclass(frozen=True)
class ReadingSettings(SourceSettings):
    """How annotations are read."""

    unlabelled: Optional[int] = parameter(
        None,
        "Value of unlabelled pixels in pictures (default 255) and in layers of napari (default 0).",
        metavar="VALUE",
    )
    first_class: Optional[int] = parameter(
        None,
        "Value of class 0 in pictures (default 0) and in layers of napari (default 1).",
        metavar="VALUE",
    )
    colours: Optional[str] = parameter(
        None,
        "SOURCE is pictures in colours. A table of those that are classes: name #rrggbb or name "
        "R G B, one a line; or voc or cityscapes. Other colours are unlabelled.",
        metavar="FILE",
    )


@documented
@dataclass(frozen=True)
class SuggestionSettings:
    """Which places are suggested for strokes."""

    per_image: int = parameter(1, "Most places in one image.", metavar="N", min=1)
    reach: float = parameter(
        0.03,
        "How far a stroke helps, as a share of the root of the image's area; larger prefers large "
        "regions.",
        metavar="X",
        min=0.001,
        max=1.0,
    )
