"""Damaged and hostile files: a reader gives what it promises, or says in one line what is wrong.

It runs nothing that a file holds, and takes no memory because a file claims it.

`WSS_FUZZ=1000 pytest tests/formats/test_damaged_files.py -s` tries a thousand files a reader instead of a few, other
ones each time, and prints a table.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pickle
import re
import resource
import struct
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from builders import (
    CVAT,
    FROM_ONNX,
    TRIANGLE,
    by_pillow,
    caffemodel,
    coco,
    davis,
    draw_image,
    geojson,
    label_studio,
    labelme,
    noisy_map,
    npy,
    npy_that_claims,
    npz,
    png_chunk,
    png_in_base64,
    png_of_16_bits,
    png_that_claims,
    polygon,
    region,
    sbd,
    scribblesup,
    shape,
    tiff,
    via,
    via_region,
    zipped,
)
from builders import SHAPE as CVAT_SHAPE
from damaging import damaged
from PIL import Image

from wsstools.core.scribbles.annotation import draw_annotation
from wsstools.core.scribbles.colours import parse_colours
from wsstools.errors import DataError, UsageError, one_line
from wsstools.files.provenance import parse_record
from wsstools.formats import label_files, map_files, nnunet_files, parameter_files, volume_files
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.colour_pictures import decode_colours
from wsstools.formats.filter_weights.network_files import read_first_convolution
from wsstools.formats.image_files import decode_image, encode_image
from wsstools.formats.studies.folders import read_study
from wsstools.formats.studies.results import decode_study
from wsstools.formats.studies.scores import read_scores
from wsstools.formats.training_log import TrainingLog
from wsstools.running.settings import read_ids

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, Phase, example, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

EXAMPLES = int(os.environ.get("WSS_FUZZ", "0"))
LONGEST = 30  # seconds of the processor for a file, however busy it is
MOST_MEMORY = 1.5e9  # bytes that the process may grow by
SHAPE = (20, 30)
RECORD = {
    "kind": "prob", "stem": "x", "step": "test", "version": "1", "options": {"x": 1},
    "inputs": [{"role": "image", "name": "x.png", "blake2b": "00"}],
}  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """How files of a kind are read.

    `read` takes a path, reads the file and checks what it gives; `known` are files that it once
    stumbled over; `refused` are files that it must not read, and words of what it says of them.
    """

    read: Callable[[Path], object]
    files: Callable[[], Sequence[bytes]]
    suffix: str = ""
    known: Callable[[], Sequence[bytes]] = field(default=list)
    refused: Callable[[], Sequence[tuple[bytes, str]]] = field(default=list)
    refuses: bool = True
    examples: int = 60


# --- What is read, and what it must be then


def image(path: Path) -> None:
    found = decode_image(path.read_bytes(), str(path)).value
    assert found.ndim == 3 and found.shape[2] == 3 and found.size
    assert found.dtype == np.uint8 or (found.dtype == np.float32 and np.ptp(found) <= 255)
    assert found.min() >= 0 and found.max() <= 255


def labels(path: Path) -> None:
    found = label_files.decode_labels(path.read_bytes(), str(path)).value
    assert found.ndim == 2 and found.dtype == np.uint8


def record(path: Path) -> None:
    for read_meta in (label_files.read_meta, map_files.read_meta, parameter_files.read_meta):
        meta = read_meta(path)
        assert meta is None or parse_record(json.dumps(meta)) == meta


def probability_map(path: Path) -> None:
    found = map_files.decode_map(path.read_bytes(), str(path)).value
    assert found.probs.shape[0] == len(found.classes) and found.probs.dtype == np.float32
    assert np.abs(found.probs.sum(axis=0) - 1).max() < 1e-4 and found.probs.min() >= 0
    assert found.classes[0] >= 0 and found.classes[-1] < found.n_classes


def volume(path: Path) -> None:
    found = volume_files.decode_volume(path.read_bytes(), str(path)).value
    assert found.values.ndim in (3, 4) and found.values.size
    assert found.values.dtype.kind in "iubf"
    meta = volume_files.read_meta(path)
    assert meta is None or parse_record(json.dumps(meta)) == meta


def map_of_volume(path: Path) -> None:
    found = volume_files.decode_maps(path.read_bytes(), str(path)).value.values
    assert found.ndim == 4 and found.dtype.kind == "f"
    volume_files.holds_maps(path)


def data_set(path: Path) -> None:
    found = nnunet_files.read_label_names(path)
    assert found.ignore is None or type(found.ignore) is int
    assert found.names is None or all(isinstance(name, str) for name in found.names)


def convolution(path: Path) -> None:
    found = read_first_convolution(path)
    assert found.weights.ndim == 4 and found.weights.shape[1] == 3 and found.weights.size
    assert found.weights.dtype == np.float32 and np.isfinite(found.weights).all()
    assert found.bias is None or found.bias.shape == (len(found.weights),)


def annotation(path: Path, form: str | None = None) -> None:
    check_drawn(path.read_bytes(), str(path), form)


def check_drawn(data: bytes, name: str, form: str | None) -> None:
    found = detection.decode_annotation(data, name, form=form).value
    names = {mark.name: 1 for mark in found.marks}
    size = found.shape or SHAPE
    if size[0] * size[1] < 10**6:  # those of millions of pixels are drawn as well, but slowly
        assert draw_annotation(found, names, size).shape == size


def cvat_images(path: Path) -> None:
    several_images(path, "cvat")


def several_images(path: Path, form: str | None = None) -> None:
    parts = detection.unpack(path, form).parts
    if parts is None:
        check_drawn(path.read_bytes(), str(path), form)
    else:
        for stem, data in parts:
            check_drawn(data, f"{path} ({stem})", form)


def colour_picture(path: Path) -> None:
    table = parse_colours("a #000000\nb #ffffff\nc 101 102 103")
    found = decode_colours(path.read_bytes(), str(path), table).value
    assert draw_annotation(found, {"a": 0, "b": 1, "c": 2}, found.shape).shape == found.shape


def class_names(path: Path) -> None:
    names = label_files.read_class_names(path)
    assert 1 <= len(names) <= 255 and not any("\n" in name for name in names)


def params(path: Path) -> None:
    from wsstools.steps.regularize import parameters, read_settings

    found = parameters(read_settings(str(path)))
    numbers = [value for value in found.values() if isinstance(value, (int, float))]
    assert np.isfinite(numbers).all()


def scores(path: Path) -> None:
    for given_row in read_scores(str(path)):
        assert given_row.miou is not None and 0 <= given_row.miou <= 1
        assert given_row.printed_reduction is None or np.isfinite(given_row.printed_reduction)


def study_folders(path: Path) -> None:
    for folders in read_study(str(path)).values():
        assert all(key.name and all(folders) for key, folders in folders.items())


def study(path: Path) -> None:
    from wsstools.view.report.page import report_page
    from wsstools.view.report.sheets import Sheets, sheet_plans

    found = decode_study(path.read_bytes(), str(path))
    assert report_page(found, Sheets(sheet_plans(found, 1)), title="x").encode()


def train_log(path: Path) -> None:
    TrainingLog(path, 2).close()
    lines = path.read_text().splitlines()
    assert lines[0].startswith("iteration,") and all(
        int(line.split(",")[0]) <= 2 for line in lines[1:]
    )


def model(path: Path) -> None:
    from wsstools.errors import naming
    from wsstools.nn.models.model_files import read_model_header

    with naming(path):
        header = read_model_header(path.read_bytes())
    assert len(header["class_names"]) == header["n_classes"] and isinstance(header["meta"], str)


def checkpoint(path: Path) -> None:
    from wsstools.errors import naming
    from wsstools.nn.models.model_files import decode_checkpoint

    with naming(path):
        found = decode_checkpoint(path.read_bytes())
    assert isinstance(found["run"], dict) and isinstance(found["iteration"], int)


def initial_state(path: Path) -> None:
    import torch

    from wsstools.errors import naming
    from wsstools.nn.models.initial import read_state

    with naming(path):
        found = read_state(path.read_bytes())
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


# --- Valid files


def small() -> tuple[np.ndarray, np.ndarray]:
    """An image and its labels, of 20 x 30 pixels."""
    values, found, _ = draw_image(0)
    return values[: SHAPE[0], : SHAPE[1]], found[: SHAPE[0], : SHAPE[1]]


@cache
def images() -> list[bytes]:
    values, _ = small()
    picture, exif = Image.fromarray(values), Image.Exif()
    exif[0x0112] = 6
    wide = values.astype(np.uint16) * 257
    return [
        encode_image(values),
        by_pillow(picture, "JPEG", exif=exif),
        by_pillow(picture.convert("CMYK"), "JPEG"),
        by_pillow(picture, "JPEG", progressive=True),
        png_of_16_bits(wide),
        by_pillow(Image.fromarray(wide[:, :, 0]), "PNG", exif=exif),
        by_pillow(picture.quantize(16), "PNG", transparency=bytes(range(16))),
        by_pillow(picture.convert("LA"), "PNG"),
        tiff(values, photometric="rgb", compression="zlib"),
        tiff(wide[:, :, 0]),
        tiff(values.astype(np.float32) / 255, photometric="rgb", compression="zlib"),
        tiff(np.stack([values] * 2), photometric="rgb"),
        tiff(np.moveaxis(values, -1, 0), imagej=True, metadata={"axes": "CYX"}),
        tiff(
            np.moveaxis(values, -1, 0), ome=True, photometric="minisblack", metadata={"axes": "CYX"}
        ),
        by_pillow(Image.fromarray(wide[:, :, 0]), "TIFF", compression="tiff_lzw"),
        by_pillow(picture.quantize(16), "TIFF", compression="tiff_lzw"),
        by_pillow(picture.quantize(16), "GIF"),
        by_pillow(picture, "BMP"),
        by_pillow(picture, "WEBP"),
        by_pillow(picture, "PPM"),
        b"P5 30 20 65535\n" + wide[:, :, 0].astype(">u2").tobytes(),
    ]


@cache
def label_pictures() -> list[bytes]:
    _, found = small()
    picture = Image.fromarray(found)
    return [
        label_files.encode_labels(found, RECORD),
        by_pillow(picture, "PNG"),
        by_pillow(picture.point(lambda value: 255 * value).convert("1"), "PNG"),
        by_pillow(picture, "GIF"),
        by_pillow(picture, "BMP"),
        by_pillow(picture, "PPM"),
        b"P2\n# few\n30 20 3\n" + b" ".join(b"%d" % min(v, 3) for v in found.ravel()),
        by_pillow(np.dstack([found] * 3), "PNG"),
        tiff(np.dstack([found] * 3), photometric="rgb"),
        tiff(found),
        tiff(found, compression="zlib", predictor=True),
    ]


@cache
def colour_pictures() -> list[bytes]:
    picture = Image.fromarray(
        np.array([[0] * 3, [255] * 3, [0] * 3, [101, 102, 103]], np.uint8)[small()[1]]
    )
    return [
        by_pillow(picture, "PNG"),
        by_pillow(picture.quantize(8), "PNG"),
        by_pillow(picture.convert("RGBA"), "PNG"),
        by_pillow(picture, "BMP"),
        tiff(np.asarray(picture), photometric="rgb", compression="zlib"),
    ]


@cache
def maps() -> list[bytes]:
    found = noisy_map(small()[1], 0)
    return [
        map_files.encode_map(found, RECORD),
        npz(probabilities=found.dense()),
        npy(found.dense().astype(np.float64)),
    ]


@cache
def volumes() -> list[bytes]:
    nibabel = pytest.importorskip("nibabel")
    values = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
    plain = nibabel.Nifti1Image(values, np.diag([-1, 2, 3, 1])).to_bytes()
    labels = values.astype(np.uint8).transpose()
    return [
        plain,
        gzip.compress(plain),
        nibabel.Nifti2Image(values.astype(np.float32), np.eye(4)).to_bytes(),
        volume_files.encode_labels_like(labels, plain, "x", RECORD),
        tiff(values.astype(np.uint16), photometric="minisblack"),
    ]


def maps_of_volumes() -> list[bytes]:
    probs = np.full((2, 3, 4, 5), 0.5, np.float16)
    return [npz(softmax=probs), npy(probs), volume_files.encode_maps(probs, RECORD)]


WEIGHTS = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)


def torch_files(**contents: object) -> list[bytes]:
    import torch

    files = []
    for content in contents.values():
        for is_zip in (True, False):
            file = io.BytesIO()
            torch.save(content, file, _use_new_zipfile_serialization=is_zip)
            files.append(file.getvalue())
    return files


def state_dicts() -> list[bytes]:
    import torch

    return torch_files(
        state={"conv1.weight": torch.tensor(WEIGHTS), "conv1.bias": torch.tensor(BIAS)}
    )


def model_files() -> list[bytes]:
    import torch

    from wsstools.nn.models.model_files import encode_model

    state = {"a": torch.zeros(2, 3)}
    return [encode_model("deeplabv2-mobilenetv2", 2, ["sky", "b"], state, json.dumps(RECORD))]


def checkpoints() -> list[bytes]:
    import torch

    from wsstools.nn.models.model_files import encode_checkpoint

    state = {"a": torch.zeros(2, 3)}
    run = {"record": "0123", "seed": 3}
    return [
        encode_checkpoint(
            {"run": run, "iteration": 3, "network": state, "momentum": {"0": state["a"]}}
        )
    ]


def xml_files() -> list[bytes]:
    whole = scribblesup(
        polygon("plane", (2, 3), (10, 12.5), (40, -3)), polygon("bike", (5, 5)), polygon("sky"),
        size=SHAPE,
    )  # fmt: skip
    return [
        whole.encode(),
        whole.encode("utf-16"),
        scribblesup(polygon("a", (1, 1)), size=None).encode(),
    ]


def labelme_files() -> list[bytes]:
    mask = shape("water", "mask", [[2, 3], [8, 9]], mask=png_in_base64(np.eye(7)))
    return [
        labelme(
            shape("sky", "linestrip", [[1, 2], [10, 12], [25.5, 3]]), mask,
            shape("grass", "polygon", [[1, 1], [10, 1], [5, 15]]),
            shape("grass", "rectangle", [[1, 1], [10, 8]]), size=SHAPE,
        ).encode(),
    ]  # fmt: skip


def packed_coco() -> bytes:
    packed = {"size": [6, 8], "counts": "=33000009NE"}
    return coco(
        images=[{"id": 1, "file_name": "a.jpg", "height": 6, "width": 8}],
        annotations=[{"image_id": 1, "category_id": 5, "segmentation": packed}],
    ).encode()


def label_studio_files() -> list[bytes]:
    rle = [0, 0, 0, 192, 57, 27, 254, 39, 0, 191, 255, 124, 2, 255, 253, 240, 11, 255, 248, 140, 2,
           63, 252, 62, 0]  # fmt: skip
    small_ = {"original_height": 6, "original_width": 8}
    brush = region("brush", "water", {"format": "rle", "rle": rle}) | small_
    box = {"x": 10, "y": 20, "width": 30, "height": 5, "rotation": 30}
    return [
        label_studio(("a.jpg", [brush])).encode(),
        label_studio(
            ("/data/upload/1/0a1b2c3d-a.jpg", [region("rectangle", "sky", box)]),
            ("b.jpg", [region("polygon", "sky", {"points": TRIANGLE})]),
        ).encode(),
    ]


def via_files() -> list[bytes]:
    regions = [
        via_region({"a": "sky"}, "polygon", all_points_x=[1, 9, 5], all_points_y=[1, 2, 15]),
        via_region({"a": {"sky": True}}, "ellipse", cx=9, cy=8, rx=5, ry=3, theta=0.5),
        via_region({"a": "sky"}, "rect", x=1, y=2, width=5, height=7),
    ]
    return [via(*regions).encode()]


def cvat_files() -> list[bytes]:
    first = CVAT[CVAT.index("  <image id") : CVAT.index('  <image id="1"')]
    return [CVAT.encode(), first.replace("set/one", "x").encode()]


def texts(*whole: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in whole]


STUDY = json.dumps(
    {
        "rows": [
            {
                "group": "net", "name": name, "gap": 0.1, "reduction": 0.5,
                "reduction_interval": [0.25, None], "reduction_seeds": 3, "miou": 0.6,
                "val": {"miou": 0.6, "std": None, "interval": [0.5, 0.7], "iou": {"sky": 0.5, "b": 1}},
                "pfa": None, "train": {"miou": 0.7, "iou": {}}, "printed_reduction": 0.4,
                "bands": {"3": {"miou": 0.5, "iou": {"1": 0.5}}},
                "slip": {"computed": 0.5, "possible": [0.4, 0.6]}, "source": "a table",
            }
            for name in ("full", "baseline", "local", "combined")
        ],
        "differences": [
            {
                "group": "net", "name": "local", "against": {"group": "net", "name": "combined"},
                "difference": 0.1, "interval": [0.0, 0.2], "better_share": 0.9, "interval_seeds": 3,
            }
        ],
        "classes": ["sky", "b"],
        "images": {"val": ["a", "b"]},
        "bootstrap": {
            "resamples": 50, "seed": 0, "level": 0.95, "val_clusters": 2, "train_clusters": None,
            "seeds": [1, 3],
        },
        "bands": {"widths": [3]},
        "labels": [
            {
                "group": "net", "name": name,
                "val": [
                    {
                        "folder": name,
                        "images": {
                            "a": {"miou": 0.5, "pixel_accuracy": share},
                            "b": {"miou": None, "pixel_accuracy": 0.4},
                        },
                        "first": {"file": "a.png", "what": "labels", "facts": {"size": "2 x 2"}, "meta": RECORD},
                    }
                ],
                "pfa": [], "train": [],
            }
            for name, share in (("full", 0.9), ("baseline", 0.5), ("local", 0.7), ("combined", 0.8))
        ],
    }
)  # fmt: skip


def tiff_traps() -> list[bytes]:
    """Directories in a circle, and a picture of zeros that are not even there."""
    whole = tiff(small()[1])
    (start,) = struct.unpack("<I", whole[4:8])
    (count,) = struct.unpack("<H", whole[start : start + 2])
    place = start + 2 + 12 * count
    return [whole[:place] + struct.pack("<I", start) + whole[place + 4 :]]


def labelme_traps() -> list[bytes]:
    """Numbers that no float holds, a picture of all memory there is, a mask that unpacks to it."""
    huge = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2**20, 2**20, 8, 0, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + huge + png_chunk(b"IEND", b"")
    mask = shape("b", "mask", [[0, 0], [9, 9]], mask=base64.b64encode(png).decode())
    return [
        labelme(shape("a", "line", [[10**400, 1], [2, 3]]), size=SHAPE).encode(),
        labelme(shape("a", "polygon", [[0, 0], [9e9, 0], [0, 9e9]]), size=(10**9, 10**9)).encode(),
        labelme(mask, size=SHAPE).encode(),
        b"[" * 100_000,
    ]


def cvat_traps() -> list[bytes]:
    """Elements too deep to be written again, and an image of all memory there is."""
    deep = "<attribute>" * 5000 + "</attribute>" * 5000
    return [
        CVAT.replace("<tag label", f"<tag>{deep}</tag><tag label").encode(),
        CVAT.replace(f'width="{CVAT_SHAPE[1]}"', 'width="1e300"').encode(),
        CVAT.replace('rle="2, 3', 'rle="99999999999999, 3').encode(),
    ]


def map_traps() -> list[bytes]:
    """Arrays that claim more than there is, a count of classes that is none, NaNs that signal."""
    dense = noisy_map(small()[1], 0).dense()
    signalling = dense.astype("<f8").view("<u8")
    signalling[0, 0, 0] = 0x7FF0000000000001
    return [
        npz(probs=dense[:2], classes=np.array([0, 1]), n_classes=np.array(10**12)),
        npz(probs=dense[:2], classes=np.array([0, 1]), n_classes=np.array([2, 2])),
        npz(probs=np.full((2, 3, 4), 1e300), classes=np.array([0, 1]), n_classes=np.array(2)),
        npy(signalling.view("<f8")),
    ]


def sbd_traps() -> list[bytes]:
    """A length that made another reader leave its memory."""
    whole = sbd_uncompressed()
    return [
        whole[:place] + struct.pack("<I", number) + whole[place + 4 :]
        for place in range(128, 260, 4)
        for number in (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)
    ]


def model_traps() -> list[bytes]:
    """Headers of other types, and a model that is compressed."""
    import torch

    (whole,) = model_files()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        pieces = [(name.encode(), archive.read(name)) for name in archive.namelist()]
    header = {
        "format": "wsstools model",
        "version": 1,
        "meta": "{}",
        "arch": "deeplabv2-mobilenetv2",
    }
    levels = b"".join(b"h%ch%c\x86q%c" % (k, k, k + 1) for k in range(60))
    key = b"\x80\x02)q\x00" + levels + b"}h" + bytes([60]) + b"K\x01s."  # it takes years to look up
    traps = [(name, key if name.endswith(b"data.pkl") else content) for name, content in pieces]
    found = [zipped(pieces), zipped(traps, zipfile.ZIP_STORED)]
    for n_classes, names in (
        (10**9, ["a"]),
        ("2", ["a", "b"]),
        (2, "ab"),
        (2, [1, 2]),
        (True, ["a"]),
    ):
        file = io.BytesIO()
        text = json.dumps({**header, "n_classes": n_classes, "class_names": names})
        torch.save({"header": text, "state": {}}, file)
        found.append(file.getvalue())
    return found


def study_traps() -> list[bytes]:
    """A class whose number is too long to be read, half a character, depth."""
    return [
        STUDY.replace('"iou": {"1"', f'"iou": {{"{"9" * 5000}"').encode(),
        STUDY.replace('"sky", "b"]', '"\\ud800", "b"]').encode(),
        STUDY.replace('"min_prob"', '"x"')
        .replace('"source": "a table"', '"source": ' + "[" * 900 + "]" * 900)
        .encode(),
    ]


def sbd_uncompressed() -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {"GTcls": {"Segmentation": small()[1]}})
    return file.getvalue()


# --- What must be refused

DOCTYPE = (
    '<!DOCTYPE annotation [<!ENTITY w "yyyyyyyy"><!ENTITY z "&w;&w;">'
    '<!ENTITY x SYSTEM "file:///etc/hostname">]>'
)
TOO_MANY = 30_000  # pixels in a row and in a column
NONSENSE = [(b"", ""), (b"\x93no picture, no map and no weights at all", "")]


class Command:
    """An object whose pickle asks for a command to be run."""

    def __reduce__(self):
        return os.system, ("touch trace",)


def pickled_array() -> list[tuple[bytes, str]]:
    return [(npy(np.array([Command()], object)), "")]


def pickled_state() -> list[tuple[bytes, str]]:
    return [(data, "") for data in torch_files(state={"header": Command(), "state": {}})]


def refused_pictures() -> list[tuple[bytes, str]]:
    return [(png_that_claims(TOO_MANY, TOO_MANY), " 178,956,970"), *NONSENSE]


def refused_maps() -> list[tuple[bytes, str]]:
    dense = noisy_map(small()[1], 0).dense()
    whole = maps()[0]
    claims = [
        ((2, 1000, 1000), "claims 8000000 bytes, the file holds"),
        ((2, TOO_MANY, TOO_MANY), "pixels, expected at most 178,956,970"),
        ((1000, 2000, 2000), "4,000,000,000 probabilities, expected at most 2,147,483,648"),
    ]
    return [
        *NONSENSE,
        (whole[: len(whole) // 2], ""),
        (npz(probs=np.where(dense > 0.9, np.nan, dense)), "not finite"),
        (npz(probs=dense - 0.1), "negative"),
        (npz(probs=dense * 1.2), "do not sum to 1"),
        (npz(probs=dense[0]), "expected floats (C, H, W)"),
        (npz(probs=np.ones((1, 3, 3), np.int64)), "expected floats (C, H, W)"),
        (npz(something=dense), "expected one of probs"),
        *pickled_array(),
        (npz(probs=np.array([Command()], object)), "object"),
        (npz(probs=np.array([{"a": 1}], object)), "object"),
        *((npy_that_claims("<f4", shape, 1000), complaint) for shape, complaint in claims),
        *(
            (
                zipped([(b"probs.npy", npy_that_claims("<f4", shape, 100))], zipfile.ZIP_STORED),
                complaint,
            )
            for shape, complaint in claims
        ),
    ]


def with_document_type(*roots: str) -> Callable[[], list[tuple[bytes, str]]]:
    return lambda: [
        (f"{DOCTYPE}<{root}>&x;&z;</{root}>".encode(encoding), "document type")
        for root in roots
        for encoding in ("utf-8", "utf-8-sig", "utf-16")
    ]


READERS = {
    "image": Reader(image, images, ".img", refused=refused_pictures, examples=200),
    "labels": Reader(
        labels,
        label_pictures,
        ".png",
        tiff_traps,
        lambda: [
            *refused_pictures(),
            (tiff(np.zeros((8, 8), np.uint8), compression="deflate")[:-20], ""),
        ],
        examples=100,
    ),
    "map": Reader(probability_map, maps, ".npz", map_traps, refused_maps, examples=100),
    "record of a map": Reader(record, maps, ".npz", refuses=False),
    "record of labels": Reader(record, lambda: label_pictures()[:1], ".png", refuses=False),
    "record of parameters": Reader(
        record, texts(json.dumps({"method": "crf", "made_by": RECORD})), ".json", refuses=False
    ),
    "volume": Reader(volume, volumes, ".nii.gz", examples=200),
    "map of a volume": Reader(
        map_of_volume,
        maps_of_volumes,
        ".npz",
        refused=lambda: [
            (npz(probabilities=np.array([Command()], object)), "is object"),
            (zipped([(b"softmax.npy", npy_that_claims("<f2", (9, 9, 10**5, 10**5), 9))]), "810,0"),
        ],
    ),
    "data set of nnU-Net": Reader(
        data_set,
        texts(
            '{"labels": {"background": 0, "a": 1, "ignore": 2}}',
            '{"labels": {"0": "background", "1": "a"}, "modality": {"0": "CT"}}',
            '{"labels": {"background": 0, "both": [1, 2], "one": 2}}',
        ),
        ".json",
        texts("[" * 10**5, '{"labels": {"a": 1e400}}', '{"labels": {"a": true, "ignore": []}}'),
    ),
    "weights npz": Reader(
        convolution,
        lambda: [npz(conv1_W=WEIGHTS, conv1_b=BIAS, stride=np.array(2))],
        ".npz",
        refused=lambda: [(npz(probs=np.array([Command()], object)), ""), *NONSENSE],
    ),
    "weights npy": Reader(
        convolution,
        lambda: [npy(WEIGHTS)],
        ".npy",
        refused=lambda: [*pickled_array(), (npy(np.array({"conv1": Command()})), ""), *NONSENSE],
    ),
    "weights pth": Reader(
        convolution, state_dicts, ".pth", model_traps, lambda: [*pickled_state(), *NONSENSE]
    ),
    "weights onnx": Reader(
        convolution,
        lambda: [FROM_ONNX],
        ".onnx",
        refused=lambda: [(FROM_ONNX[:end], "") for end in (0, 1, 30, 200, len(FROM_ONNX) - 3)],
    ),
    "weights caffemodel": Reader(
        convolution,
        lambda: [caffemodel(WEIGHTS, BIAS, is_old=is_old) for is_old in (True, False)],
        ".caffemodel",
        refused=lambda: NONSENSE,
    ),
    "model": Reader(model, model_files, ".pt", model_traps, pickled_state),
    "checkpoint": Reader(checkpoint, checkpoints, ".checkpoint", refused=pickled_state),
    "initial state": Reader(
        initial_state,
        lambda: [*checkpoints(), *state_dicts()],
        ".pt",
        model_traps,
        pickled_state,
    ),
    "XML": Reader(
        annotation, xml_files, ".xml", refused=with_document_type("annotation", "annotations")
    ),
    "scribblesup": Reader(partial(annotation, form="scribblesup"), xml_files, ".xml"),
    "labelme": Reader(partial(annotation, form="labelme"), labelme_files, ".json", labelme_traps),
    "cvat": Reader(cvat_images, cvat_files, ".xml", cvat_traps, with_document_type("annotations")),
    "coco": Reader(
        partial(several_images, form="coco"),
        lambda: [coco().encode(), packed_coco()],
        ".json",
        lambda: [packed_coco().replace(b"=33", b"ooooooo0")],
    ),
    "label studio": Reader(
        partial(several_images, form="labelstudio"), label_studio_files, ".json"
    ),
    "via": Reader(partial(several_images, form="via"), via_files, ".json"),
    "geojson": Reader(
        partial(annotation, form="geojson"),
        texts(geojson(("a", "Polygon", [TRIANGLE]), ("b", "MultiPoint", TRIANGLE))),
        ".json",
        texts('{"features":' * 3000 + "1" + "}" * 3000),
    ),
    "davis": Reader(
        partial(several_images, form="davis"),
        texts(davis(f0=[(1, [[0, 0.5], [1, 0.25]])], f2=[(0, [[0, 0]])])),
        ".json",
    ),
    "points": Reader(
        partial(several_images, form="points"),
        texts('{"a": [{"x": 1, "y": 2.5, "cls": 3}], "b.jpg": [{"x": 9, "y": 8, "cls": "sky"}]}'),
        ".json",
    ),
    "yolo": Reader(
        partial(annotation, form="yolo"),
        texts("1 0.1 0.1 0.5 0.1 0.4 0.7\n0 0.5 0.5 0.1 0.1\n"),
        ".txt",
        texts("0 nan 0 1 1e300 0 1\n"),
    ),
    "archive": Reader(
        several_images,
        lambda: [
            zipped([(b"annotations.xml", CVAT.encode()), (b"a.jpg", b"x")]),
            zipped([(b"a.json", labelme(shape("a", "point", [[1, 1]])).encode())]),
        ],
        ".zip",
        lambda: [zipped([(b"a.json", bytes(10**8))])],
    ),
    "colours": Reader(colour_picture, colour_pictures, ".png"),
    "strokes": Reader(
        annotation,
        texts("# two\n0,4,5,12,6\n3,50,30\n1,2.5,3\n"),
        ".txt",
        texts("0,1,2,1e308,3\n", "0,1e30,1e30,2,3\n", "0,1,2,nan,3\n"),
    ),
    "napari": Reader(
        partial(annotation, form="napari"),
        lambda: [npy(small()[1].astype(np.int32)), tiff(small()[1].astype(np.int32))],
        ".npy",
        refused=pickled_array,
    ),
    "sbd": Reader(
        partial(annotation, form="sbd"),
        lambda: [sbd(small()[1]), sbd_uncompressed()],
        ".mat",
        sbd_traps,
    ),
    "label picture": Reader(partial(annotation, form="picture"), label_pictures, ".png"),
    "classes.txt": Reader(class_names, texts("sky\ngrass\nb c\n\n"), ".txt"),
    "ids": Reader(lambda path: read_ids(str(path)), texts("a\nb c\n2007_000032\n"), ".txt"),
    "parameters": Reader(
        params,
        texts(
            '{"method": "potts", "lambda": 5, "eta": 0.01}',
            '{"method": "crf", "w1": 3, "sigma_alpha": 30.5, "iterations": 5, "made_by": {}}',
        ),
        ".json",
    ),
    "study CSV": Reader(
        study_folders,
        texts('group,name,val,pfa,train\nnet,full,a,,\nnet,baseline,"b,c",d,e\n# x\n,z,f,g,h\n'),
        ".csv",
    ),
    "scores CSV": Reader(
        scores,
        texts(
            "name,miou\nfull,76.8\nbaseline,72.4\n",
            "group,name,miou,pfa,printed_reduction,source\nn,full,0.7,,,x\nn,baseline,0.6,0.5,-70.4,",
        ),
        ".csv",
    ),
    "study JSON": Reader(study, texts(STUDY), ".json", study_traps),
    "log of training": Reader(
        train_log,
        texts("iteration,loss,learning_rate,val_miou\n1,0.5,0.1,\n2,0.4,0.1,0.5\n3,0.3,0.1,\n"),
        ".csv",
        refuses=False,
    ),
}


@dataclass
class Tally:
    read: int = 0
    refused: int = 0
    longest: float = 0.0


@dataclass(frozen=True, repr=False)
class Damaged:
    """A file that is tried; what fails is in the test's folder, and need not be printed."""

    data: bytes

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes>"


