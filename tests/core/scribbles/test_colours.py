"""Tables of colours."""

from __future__ import annotations

import pytest

from wsstools.core.scribbles.colours import cityscapes_colours, parse_colours, voc_colours


@pytest.mark.parametrize(
    "text",
    [
        "sky #0000ff\ntraffic light #faaa1e",
        "# a comment\n\nsky\t0 0 255\ntraffic light, 250, 170, 30\n",
        "0 0 255 sky\n250 170 30\ttraffic light",
        "#0000FF sky\n#FAAA1E = traffic light",
        "# label:color_rgb:parts:actions\nsky:0,0,255::\ntraffic light:250,170,30::",
    ],
)
def test_lines_name_a_class_and_its_colour(text):
    table = parse_colours(text)
    assert table.entries == (("sky", (0, 0, 255)), ("traffic light", (250, 170, 30)))
    assert table.class_names == ["sky", "traffic light"]
    assert parse_colours("\n".join(table.lines())) == table


def test_colours_without_names_are_classes_in_their_order():
    table = parse_colours("#ff0000\n0 255 0\n")
    assert table.entries == ((0, (255, 0, 0)), (1, (0, 255, 0)))
    assert table.class_names is None


def test_a_class_may_have_several_colours_and_some_are_ignored():
    table = parse_colours("a #000001\nb #000002\na #000003\n__ignore__ #000004")
    assert table.class_names == ["a", "b"]


def test_the_colours_of_voc_and_cityscapes():
    voc, cityscapes = dict(voc_colours().entries), dict(cityscapes_colours().entries)
    assert voc["background"] == (0, 0, 0) and voc["tvmonitor"] == (0, 64, 128)
    assert voc["__ignore__"] == (224, 224, 192) and len(voc) == 22
    assert cityscapes["road"] == (128, 64, 128) and cityscapes["bicycle"] == (119, 11, 32)
    assert len(cityscapes_colours().class_names) == 19


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "no colour is named"),
        ("sky blue", "line 1: 'sky blue': expected a name and #rrggbb"),
        ("sky 0 0 256", "R G B to 255"),
        ("1 0 0 255", "which number is the class"),
        ("sky #0000ff\nsea 0 0 255", "the colour #0000ff occurs twice"),
        ("sky #0000ff\n#00ff00", "some have none"),
    ],
)
def test_what_is_no_table(text, message):
    with pytest.raises(ValueError, match=message):
        parse_colours(text)
