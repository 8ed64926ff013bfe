"""Strange files among good ones, for every step: each is taken for what it is, or fails alone.

A step is run once on a folder that holds all strange files of a kind: each is a stem of its own.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from builders import (
    by_pillow,
    draw_image,
    noisy_map,
    npy,
    npy_that_claims,
    npz,
    png_of_16_bits,
    png_that_claims,
    tiff,
    zipped,
)
from PIL import Image

from wsstools.core.maps import ProbabilityMap
from wsstools.formats import label_files, map_files
from wsstools.formats.image_files import encode_image

SHAPE = (20, 30)
N_CLASSES = 4


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, ground truth and scribbles of 20 x 30 pixels."""
    image, labels, scribbles = (part[: SHAPE[0], : SHAPE[1]].copy() for part in draw_image(0))
    return image, labels, scribbles


IMAGE, LABELS, SCRIBBLES = scene()
PICTURE = Image.fromarray(IMAGE)
MAP = noisy_map(LABELS, 0)


@dataclass(frozen=True)
class Strange:
    """A file, or what makes one; and what is printed about it, where it fails."""

    content: bytes | Callable[[Path], object]
    message: str | None = None
    suffix: str = ""

    def put(self, folder: Path, stem: str, suffix: str) -> None:
        path = folder / f"{stem}{self.suffix or suffix}"
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def unreadable(path: Path) -> None:
    path.write_bytes(b"secret")
    path.chmod(0)


PLACES = {
    "empty": Strange(b"", "not a"),
    "text": Strange(b"no picture and no map at all\n", "not a"),
    "folder": Strange(Path.mkdir, "Is a directory"),
    "dangling": Strange(dangling, "No such file"),
    **({"unreadable": Strange(unreadable, "Permission denied")} if os.geteuid() else {}),
}
"""What may be where any file is expected."""


def tiff_that_claims(height: int, width: int) -> bytes:
    """A picture of zeros that are not even there."""
    data = tiff(np.zeros((1, 1), np.uint8), metadata=None)
    entries = {256: width, 257: height, 278: height}
    for tag, value in entries.items():
        place = data.index(struct.pack("<H", tag), 8)
        data = data[: place + 2] + struct.pack("<HII", 4, 1, value) + data[place + 12 :]
    return data


