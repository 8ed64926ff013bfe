"""What tests share: places, drawn data, files of every kind, and how long they wait."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wsstools.core.maps import ProbabilityMap
from wsstools.core.potts.solver import unary
from wsstools.formats.label_files import decode_labels
from wsstools.formats.map_files import decode_map

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("WSS_SHARED", REPOSITORY.parent / "shared"))

# --- Runs

PATIENCE = 900.0
"""Seconds after which a process counts as hanging.

Only a test that would fail anyway waits so long. It is no claim about speed: loading torch takes
seconds alone, and minutes beside a dozen others that do the same.
"""
_POLL = 0.005


def wait_until(
    holds: Callable[[], bool], *, message: str = "what is waited for never came"
) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, message
        time.sleep(_POLL)


@dataclass(frozen=True)
class Outcome:
    """What a run of `wss` gave."""

    code: int
    out: str
    err: str

    @property
    def paths(self) -> list[Path]:
        return [Path(line) for line in self.out.splitlines()]


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Names and contents of all files in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@dataclass(frozen=True)
class PerImage:
    """A command on the data set, each image of which is a task of its own.

    Attributes
    ----------
    line : str
        Name and arguments without `-o`; the first word in `DATA/` names the folder of which each
        file is a task, and which can come from a pipe.
    other : str
        Options with which the bytes of every output are others.
    ending : str
        That of its outputs.
    """

    line: str
    other: str
    ending: str = ".npz"

    @property
    def command(self) -> str:
        """The name of the command."""
        return self.line.split()[0]

    @property
    def folder(self) -> str:
        """The folder of the data set of which each file is a task."""
        return re.findall(r"DATA/(\S+)", self.line)[0]

    def words(self, data: Path | None = None) -> list[str]:
        """Name and arguments on a data set, by default that in the working folder."""
        prefix = "" if data is None else f"{data}/"
        return [word.replace("DATA/", prefix) for word in self.line.split()]


PER_IMAGE = {
    "rf-predict": PerImage("rf-predict DATA/images DATA/scribbles --trees 5", "--features 20"),
    "fuse": PerImage("fuse DATA/maps DATA/other-maps", "--weights 1,2"),
    "regularize --potts": PerImage(
        "regularize DATA/maps --potts --images DATA/images", "--lambda 2"
    ),
    "regularize --crf": PerImage("regularize DATA/maps --crf --images DATA/images", "--w1 2"),
    "argmax": PerImage("argmax DATA/maps", "--min-prob 0.5", ".png"),
    "adjust-prior": PerImage(
        "adjust-prior DATA/maps --from DATA/scribbles --to DATA/gt", "--power 0.5"
    ),
    "scribbles": PerImage("scribbles DATA/strokes --images DATA/images", "--width 5", ".png"),
}
"""Steps of which each image is a task of its own: what all of them must do is tried on each.

