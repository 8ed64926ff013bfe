"""Contact sheets and overlays, pixel by pixel."""

import numpy as np
import pytest

from wsstools.core.palette import voc_palette
from wsstools.view.overlay import (
    colour_labels,
    colour_map,
    overlay_labels,
    overlay_scribbles,
    stroke_growth,
)
from wsstools.view.scales import INFERNO
from wsstools.view.sheet import contact_sheet, side_by_side

PALETTE = voc_palette()
RED, GREEN = (255, 0, 0), (0, 160, 0)


def plain(colour, height=30, width=40):
    return np.full((height, width, 3), colour, np.uint8)


def count(sheet, colour):
    return int((sheet == np.array(colour)).all(axis=2).sum())


def test_labels_take_their_colours():
    labels = np.array([[0, 1], [15, 255]], np.uint8)
    coloured = colour_labels(labels, PALETTE)
    assert coloured.dtype == np.uint8
    assert coloured.tolist() == [
        [[0, 0, 0], [128, 0, 0]],
        [[192, 128, 128], [224, 224, 192]],
    ]


def test_label_without_a_colour_is_refused():
    with pytest.raises(ValueError, match="palette has 3"):
        colour_labels(np.array([[3]]), PALETTE[:3])
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        colour_labels(np.zeros((2, 2, 3), np.uint8), PALETTE)


def test_overlay_mixes_and_greys():
    image = plain((200, 100, 0), 1, 2)
    mixed = overlay_labels(image, np.array([[1, 255]], np.uint8), PALETTE, 0.25)
    assert mixed[0, 0].tolist() == [182, 75, 0]
    assert len(set(mixed[0, 1].tolist())) == 1
    opaque = overlay_labels(image, np.array([[1, 2]], np.uint8), PALETTE, 1.0)
    assert np.array_equal(opaque, colour_labels(np.array([[1, 2]]), PALETTE))


def test_scribbles_are_opaque_and_grow():
    scribbles = np.full((9, 9), 255, np.uint8)
    scribbles[4, 4] = 1
    shown = overlay_scribbles(plain((0, 0, 0), 9, 9), scribbles, PALETTE, grow=1, lighten=0.5)
    assert count(shown, PALETTE[1]) == 5
    assert shown[0, 0].tolist() == [128, 128, 128]
    as_is = overlay_scribbles(plain((0, 0, 0), 9, 9), scribbles, PALETTE, grow=0)
    assert count(as_is, PALETTE[1]) == 1


def test_strokes_grow_with_the_image():
    scribbles = np.full((600, 600), 255, np.uint8)
    scribbles[300, 300] = 1
    shown = overlay_scribbles(plain((0, 0, 0), 600, 600), scribbles, PALETTE)
    assert count(shown, PALETTE[1]) == 29  # a disc of radius 3


def test_map_shows_the_expected_colour():
    probs = np.zeros((2, 1, 3), np.float32)
    probs[0, 0] = 1, 0.5, 0
    probs[1] = 1 - probs[0]
    coloured = colour_map(probs, [1, 4], PALETTE)
    assert coloured[0].tolist() == [[128, 0, 0], [64, 0, 64], [0, 0, 128]]
    swapped = colour_map(probs[::-1], [4, 1], PALETTE)
    assert np.array_equal(coloured, swapped)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="labels has shape"):
        overlay_labels(plain(RED), np.zeros((3, 3), np.uint8), PALETTE)
    with pytest.raises(ValueError, match="image has shape"):
        overlay_scribbles(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.uint8), PALETTE)
    with pytest.raises(ValueError, match="probs has shape"):
        colour_map(np.zeros((3, 2, 2)), [0, 1], PALETTE)


def test_sheet_holds_every_picture_on_white():
    sheet = contact_sheet([[plain(RED), plain(GREEN)], [plain(GREEN)]], cell_width=40)
    assert sheet.dtype == np.uint8
    assert count(sheet, RED) == 40 * 30 and count(sheet, GREEN) == 2 * 40 * 30
    border = np.concatenate([sheet[:5].ravel(), sheet[-5:].ravel(), sheet[:, :5].ravel()])
    assert (border == 255).all()
    red_x = np.nonzero((sheet == RED).all(axis=2))[1]
    green_x = np.nonzero((sheet == GREEN).all(axis=2))[1]
    assert red_x.min() == green_x.min() < red_x.max() < green_x.max()


def test_pictures_are_brought_to_the_cell_width():
    sheet = contact_sheet([[plain(RED, 30, 40), plain(GREEN, 200, 100)]], cell_width=80)
    assert count(sheet, RED) == 80 * 60
    assert count(sheet, GREEN) == 80 * 160


def test_enlarged_labels_stay_crisp():
    labels = np.zeros((2, 2, 3), np.uint8)
    labels[0, 0] = RED
    sheet = contact_sheet([[labels]], cell_width=60)
    assert {tuple(c) for c in sheet.reshape(-1, 3)} == {(255, 255, 255), (0, 0, 0), RED}