def survives(reader: Reader, data: bytes, folder: Path, tally: Tally) -> None:
    """Read a file: it is as promised, or an error names it, soon and without further noise."""
    __tracebackhide__ = True
    path = folder / f"x{reader.suffix}"
    path.write_bytes(data)
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            reader.read(path)
            tally.read += 1
            problem = None
        except (DataError, UsageError) as error:
            tally.refused += 1
            problem = one_line(str(error))
    assert problem is None or (reader.refuses and str(path) in problem)
    taken = time.process_time() - begun
    tally.longest = max(tally.longest, taken)
    assert taken < LONGEST
    ours = [str(one.message) for one in caught if "/PIL/" not in one.filename]  # not shown to users
    assert not ours


def test_the_command_would_run_if_it_were_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Command()))
    assert Path("trace").exists()


@pytest.mark.parametrize("name", [name for name in READERS if READERS[name].refused is not list])
def test_hostile_files_are_refused_by_name_and_run_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader = READERS[name]
    path = tmp_path / f"x{reader.suffix}"
    for data, complaint in reader.refused():
        path.write_bytes(data)
        with pytest.raises(DataError, match=re.escape(str(path))) as refusal:
            reader.read(path)
        assert complaint in str(refusal.value)
    assert not Path("trace").exists()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    reader, tally = READERS[name], Tally()
    whole = reader.files()
    for data in whole:
        survives(reader, data, tmp_path, tally)
    assert tally.read == len(whole)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check = partial(survives, reader, folder=tmp_path, tally=tally)

    @settings(
        max_examples=EXAMPLES or reader.examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # the file that fails is printed as it is
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from([Damaged(data) for data in whole])
        .flatmap(lambda one: damaged(one.data))
        .map(Damaged)
    )
    def each(file: Damaged) -> None:
        check(file.data)

    for data in reader.known():
        each = example(Damaged(data))(each)
    each()
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < MOST_MEMORY
    if EXAMPLES:
        print(
            f"\n| {name} | {tally.read + tally.refused} | read {tally.read}, refused "
            f"{tally.refused} | {tally.longest:.2f} s | {grown / 1e6:.0f} MB |"
        )