Tests of empty pipes, of clusters and of faults (`torture/`) and golden.py take them from here, too.
"""


POOL = {
    "method": "fusion",
    "pool": "log-linear",
    "weights": [[0.5] * 4] * 2,
    "temperatures": [1, 1],
    "offsets": [0] * 4,
}
"""Parameters of `fuse` for two maps: of what is compiled, it takes the least."""


def per_image_command(name: str, data: Path, out: Path) -> list:
    """The arguments of one of `PER_IMAGE`."""
    return [*PER_IMAGE[name].words(data), "-o", out]


def change(path: Path) -> None:
    """Put something else into a file of the data set, of the same kind and size."""
    if path.suffix == ".png":
        with Image.open(path) as picture:
            changed = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        changed.save(path)
    else:
        others = [other for other in sorted(path.parent.iterdir()) if other != path]
        path.write_bytes(others[-1].read_bytes())


# --- Drawn images, labels and maps

STEMS = ("a", "b", "c", "d")
SHAPE = (40, 56)
N_CLASSES = 4


def draw_image(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy image of three stripes, its ground truth and scribbles."""
    rng = np.random.default_rng(seed)
    height, width = SHAPE
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, width // 3 :] = 1
    labels[height // 2 :, 2 * width // 3 :] = 3
    colours = np.array([[200, 60, 60], [60, 180, 80], [0, 0, 0], [70, 90, 200]])
    noise = rng.normal(0, 25, (*SHAPE, 3))
    image = np.clip(colours[labels] + noise, 0, 255).astype(np.uint8)
    scribbles = np.full(SHAPE, 255, np.uint8)
    for row in (8, 9, 30, 31):
        scribbles[row, 4:-4:2] = labels[row, 4:-4:2]
    return image, labels, scribbles


def noisy_map(labels: np.ndarray, seed: int) -> ProbabilityMap:
    """A map whose argmax is the labels on most pixels."""
    rng = np.random.default_rng(seed)
    classes = np.array([0, 1, 3])
    logits = rng.normal(0, 1.2, (3, *labels.shape))
    logits += 2.0 * (classes[:, None, None] == labels)
    probs = np.exp(logits) / np.exp(logits).sum(axis=0)
    return ProbabilityMap(probs.astype(np.float32), classes, N_CLASSES)


def mosaic(rows: int, columns: int) -> tuple[np.ndarray, ProbabilityMap]:
    """An image of so many drawn ones beside and below each other, and its map."""
    drawn = [draw_image(k) for k in range(rows * columns)]
    maps = [noisy_map(labels, k) for k, (_, labels, _) in enumerate(drawn)]
    images = [image.transpose(2, 0, 1) for image, _, _ in drawn]
    image, probs = (
        np.block([[parts[r * columns + c] for c in range(columns)] for r in range(rows)])
        for parts in (images, [one.probs for one in maps])
    )
    return np.ascontiguousarray(image.transpose(1, 2, 0)), maps[0].with_probs(probs)


def code_blocks(page: str, language: str) -> list[str]:
    """The blocks of code in a page of Markdown that are marked as of a language.

    Not those in a block of four marks, which shows a page.
    """
    page = re.sub("^````.*?^````$", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def environment_without_make() -> dict[str, str]:
    """The environment, without what a `make` that runs the tests has put there."""
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {key: value for key, value in os.environ.items() if key not in of_make}


def labels_of(path: Path) -> np.ndarray:
    """The labels in a file."""
    return decode_labels(path.read_bytes(), str(path)).value


def map_of(path: Path) -> ProbabilityMap:
    """The map in a file."""
    return decode_map(path.read_bytes(), str(path)).value


def contains(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a picture is somewhere in a sheet, pixel by pixel."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(axis=2))
    return any(np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in corners)


META = {
    "kind": "prob", "stem": "x", "step": "test", "version": "1", "options": {"x": 1}, "inputs": []
}  # fmt: skip
"""A record of an output."""


# --- Small Potts problems and their answers


def gradient(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward differences along rows and columns, 0 at the end."""
    dx, dy = np.zeros_like(planes), np.zeros_like(planes)
    dx[..., :-1] = np.diff(planes, axis=-1)
    dy[..., :-1, :] = np.diff(planes, axis=-2)
    return dx, dy


def reference_energy(soft, costs, weights, isotropic=True):
    """E(M) in float64; axes before the last three are a batch."""
    dx, dy = gradient(np.asarray(soft, np.float64))
    length = np.sqrt(dx**2 + dy**2) if isotropic else np.abs(dx) + np.abs(dy)
    return (costs * soft + weights * length).sum(axis=(-3, -2, -1))


def random_problem(rng, shape, n_classes, smoothness=1.0):
    """Costs (C, H, W) and weights (H, W)."""
    costs = unary(rng.dirichlet(np.ones(n_classes), shape).transpose(2, 0, 1))
    weights = smoothness * rng.uniform(0.2, 1, shape).astype(np.float32)
    return costs, weights


def best_labelling(costs, weights, isotropic):
    """The least energy of all labellings, by trying them."""
    n_classes, height, width = costs.shape
    labels = np.array(list(product(range(n_classes), repeat=height * width)))
    planes = labels.reshape(-1, 1, height, width) == np.arange(n_classes)[:, None, None]
    return reference_energy(planes.astype(np.float64), costs, weights, isotropic).min()


# --- Files of pictures and arrays


def by_pillow(picture: Image.Image | np.ndarray, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(file, form, **options)
    return file.getvalue()


def frames(first: np.ndarray, later: int, form: str) -> bytes:
    """A moving picture, or a TIFF whose further pictures are of other sizes, of labels 0 and 1."""
    pictures = [Image.fromarray(first.astype(np.uint8))]
    for k in range(later):
        shape = first.shape if form != "TIFF" else (9 + k, 9)
        pictures.append(Image.fromarray((np.indices(shape)[0] % (k + 2) == 0).astype(np.uint8)))
    for picture in pictures:
        picture.putpalette([255, 255, 255, 200, 0, 0])
    return by_pillow(pictures[0], form, save_all=True, append_images=pictures[1:])


def tiff(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    return zipped([(f"{name}.npy".encode(), npy(array)) for name, array in arrays.items()])


def npy_that_claims(dtype: str, shape: tuple[int, ...], n_bytes: int) -> bytes:
    """An array of zeros whose header claims a shape."""
    file = io.BytesIO()
    claim = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, claim)
    return file.getvalue() + bytes(n_bytes)


def zipped(pieces: list[tuple[bytes, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these files; a name may occur twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in pieces:
            archive.filelist = [e for e in archive.filelist if e.filename != name.decode()]
            archive.NameToInfo.pop(name.decode(), None)
            archive.writestr(name.decode(), content)
    return file.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and its sum."""
    total = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", total)


def png_of_rows(shape: tuple[int, int], bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG of these rows, each with its filter in front; `colour` is 0 for grey, 2 for RGB."""
    header = struct.pack(">IIBBBBB", *shape[::-1], bits, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


def png_that_claims(height: int, width: int) -> bytes:
    """Ten megabytes of zeros in ten kilobytes, called a picture of any size."""
    return png_of_rows((height, width), 8, 0, bytes(10**7))


def png_of_16_bits(values: np.ndarray) -> bytes:
    """Pillow writes no 16-bit colour."""
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    return png_of_rows(values.shape[:2], 16, {2: 0, 3: 2}[values.ndim], rows)


# --- Annotations


def polygon(tag: str, *points: tuple) -> str:
    """A polygon of ScribbleSup."""
    inside = "".join(f"<point><X>{x}</X><Y>{y}</Y></point>" for x, y in points)
    return f"<polygon>{inside}<tag>{tag}</tag></polygon>"


def scribblesup(*polygons: str, size: tuple[int, int] | None = SHAPE) -> str:
    size_element = "" if size is None else f"<height>{size[0]}</height><width>{size[1]}</width>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotation><folder>VOC2012</folder>'
        f"<filename>a.jpg</filename><size>{size_element}<depth>3</depth></size>"
        f"<segmented>1</segmented>{''.join(polygons)}</annotation>"
    )


def voc(*objects: tuple[str, tuple], size: tuple[int, int] | None = SHAPE) -> str:
    """A file of PASCAL VOC's detection task: name and xmin, ymin, xmax, ymax of each object."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    inside = "".join(
        f"<object><name>{name}</name><pose>Left</pose><difficult>0</difficult><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for name, box in objects
    )
    return scribblesup(size=size).replace("</annotation>", f"{inside}</annotation>")


def png_in_base64(mask: np.ndarray) -> str:
    return base64.b64encode(by_pillow(mask.astype(np.uint8), "PNG")).decode()


def shape(label: str, kind: str, points: list, **more: object) -> dict:
    """A shape of labelme."""
    return {"label": label, "shape_type": kind, "points": points, "flags": {}, **more}


def labelme(*shapes: dict, size: tuple[int, int] | None = SHAPE) -> str:
    height, width = size or (None, None)
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "a.jpg"}
    return json.dumps({**content, "imageData": None, "imageHeight": height, "imageWidth": width})


RLE = "2, 3, 4, 1"
CVAT = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><labels><label><name>sky</name></label></labels></task></meta>
  <image id="0" name="set/one.jpg" width="{SHAPE[1]}" height="{SHAPE[0]}">
    <polyline label="grass" occluded="0" points="5.5,5.5;30.5,5.5;30.5,30.5" z_order="1">
      <attribute name="hand">left</attribute>
    </polyline>
    <mask label="water" rle="{RLE}" left="20" top="3" width="5" height="2" z_order="0"/>
    <tag label="sky"/>
  </image>
  <image id="1" name="two.jpg" width="{SHAPE[1]}" height="{SHAPE[0]}">
    <box label="sky" xtl="10.0" ytl="4.0" xbr="14.0" ybr="6.0"/>
    <points label="water" points="30.5,20.5;40.5,20.5"/>
  </image>
  <image id="2" name="empty.jpg" width="{SHAPE[1]}" height="{SHAPE[0]}"></image>
</annotations>
"""


TRIANGLE = [[4, 4], [24.5, 4], [4, 24.5]]
"""In pixels from the corner of the image."""


def in_triangle() -> np.ndarray:
    """The pixels of TRIANGLE whose centres are inside, (H, W) bool."""
    rows, columns = np.indices(SHAPE)
    return (rows >= 4) & (columns >= 4) & (rows + columns < 28)


def coco(**changed: object) -> str:
    """COCO's instances of two images: a triangle, and runs along the columns."""
    height, width = SHAPE
    flat = [float(value) for point in TRIANGLE for value in point]
    runs = [height * 2 + 3, 5, height * width - 2 * height - 8]
    content = {
        "info": {"year": 2024},
        "images": [
            {"id": 7, "file_name": "set/one.jpg", "height": height, "width": width},
            {"id": 3, "file_name": "two.jpg", "height": height, "width": width},
            {"id": 9, "file_name": "empty.jpg", "height": height, "width": width},
        ],
        "categories": [{"id": 5, "name": "grass"}, {"id": 1, "name": "sky"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "segmentation": [flat], "iscrowd": 0},
            {"id": 2, "image_id": 3, "category_id": 1, "iscrowd": 1,
             "segmentation": {"size": [height, width], "counts": runs}},
        ],
        **changed,
    }  # fmt: skip
    return json.dumps(content)


def region(kind: str, label: str, value: dict, **more: object) -> dict:
    """A region of Label Studio, in an image of SHAPE."""
    return {
        "id": "x", "type": f"{kind}labels", "from_name": "label", "to_name": "image",
        "original_height": SHAPE[0], "original_width": SHAPE[1], "image_rotation": 0,
        "value": {**value, f"{kind}labels": [label]}, **more,
    }  # fmt: skip


def label_studio(*tasks: tuple[str, list[dict]]) -> str:
    """An export of tasks, each an image and its regions."""
    return json.dumps(
        [
            {"id": k, "data": {"image": image}, "annotations": [{"id": k, "result": results}]}
            for k, (image, results) in enumerate(tasks, start=1)
        ]
    )


def in_percent(points: list) -> list:
    """Points in per cent of the image, as Label Studio has them."""
    return [[100 * x / SHAPE[1], 100 * y / SHAPE[0]] for x, y in points]


def via_region(attributes: dict, name: str, **shape: object) -> dict:
    """A region of VIA."""
    return {"shape_attributes": {"name": name, **shape}, "region_attributes": attributes}


def via(*regions: dict, **project: object) -> str:
    """A project of VIA 2 with one image, and one without regions."""
    images = {
        "a.jpg1234": {"filename": "a.jpg", "size": 1234, "regions": regions, "file_attributes": {}},
        "b.jpg77": {"filename": "b.jpg", "size": 77, "regions": [], "file_attributes": {}},
    }
    return json.dumps({"_via_settings": {}, "_via_img_metadata": images, **project})


def geojson(*features: tuple[str | None, str, list], planes: Sequence[dict] = ()) -> str:
    """Objects of QuPath 0.4: class, type of the geometry, coordinates; planes of the first ones."""
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature", "id": "6f1c",
                    "geometry": {"type": kind, "coordinates": coordinates} | (
                        {"plane": planes[k]} if k < len(planes) and planes[k] else {}
                    ),
                    "properties": {"objectType": "annotation", "isLocked": False} | (
                        {} if name is None
                        else {"classification": {"name": name, "color": [200, 0, 0]}}
                    ),
                }
                for k, (name, kind, coordinates) in enumerate(features)
            ],
        }
    )  # fmt: skip


