"""Lists of classes: ids are never shifted."""

from __future__ import annotations

import pytest

from wsstools.errors import DataError
from wsstools.formats.label_files import read_class_names


def names_of(tmp_path, text):
    path = tmp_path / "classes.txt"
    path.write_bytes(text.encode())
    return read_class_names(path)


@pytest.mark.parametrize(
    "text",
    ["sky\nroad\n", "sky\r\nroad\r\n\r\n", "\ufeffsky\nroad", " sky\nroad\t\n\n", "sky\rroad\r",
     "__ignore__\nsky\nroad\n"],
)  # fmt: skip
def test_a_name_per_line(tmp_path, text):
    assert names_of(tmp_path, text) == ["sky", "road"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# classes\nsky\n", "class 0 is a comment"),
        ("sky\n\nroad\n", "class 1 is empty"),
        ("thing\nthing\nunused\n", "class 1 is 'thing', as that of class 0"),
        ("sky\nro\x0cad\n", "class 1 holds control characters"),
        ("sky\n__ignore__\nroad\n", "class 1 is __ignore__, which is no class"),
        ("", "0 class names"),
    ],
)
def test_what_would_shift_ids_is_refused(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        names_of(tmp_path, text)
