"""What exported networks say of themselves, read without the packages that run them."""

from __future__ import annotations

import io
import zipfile

import pytest

from wsstools.errors import DataError
from wsstools.formats.exported_files import read_meta, read_texts


def varint(value):
    found = bytearray()
    while value > 127:
        found.append(128 | value & 127)
        value >>= 7
    return bytes([*found, value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def entry(key, value):
    return field(14, field(1, key.encode()) + field(2, value.encode()))


MODEL = varint(1 << 3) + varint(300) + field(7, b"\xff" * 200) + entry("a", "1\n2") + entry("ü", "")
"""A number (ir_version), a graph, and two texts."""


def test_texts_of_an_onnx_file(tmp_path):
    (tmp_path / "a.onnx").write_bytes(MODEL + varint(20 << 3 | 5) + b"1234")
    assert read_texts(tmp_path / "a.onnx") == {"a": "1\n2", "ü": ""}
    assert read_meta(tmp_path / "a.onnx") is None


FIELDS = [varint(1 << 3) + varint(300), field(7, b"\xff" * 200), entry("a", "1\n2")]
ENDS = {len(b"".join(FIELDS[:n])): n for n in range(4)}
"""Bytes after which a field ends, and how many there are then."""


@pytest.mark.parametrize("end", range(len(MODEL)))
def test_a_part_of_an_onnx_file_is_refused_but_where_a_field_ends(tmp_path, end):
    path = tmp_path / "a.onnx"
    path.write_bytes(MODEL[:end])
    if end in ENDS:
        assert read_texts(path) == ({"a": "1\n2"} if ENDS[end] == 3 else {})
    else:
        with pytest.raises(DataError, match=r"a\.onnx: not a readable network: "):
            read_texts(path)


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, varint(7 << 3 | 3) + b"0", entry("a", "")[:1] + b"\x03\x0a\x01\xff"]
)
def test_other_bytes_are_refused(tmp_path, data):
    (tmp_path / "a.onnx").write_bytes(data)
    with pytest.raises(DataError, match="not a readable network"):
        read_texts(tmp_path / "a.onnx")
    assert read_meta(tmp_path / "a.onnx") is None


def test_texts_of_an_archive(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("any/extra/classes", "a\nb")
        archive.writestr("any/models/model.json", "{}")
    (tmp_path / "a.pt2").write_bytes(buffer.getvalue())
    assert read_texts(tmp_path / "a.pt2") == {"classes": "a\nb"}
    (tmp_path / "a.pt2").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(DataError, match="not a readable network"):
        read_texts(tmp_path / "a.pt2")