def davis(**frames: list[tuple[int, list]]) -> str:
    """Scribbles on frames of a sequence of three, called f0, f1 and f2."""
    held = [
        [
            {"path": path, "object_id": k, "start_time": 0, "end_time": 9}
            for k, path in frames.get(f"f{number}", [])
        ]
        for number in range(3)
    ]
    return json.dumps({"sequence": "bear", "scribbles": held})


def sbd(segmentation: object, **further: object) -> bytes:
    """A file of SBD's folder cls, in which the boundaries of the classes come first."""
    boundaries = np.empty((20, 1), object)
    for k in range(20):
        boundaries[k, 0] = csc_matrix(SHAPE, dtype=np.uint8)
    held = {"Boundaries": boundaries, "Segmentation": segmentation, **further}
    file = io.BytesIO()
    savemat(file, {"GTcls": held}, do_compression=True)
    return file.getvalue()


# --- Weights of networks

# What onnx 1.23 saved: one Conv of stride 2, the weights 0, 1/8, 2/8, ... as (2, 3, 3, 3).
_ONNX = (
    "c-ke<p-uxq6ouir(@i=ZL52w-Bt<j?K~^CN0w%>YRmcX_Y#@Ny5=!XStw10U6$k`k1p<MnKp+q+5C{?~5J)7FN8sP|"
    "o_yxGbIpQ}25FjYe`>pKC9^WJl6V=fMSFwvGIq8;yf{BSJQ@ZabRl&w$MLTiZE97Vv}M%&7B#;erE-)|yGpeX&_|95"
    "3QSRAh9CSv1*HreR?xx*HnD|(4))PQA163Nh8$P8#tkO8#U1WZ-~o?#!W7SV!7EC<;T<2C;VZ<8Mpqk?u9;6z<w27-"
    "`DMFg#5=2vpoT^zX;>NisH)rAt^Na{Lp*H"
)
FROM_ONNX = zlib.decompress(base64.b85decode(_ONNX))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def caffemodel(weights: np.ndarray, biases: np.ndarray, *, is_old: bool) -> bytes:
    """A network of Caffe: data, and a convolution of stride 3."""

    def blob(array: np.ndarray) -> bytes:
        shape = array.shape if array.ndim == 4 else (1, 1, 1, len(array))
        if is_old:
            head = b"".join(_field(k + 1, n) for k, n in enumerate(shape))
            data = b"".join(_varint(5 << 3 | 5) + struct.pack("<f", v) for v in array.ravel())
        else:
            head = _field(7, _field(1, b"".join(map(_varint, array.shape))))
            data = _field(5, array.tobytes())
        return head + data

    name, kind, blobs, options = (4, 5, 6, 10) if is_old else (1, 2, 7, 106)
    convolution = _field(options, _field(1, len(weights)) + _field(6, 3))
    layers = [
        _field(name, b"data") + _field(kind, 5 if is_old else b"Data"),
        _field(name, b"conv1")
        + _field(kind, 4 if is_old else b"Convolution")
        + _field(blobs, blob(weights))
        + _field(blobs, blob(biases))
        + convolution,
    ]
    number = 2 if is_old else 100
    return _field(1, b"AlexNet") + b"".join(_field(number, entry) for entry in layers)