def turned() -> bytes:
    """The picture stored on its side, with the record that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return by_pillow(PICTURE.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


WIDE = IMAGE.astype(np.uint16) * 257
PNG, JPEG = encode_image(IMAGE), by_pillow(PICTURE, "JPEG")
STRANGE_IMAGES = {
    **PLACES,
    "cut": Strange(PNG[: len(PNG) // 2], "not a readable image"),
    "cut-jpeg": Strange(JPEG[: len(JPEG) // 3], "not a readable image", ".jpg"),
    "flipped": Strange(flipped(PNG, 50), "not a readable image"),
    "huge-png": Strange(png_that_claims(60_000, 60_000), "60000 x 60000 (H x W) pixels"),
    "huge-tiff": Strange(tiff_that_claims(60_000, 60_000), "more than", ".tif"),
    "float": Strange(
        tiff(IMAGE.astype(np.float32), photometric="rgb"), "pixels are float32", ".tif"
    ),
    "negative": Strange(
        tiff(IMAGE.astype(np.int16) - 200, photometric="rgb"), "expected 0 to 65535", ".tif"
    ),
    "stack": Strange(tiff(np.zeros((2, *SHAPE), np.uint8)), suffix=".tif"),
    "wide-grey": Strange(by_pillow(WIDE[:, :, 0], "PNG")),
    "wide-colours": Strange(png_of_16_bits(WIDE)),
    "wide-tiff": Strange(tiff(WIDE, photometric="rgb"), suffix=".TIFF"),
    "alpha": Strange(by_pillow(PICTURE.convert("RGBA"), "PNG")),
    "grey-alpha": Strange(by_pillow(PICTURE.convert("LA"), "PNG")),
    "palette": Strange(by_pillow(PICTURE.quantize(9), "PNG", transparency=bytes(range(9)))),
    "bits": Strange(by_pillow(PICTURE.convert("1"), "PNG")),
    "cmyk": Strange(by_pillow(PICTURE.convert("CMYK"), "JPEG"), suffix=".JPG"),
    "turned": Strange(turned(), suffix=".jpeg"),
    "bmp": Strange(by_pillow(PICTURE, "BMP"), suffix=".bmp"),
}
PNG_LABELS = label_files.encode_labels(SCRIBBLES, {})
STRANGE_LABELS = {
    **PLACES,
    "cut": Strange(PNG_LABELS[: len(PNG_LABELS) // 2], "not a readable label picture"),
    "flipped": Strange(flipped(PNG_LABELS, 45), "not a readable label picture"),
    "colours": Strange(PNG, "stored as RGB colours, expected class indices"),
    "jpeg": Strange(by_pillow(SCRIBBLES, "JPEG"), "it is JPEG data"),
    "high": Strange(by_pillow(WIDE[:, :, 0], "PNG"), "65535"),
    "huge-png": Strange(png_that_claims(60_000, 60_000), "60000 x 60000 (H x W) pixels"),
    "huge-tiff": Strange(tiff_that_claims(60_000, 60_000), "more than", ".tif"),
    "grey": Strange(by_pillow(SCRIBBLES, "PNG")),
    "wide": Strange(by_pillow(SCRIBBLES.astype(np.uint16), "PNG")),
    "tiff": Strange(tiff(SCRIBBLES), suffix=".tif"),
}
DENSE = MAP.dense()
ZIP_OF_MAP = map_files.encode_map(MAP, {})


def claiming(*shape: int) -> bytes:
    """A map whose header claims a shape, and whose zeros may well be there, but compressed."""
    return zipped([(b"probs.npy", npy_that_claims("<f2", shape, 10**6))])


def off(change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    return npz(probs=change(DENSE))


STRANGE_MAPS = {
    **PLACES,
    "cut": Strange(ZIP_OF_MAP[: len(ZIP_OF_MAP) // 2], "not a map"),
    "flipped": Strange(flipped(ZIP_OF_MAP, 100), "not a map"),
    "pickle": Strange(npz(probs=np.array([{"a": 1}] * 3, object)), "is object"),
    "pickle-npy": Strange(npy(np.array([{"a": 1}], object)), "is object", ".npy"),
    "claims": Strange(claiming(4, 5000, 5000), "claims 200000000 bytes"),
    "huge": Strange(claiming(4, 100_000, 100_000), "100000 x 100000 (H x W) pixels"),
    "deep": Strange(claiming(10**6, 1000, 1000), "1,000,000,000,000 probabilities"),
    "nan": Strange(off(lambda probs: np.where(probs > 0.9, np.nan, probs)), "not finite"),
    "infinite": Strange(off(lambda probs: np.where(probs > 0.9, np.inf, probs)), "not finite"),
    "negative": Strange(off(lambda probs: probs - 0.1), "negative"),
    "sum": Strange(off(lambda probs: probs * 1.2), "do not sum to 1"),
    "flat": Strange(off(lambda probs: probs[0]), "expected floats (C, H, W)"),
    "whole": Strange(off(lambda probs: np.ones((1, *SHAPE), int)), "expected floats (C, H, W)"),
    "other": Strange(npz(something=DENSE), "expected one of probs"),
    "other-order": Strange(
        npz(probs=DENSE[:2], classes=np.array([1, 0]), n_classes=np.array(2)), "not strictly ascending"
    ),
    "no-count": Strange(
        npz(probs=DENSE[:2], classes=np.array([0.0, 1.0]), n_classes=np.array(2)), "no integers"
    ),
    "dense": Strange(npz(probabilities=DENSE.astype(np.float64))),
    "npy": Strange(npy(DENSE.astype(np.float16)), suffix=".npy"),
}  # fmt: skip
NAMES = ("two words", "new\nline", "ümläut", "-dash", "dots.in.name", "%s {0}", "quote'\"")
"""Stems of files with which nothing is wrong."""

FOLDERS = {"images": ".png", "scribbles": ".png", "gt": ".png", "maps": ".npz", "strokes": ".txt"}
GOOD = {
    "images": PNG,
    "scribbles": PNG_LABELS,
    "gt": label_files.encode_labels(LABELS, {}),
    "maps": ZIP_OF_MAP,
    "strokes": b"0,4,5,12,6\n3,25,3\n",
}
ONE = np.zeros((1, 1), np.uint8)
TINY = {
    "images": encode_image(np.full((1, 1, 3), 9, np.uint8)),
    "scribbles": label_files.encode_labels(ONE, {}),
    "gt": label_files.encode_labels(ONE, {}),
    "maps": map_files.encode_map(ProbabilityMap(np.full((2, 1, 1), 0.5, np.float32), np.arange(2), 4), {}),
    "strokes": b"0,0,0\n",
}  # fmt: skip
STRANGE = {
    "images": STRANGE_IMAGES,
    "scribbles": STRANGE_LABELS,
    "gt": STRANGE_LABELS,
    "maps": STRANGE_MAPS,
}

COUNT = ["--n-classes", N_CLASSES]
STEPS: dict[str, tuple[tuple[str, ...], Callable[[Path], list]]] = {
    "rf-predict": (
        ("images", "scribbles"),
        lambda d: ["rf-predict", d / "images", d / "scribbles", "--trees", 2, *COUNT],
    ),
    "walker": (
        ("images", "scribbles"),
        lambda d: ["local-predict", d / "images", d / "scribbles", "--model", "walker", *COUNT],
    ),
    "boosting": (
        ("images", "scribbles"),
        lambda d: ["local-predict", d / "images", d / "scribbles", "--model", "boosting", "--rounds", 2, *COUNT],
    ),
    "global-predict": (
        ("images",),
        lambda d: ["global-predict", d / "images", "--model", d / "net.pt", "--batch", 3],
    ),
    "potts": (
        ("images", "maps"),
        lambda d: ["regularize", "--potts", "--images", d / "images", d / "maps"],
    ),
    "crf": (
        ("images", "maps"),
        lambda d: ["regularize", "--crf", "--images", d / "images", d / "maps"],
    ),
    "fuse": (("maps",), lambda d: ["fuse", d / "maps", d / "maps"]),
    "argmax": (("maps",), lambda d: ["argmax", d / "maps"]),
    "adjust-prior": (
        ("maps",),
        lambda d: ["adjust-prior", d / "maps", "--from", d / "scribbles", "--to", d / "gt"],
    ),
    "show": (
        ("images", "gt", "maps"),
        lambda d: ["show", d / "images", f"labels={d / 'gt'}", f"map={d / 'maps'}", "--each"],
    ),
    "scribbles": (
        ("images",),
        lambda d: ["scribbles", d / "strokes", "--images", d / "images", "--classes", d / "classes.txt"],
    ),
    "scribbles of pictures": (
        ("scribbles",),
        lambda d: ["scribbles", d / "scribbles", "--source-format", "picture", "--classes", d / "classes.txt"],
    ),
    "simulate": (("gt",), lambda d: ["scribbles", "--simulate", d / "gt"]),
    "curate": (("scribbles", "gt"), lambda d: ["curate", d / "scribbles", d / "gt"]),
    "denoise": (("scribbles", "gt"), lambda d: ["denoise", d / "scribbles", d / "gt", "--simulate"]),
    "stats": (("gt",), lambda d: ["stats", d / "gt", "--json"]),
    "score": (("gt",), lambda d: ["score", d / "gt", d / "gt", "--json"]),
}  # fmt: skip
CASES = [(step, role) for step, (roles, _) in STEPS.items() for role in roles]
WITHOUT_OUTPUT = ("stats", "score")


def fill(root: Path, strange: str) -> dict[str, Strange | None]:
    """Folders of which one holds strange files; gives all stems, None for those that are good."""
    stems: dict[str, Strange | None] = dict.fromkeys(("a", "z", *NAMES))
    stems.update(STRANGE[strange])
    (root / "classes.txt").write_text("sky\ngrass\nunused\nwater\n")
    for folder, suffix in FOLDERS.items():
        (root / folder).mkdir()
        for stem, other in stems.items():
            if folder == strange and other is not None:
                other.put(root / folder, stem, suffix)
            else:
                (root / folder / f"{stem}{suffix}").write_bytes(GOOD[folder])
        (root / folder / f"tiny{suffix}").write_bytes(TINY[folder])
        size = GOOD if folder != strange else TINY
        (root / folder / f"misfit{suffix}").write_bytes(size[folder])
    (root / strange / "a.copy").write_bytes(b"of no kind that is read")
    twice = root / strange / "twice.tif"
    twice.write_bytes(b"")
    for folder, suffix in FOLDERS.items():
        (root / folder / f"twice{suffix}").write_bytes(GOOD[folder])
    if strange == "maps":
        twice.rename(twice.with_suffix(".npy"))
    return stems


@pytest.mark.parametrize(("step", "role"), CASES, ids=lambda value: str(value).replace(" ", "-"))
def test_strange_files_are_taken_or_fail_alone(wss, request, tmp_path, step, role):
    stems = fill(tmp_path, role)
    if step == "global-predict":
        (tmp_path / "net.pt").symlink_to(request.getfixturevalue("model"))
    roles, command = STEPS[step]
    out = tmp_path / "out"
    more = [] if step in WITHOUT_OUTPUT else ["-o", out]
    outcome = wss(*command(tmp_path), *more, "--jobs", 1)
    assert outcome.code == 1, outcome.err
    lines = outcome.err.splitlines()
    assert all(line.startswith("wss ") for line in lines), outcome.err
    failed = {
        line.split(": failed: ")[0].split(": ", 1)[1]: line
        for line in lines
        if ": failed: " in line
    }
    expected = {stem: other.message for stem, other in stems.items() if other and other.message}
    expected["twice"] = "twice." + ("npy and twice.npz" if role == "maps" else "png and twice.tif")
    if len(roles) > 1:
        expected["misfit"] = "shape"
    for stem, message in expected.items():
        assert message in failed.get(stem, ""), (stem, failed.get(stem), message)
        if stem not in ("misfit", "twice"):
            assert str(tmp_path / role / stem) in failed[stem]
    assert failed.keys() == expected.keys(), [failed[s] for s in failed.keys() - expected.keys()]
    assert f"{len(expected)} images failed" in lines[-1]
    if step not in WITHOUT_OUTPUT:
        made = {path.stem for path in out.iterdir() if path.suffix in (".npz", ".png")}
        assert made == {*stems, "tiny", "misfit"} - expected.keys()
        assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("count", [3, 5])
def test_maps_of_other_classes_are_not_fused(wss, tmp_path, count):
    for folder, n_classes in (("one", 4), ("two", count)):
        (tmp_path / folder).mkdir()
        found = ProbabilityMap(np.full((2, 3, 4), 0.5, np.float32), np.arange(2), n_classes)
        (tmp_path / folder / "a.npz").write_bytes(map_files.encode_map(found, {}))
    outcome = wss("fuse", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "out", "-j", 1)
    assert outcome.code == 1
    assert f"a: failed: maps have 4 and {count} classes" in outcome.err


def test_a_class_beyond_the_label_space_is_refused(wss, tmp_path):
    fill(tmp_path, "images")
    (tmp_path / "scribbles" / "a.png").write_bytes(
        label_files.encode_labels(SCRIBBLES // 2 + 100, {})
    )
    outcome = wss(
        "rf-predict", tmp_path / "images" / "a.png", tmp_path / "scribbles", "-o", tmp_path / "out",
        *COUNT,
    )  # fmt: skip
    assert outcome.code == 1
    assert "a: failed: scribbles hold class" in outcome.err


def test_an_empty_folder_is_wrong_usage_and_makes_nothing(wss, tmp_path, model):
    (tmp_path / "net.pt").symlink_to(model)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "note.txt").write_text("x")
    for name in STEPS:
        _, command = STEPS[name]
        for folder in FOLDERS:
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "classes.txt").write_text("a\nb\n")
        more = [] if name in WITHOUT_OUTPUT else ["-o", tmp_path / "out"]
        outcome = wss(*command(tmp_path), *more)
        assert outcome.code == 2, outcome.err
        assert outcome.err.count("\n") == 1
        assert f"in {tmp_path}" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_pipe_in_a_folder_is_wrong_usage_and_is_not_read(wss, tmp_path, is_link):
    fill(tmp_path, "images")
    pipe = tmp_path / ("pipe" if is_link else "images/pipe.png")
    os.mkfifo(pipe)
    if is_link:
        (tmp_path / "images/pipe.png").symlink_to(pipe)
    for arguments in (
        ["regularize", tmp_path / "maps", "--potts", "--images", tmp_path / "images"],
        ["rf-predict", tmp_path / "images", tmp_path / "scribbles"],
    ):
        outcome = wss(*arguments, "-o", tmp_path / "out")
        assert outcome.code == 2
        message = f"error: {tmp_path}/images/pipe.png is a pipe, expected files"
        assert message in outcome.err
        assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["--ids", "--classes", "--params", "classes.txt"])
def test_lists_that_are_no_text_are_reported_in_one_line(wss, tmp_path, name):
    fill(tmp_path, "images")
    odd = tmp_path / ("classes.txt" if name == "classes.txt" else "odd")
    odd.write_bytes(b"a\xff\xfe\0b\n")
    command = {
        "--ids": ["argmax", tmp_path / "maps", "--ids", odd],
        "--classes": ["scribbles", tmp_path / "strokes", "--classes", odd],
        "--params": [
            "regularize",
            tmp_path / "maps",
            "--images",
            tmp_path / "images",
            "--params",
            odd,
        ],
        "classes.txt": ["rf-predict", tmp_path / "images", tmp_path / "scribbles"],
    }[name]
    outcome = wss(*command, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert f"error: {odd}: " in outcome.err


GREY = draw_image(0)[0].mean(axis=2).round().astype(np.uint8)
LEVELS_OF_16 = (GREY.astype(np.uint16) * 2) // 5  # a hundred, the lowest: in 8 bits all are black
SAME = {
    "8.png": by_pillow(GREY, "PNG"),
    "8-rgb.png": by_pillow(np.dstack([GREY] * 3), "PNG"),
    "16.png": by_pillow(GREY.astype(np.uint16) * 257, "PNG"),
    "16-rgb.tif": tiff(np.dstack([GREY.astype(np.uint16) * 257] * 3), photometric="rgb"),
    "8.tif": tiff(GREY),
    "16.tif": tiff(GREY.astype(np.uint16) * 257),
}
"""One grey picture in many files."""
GREY_JPEG = by_pillow(GREY, "JPEG", quality=90)
OTHERS = {
    "jpeg.jpg": GREY_JPEG,
    "jpeg.png": by_pillow(Image.open(io.BytesIO(GREY_JPEG)), "PNG"),
    "dark.png": by_pillow(LEVELS_OF_16, "PNG"),
    "black.png": by_pillow(np.zeros_like(GREY), "PNG"),
}


@pytest.mark.parametrize(
    ("step", "more"),
    [("rf-predict", ["--trees", 5]), ("walker", []), ("boosting", ["--rounds", 3])],
)
def test_maps_follow_from_the_pixels_and_not_from_the_form_of_the_file(wss, tmp_path, step, more):
    for folder in ("images", "scribbles", "out"):
        (tmp_path / folder).mkdir()
    (tmp_path / "scribbles/a.png").write_bytes(label_files.encode_labels(draw_image(0)[2], {}))
    found = {}
    for name, data in {**SAME, **OTHERS}.items():
        image = tmp_path / f"images/a.{name.rsplit('.')[-1]}"  # chance follows from `a`
        image.write_bytes(data)
        outcome = wss(*STEPS[step][1](tmp_path), *more, "-o", tmp_path / "out", "--jobs", 1)
        assert outcome.code == 0, outcome.err
        written = tmp_path / "out/a.npz"
        found[name] = map_files.decode_map(written.read_bytes(), name).value.probs
        image.unlink()
        written.unlink()
    assert len(np.unique(found["8.png"])) > 4
    for name in SAME:
        np.testing.assert_array_equal(found[name], found["8.png"])
    np.testing.assert_array_equal(found["jpeg.jpg"], found["jpeg.png"])
    assert not np.array_equal(found["dark.png"], found["black.png"])


@pytest.mark.slow
def test_a_second_file_of_a_name_on_standard_input_fails(shell, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.npz").write_bytes(ZIP_OF_MAP)
    outcome = shell("printf 'one/a.npz\\ntwo/a.npz\\n' | wss argmax - -o out --jobs 2")
    assert outcome.code == 1
    assert outcome.out == "out/a.png\n"
    assert "a: failed: two/a.npz: a second file of that name on standard input" in outcome.err