def test_text_makes_room_for_itself():
    rows = [[plain(RED)], [plain(GREEN)]]
    bare = contact_sheet(rows, cell_width=120)
    titled = contact_sheet(rows, titles=["image"], cell_width=120)
    captioned = contact_sheet(rows, captions=["first"], cell_width=120)
    legend = contact_sheet(rows, legend=[("cat", (0, 0, 255))], cell_width=120)
    for sheet in (titled, captioned, legend):
        assert sheet.shape[0] > bare.shape[0] and sheet.shape[1] == bare.shape[1]
        assert count(sheet, RED) == count(bare, RED)
        assert (sheet < 120).all(axis=2).any()  # ink
    assert count(legend, (0, 0, 255)) > 30


def test_long_texts_stay_on_the_sheet():
    long = "a very long title " * 20
    sheet = contact_sheet(
        [[plain(RED), plain(RED)]], titles=[long], captions=[long], legend=[(long, GREEN)] * 3
    )
    right = contact_sheet([[plain(RED), plain(RED)]]).shape[1]
    assert sheet.shape[1] == right
    assert (sheet[:, -10:] == 255).all()


def test_legend_breaks_into_lines():
    legend = [(f"class {i}", PALETTE[i]) for i in range(1, 21)]
    one, many = (contact_sheet([[plain(RED)]], legend=legend[:n], cell_width=200) for n in (1, 20))
    assert many.shape[0] > one.shape[0] + 40 and many.shape[1] == one.shape[1]
    for _, colour in legend:
        assert count(many, colour) > 0


def test_same_input_same_bytes():
    sheets = [contact_sheet([[plain(RED)]], titles=["a"], captions=["b"]) for _ in range(2)]
    assert sheets[0].tobytes() == sheets[1].tobytes()


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "at least one"),
        ([[]], {}, "at least one"),
        ([[np.zeros((3, 3), np.uint8)]], {}, "expected uint8"),
        ([[np.zeros((3, 3, 3))]], {}, "expected uint8"),
        ([[plain(RED)]], {"titles": ["a", "b"]}, "2 titles for 1"),
        ([[plain(RED)]], {"captions": ["a", "b"]}, "2 captions for 1"),
    ],
)
def test_bad_sheets_are_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet(rows, **options)


def test_strokes_grow_more_for_smaller_pictures():
    assert stroke_growth((300, 400)) == 2
    assert stroke_growth((300, 400), 104) == 4
    assert stroke_growth((300, 400), 416) == 1


def test_a_sheet_has_headings_notes_and_scales():
    grey = np.full((30, 40, 3), 128, np.uint8)
    rows = [[grey, grey], [grey, grey]]
    bare = contact_sheet(rows, cell_width=120)
    headed = contact_sheet(rows, headings=["", "second"], cell_width=120)
    noted = contact_sheet(rows, notes=[["", "note"]], cell_width=120)
    scaled = contact_sheet(rows, scales=[("probability", INFERNO)], cell_width=120)
    for sheet in (headed, noted, scaled):
        assert sheet.shape[0] > bare.shape[0] and sheet.shape[1] == bare.shape[1]
        assert count(sheet, (128, 128, 128)) >= 4 * 120 * 90
    (top_row,) = np.nonzero((noted[: noted.shape[0] // 2] < 120).all(axis=2).any(axis=0))
    assert top_row.min() > noted.shape[1] / 2  # the note is above the second cell only
    ends = [np.argwhere((scaled == INFERNO[k]).all(axis=2)) for k in (0, -1)]
    assert ends[0][:, 1].max() < ends[1][:, 1].min() < scaled.shape[1] / 2
    assert ends[1][:, 0].min() > bare.shape[0] - 20


def test_captions_of_cells_stop_before_the_notes():
    grey = np.full((30, 100, 3), 200, np.uint8)
    long = "a caption that is much too long for it"
    rows, options = [[grey, grey]], {"cell_width": 100}
    one = contact_sheet(rows, captions=[[long, ""]], **options)
    right = contact_sheet(rows, captions=[["", long]], **options)
    middle = one.shape[1] // 2
    assert (one[:, middle:] >= 200).all() and (one[:, :middle] < 120).any()
    assert (right[:, :middle] >= 200).all() and (right[:, middle:] < 120).any()
    both = contact_sheet(rows, captions=[[long, ""]], notes=[["99.9 %"]], **options)
    only_note = contact_sheet(rows, notes=[["99.9 %"]], **options)
    ink = np.nonzero((only_note < 120).all(axis=2).any(axis=0))[0].min()
    assert ink < middle
    assert np.array_equal(both[:, ink - 3 :], only_note[:, ink - 3 :])  # nothing overlaps
    assert (both[:, : ink - 3] < 120).any()
    with pytest.raises(ValueError, match="3 notes for 2 cells"):
        contact_sheet(rows, notes=[["a", "b", "c"]])
    with pytest.raises(ValueError, match="2 headings for 1 rows"):
        contact_sheet(rows, headings=["a", "b"])


def test_pictures_side_by_side_are_aligned_at_the_top():
    low, high = np.zeros((2, 3, 3), np.uint8), np.full((5, 4, 3), 9, np.uint8)
    joined = side_by_side([low, high])
    assert joined.shape == (5, 3 + 8 + 4, 3)
    assert (joined[:2, :3] == 0).all() and (joined[2:, :3] == 255).all()
    assert (joined[:, 3:11] == 255).all() and (joined[:, 11:] == 9).all()
