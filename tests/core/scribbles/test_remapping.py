"""Class ids that replace others."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.scribbles.remapping import CITYSCAPES, Remapping, parse_remapping, remapped


def test_ids_that_are_not_named_stay():
    remapping = parse_remapping("255=1, 7=0,3=255")
    assert remapping == Remapping(((3, 255), (7, 0), (255, 1)))
    labels = np.array([[0, 3, 7], [9, 255, 3]], np.uint8)
    assert remapped(labels, remapping).tolist() == [[0, 255, 0], [9, 1, 255]]


def test_ids_change_at_once():
    assert remapped(np.array([1, 2, 3]), parse_remapping("1=2,2=1")).tolist() == [2, 1, 3]


def test_others_are_all_that_are_not_named_but_the_unlabelled():
    labels = np.array([0, 5, 40000, 255])
    assert remapped(labels, parse_remapping("5=1,others=255")).tolist() == [255, 1, 255, 255]
    assert remapped(labels, parse_remapping("255=2,others=0")).tolist() == [0, 0, 0, 2]


def test_lines_may_hold_pairs():
    text = "# ADE20K\n0 255\n\n1 0\n others\t255\n"
    assert parse_remapping(text) == Remapping(((0, 255), (1, 0)), 255)
    assert parse_remapping(str(parse_remapping(text))) == parse_remapping(text)


def test_ids_of_cityscapes_become_train_ids():
    """Some of the table in cityscapesScripts: road, traffic light, bicycle, ego vehicle, caravan."""
    labels = np.array([7, 19, 33, 1, 29, 255])
    assert remapped(labels, parse_remapping(CITYSCAPES)).tolist() == [0, 6, 18, 255, 255, 255]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class id is named"),
        ("cat=1", "'cat=1': expected OLD=NEW"),
        ("1=cat", "expected OLD=NEW"),
        ("1=2=3", "expected OLD=NEW"),
        ("-1=2", "expected OLD=NEW"),
        ("1=256", "a new id of at most 255"),
        ("9999999999=1", "a new id of at most 255"),
        ("1=2,01=3", "1 becomes 2 already"),
    ],
)
def test_what_is_no_remapping(text, message):
    with pytest.raises(ValueError, match=message):
        parse_remapping(text)
