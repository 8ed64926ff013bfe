"""The XML files of PASCAL VOC's detection task, as LabelImg writes them too: boxes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.content import Content
from wsstools.formats.annotations.scribblesup import stated_shape
from wsstools.formats.annotations.shapes import Sketch

_BOX = b"<bndbox"
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc_detection(content: Content) -> bool:
    """Whether a file is XML of boxes rather than of ScribbleSup's strokes."""
    return content.root == "annotation" and _BOX in content.data.replace(b"\0", b"")


def decode_voc_detection(content: Content) -> Decoded[Annotation]:
    """The boxes in a file, filled; the first pixel is (1, 1), and the last one is inside.

    Parts of an object are no boxes of their own. Objects without a box are left out. DataError if a
    box has no name or no four numbers.

    References
    ----------
    M. Everingham, J. Winn: The PASCAL Visual Object Classes Challenge 2012 Development Kit,
    section 8.
    """
    name, root = content.name, content.xml
    if root.tag != "annotation":
        raise DataError(f"{name}: the root is <{root.tag}>, expected <annotation> (PASCAL VOC)")
    sketch = Sketch()
    with reading(name, errors=ValueError):
        for element in root.findall("object"):
            box = element.find("bndbox")
            if box is None:
                sketch.leave_out("object without a box")
                continue
            label = (element.findtext("name") or "").strip()
            left, top, right, bottom = (_side(box, side, label) for side in _SIDES)
            sketch.add_box(label, [[left - 1, top - 1], [right, bottom]])
        return sketch.decoded(stated_shape(root, name))


def _side(box: Element, side: str, label: str) -> float:
    text = box.findtext(side) or ""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"box {label!r} has {side}={text!r}, expected a number") from None
