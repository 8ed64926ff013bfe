"""`wss scribbles`: annotations of any format, or ground truth, become scribble pictures."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, Out
from wsstools.core.boxes.settings import RULES, BoxSettings
from wsstools.core.parameter import parameter
from wsstools.core.scribbles.settings import ReadingSettings, SimulationSettings
from wsstools.running.settings import RunSettings


def scribbles(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"Annotations: {FOLDER_HELP}.")],
    out: Out,
    run: RunSettings,
    reading: ReadingSettings,
    simulation: SimulationSettings,
    boxes: BoxSettings,
    images: Optional[str] = parameter(
        None,
        "The images, which give the sizes; needed where the annotations do not state them.",
        metavar="DIR",
    ),
    width: float = parameter(3.0, "Width of the brush.", metavar="PIXELS", min=1.0),
    simulate: bool = parameter(
        False,
        "SOURCE is ground truth: draw strokes over it as a person would, or boxes around regions.",
    ),
    from_boxes: Optional[str] = parameter(
        None,
        "Make labels of the boxes in SOURCE: filled boxes (box), their inner parts (inner), or "
        "the objects that GrabCut finds in them (grabcut, with --images).",
        metavar="|".join(RULES),
        choices=RULES,
    ),
) -> None:
    """Draw annotations as scribbles, the index PNGs that the other steps read.

    Formats: labelme and X-AnyLabeling (JSON); COCO, Label Studio and VIA, one file with many
    images; GeoJSON of QuPath; scribbles of DAVIS; lists of points; the XML of CVAT for images, of
    ScribbleSup and of PASCAL VOC's boxes; polygons of YOLO; NAME.txt, a stroke a line as
    class,x,y,x,y,... in pixels, the class by name or id; palette and grey pictures; the class
    labels of SBD (MATLAB); labels layers of napari and ilastik as TIFF or NPY, whose label 0 is
    unlabelled and label 1 is class 0; and shapes and points of napari as CSV. A folder is read for
    files of one format, and so is a zip archive.

    A line is drawn open, with a round brush; a single point is a dot. Polygons, boxes, ellipses
    and masks are filled. Later marks cover earlier ones, and parts outside the image are cut off.
    Shapes of other kinds are left out and named. Class names are those of classes.txt, or those
    that the file lists; without either, ScribbleSup has the classes of PASCAL VOC, and plane,
    bike, table, plant and monitor are the VOC names of those. What is called __ignore__ becomes
    unlabelled. classes.txt is written to the output where names were used and there is none in or
    beside it.

    With --colours, pictures in colours are read: strokes of an image editor on a transparent layer,
    on white or on the photograph itself, or colour labels. Only pixels of exactly a colour of the
    table are labelled; the other colours are listed.

    With --simulate strokes are drawn from ground truth: smooth lines through each connected
    region, away from its border, the same for the same seed.

    With --from-boxes labels are made of boxes, for networks that learn from boxes alone (Simple
    Does It; wss denoise goes on). Outside all boxes is background, class 0; smaller boxes are in
    front. Boxes are upright rectangles: of VOC, COCO (bbox), YOLO, CVAT, labelme and others; other
    marks are left out and named. Where a file lists classes without background, it becomes the
    first. box: the whole box is its class. inner: its inner 20 % are, the rest is 255 (ignored).
    grabcut: GrabCut looks for the object by its colours, in 5 runs on boxes moved a little; what
    70 % of them give it is its class, what fewer than 20 % do is background, between them is 255;
    where it finds less than 15 % of a box, the rule is inner. With --simulate too, SOURCE is ground
    truth: each connected region of a class gets a box.

    \b
    Examples:
      wss scribbles strokes/ --images images/ -o scribbles/
      wss scribbles annotations.xml -o scribbles/
      wss scribbles drawn/ --colours colours.txt -o scribbles/
      wss scribbles masks/ --source-format picture --remap 255=1 -o labels/
      wss scribbles --simulate gt/ --share 0.02 -o scribbles/
      wss scribbles Annotations/ --from-boxes inner -o labels/
      wss scribbles instances.json --from-boxes grabcut --images images/ -o labels/
    """
    from wsstools.steps.scribbles import draw_or_simulate

    draw_or_simulate(
        source,
        out,
        is_simulated=simulate,
        from_boxes=from_boxes,
        images=images,
        width=width,
        reading=reading,
        simulation=simulation,
        boxes=boxes,
        run=run,
    )
