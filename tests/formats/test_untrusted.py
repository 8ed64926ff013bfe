"""What SECURITY.md promises about files of others."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from builders import png_that_claims

from wsstools.errors import DataError
from wsstools.formats.annotations.detection import decode_annotation
from wsstools.formats.filter_weights.network_files import read_first_convolution
from wsstools.formats.image_files import decode_image
from wsstools.formats.label_files import decode_labels
from wsstools.formats.map_files import decode_map
from wsstools.running.settings import Selection
from wsstools.steps.scribbles import _open_source

DOCTYPE = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
TOO_MANY = 30_000  # pixels in a row and in a column


class Command:
    """An object whose pickle asks for a command to be run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch '{self.trace}'",)


def npy_of_objects(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([value], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def test_the_command_would_run_if_it_were_loaded(tmp_path):
    pickle.loads(pickle.dumps(Command(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


def test_no_pickle_in_an_array_is_run(tmp_path):
    trace = tmp_path / "trace"
    data = npy_of_objects(Command(trace))
    with pytest.raises(DataError, match=r"a\.npy"):
        decode_map(data, "a.npy")
    with pytest.raises(DataError, match=r"a\.npy"):
        decode_annotation(data, "a.npy", form="napari")
    buffer = io.BytesIO()
    np.savez(buffer, probs=np.array([Command(trace)], dtype=object))
    with pytest.raises(DataError, match=r"a\.npz"):
        decode_map(buffer.getvalue(), "a.npz")
    for name, content in (("w.npy", data), ("w.npz", buffer.getvalue())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            read_first_convolution(tmp_path / name)
    assert not trace.exists()


def test_no_pickle_in_a_network_is_run(tmp_path):
    torch = pytest.importorskip("torch")
    from wsstools.nn.models.model_files import decode_checkpoint, decode_model

    trace = tmp_path / "trace"
    path = tmp_path / "w.pth"
    torch.save({"header": Command(trace), "state": {}}, path)
    for load in (decode_model, decode_checkpoint):
        with pytest.raises(DataError):
            load(path.read_bytes())
    with pytest.raises(DataError, match=r"w\.pth"):
        read_first_convolution(path)
    assert not trace.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("root", ["annotation", "annotations"])
def test_xml_with_a_document_type_is_refused(root, encoding):
    data = f"{DOCTYPE}<{root}>&x;</{root}>".encode(encoding)
    with pytest.raises(DataError, match="document type"):
        decode_annotation(data, "a.xml")


@pytest.mark.parametrize("name", ["../../up.png", "/etc/up.png", "..\\..\\up.png", "C:\\up.png"])
def test_the_name_of_an_image_leads_to_no_folder(name, tmp_path):
    shape = '<polyline label="a" points="1,1;5,5"/>'
    text = f'<annotations><image name="{name}" width="9" height="9">{shape}</image></annotations>'
    (tmp_path / "a.xml").write_text(text)
    assert _open_source(str(tmp_path / "a.xml"), None, Selection()).stems == ["up"]


@pytest.mark.parametrize("decode", [decode_image, decode_labels])
def test_a_picture_of_too_many_pixels_is_refused(decode):
    with pytest.raises(DataError, match=r"a\.png.* 178,956,970"):
        decode(png_that_claims(TOO_MANY, TOO_MANY), "a.png")


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((2, 1000, 1000), "claims 8000000 bytes, the file holds"),
        ((2, TOO_MANY, TOO_MANY), "expected at most 178,956,970"),
        ((1000, 2000, 2000), "4,000,000,000 probabilities, expected at most 2,147,483,648"),
    ],
)
def test_a_map_that_claims_too_much_is_refused(shape, told):
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, claim)
    with pytest.raises(DataError, match=told):
        decode_map(header.getvalue() + bytes(1000), "a.npy")


def test_a_tiff_that_cannot_be_read_is_refused_by_name():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((8, 8), np.uint8), compression="deflate")
    with pytest.raises(DataError, match=r"a\.tif"):
        decode_labels(buffer.getvalue()[:-20], "a.tif")
