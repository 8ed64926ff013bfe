"""A flipped bit is found, or what is read is what was written.

`WSS_FUZZ=10000 pytest tests/formats/test_bit_flips.py` tries ten thousand flips a kind of file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from builders import by_pillow, draw_image, noisy_map, npz
from PIL import Image

from wsstools.core.evaluation.study import Key, Part, Study, StudyRow
from wsstools.core.palette import voc_palette
from wsstools.errors import DataError
from wsstools.files import npy, png
from wsstools.files.provenance import Origin, input_record
from wsstools.formats import label_files, map_files
from wsstools.formats.image_files import decode_image, encode_image
from wsstools.formats.studies.results import decode_study, encode_study
from wsstools.nn.models.model_files import encode_model, read_model_header

FLIPS = int(os.environ.get("WSS_FUZZ", "400"))
IMAGE, LABELS, _ = draw_image(0)
RECORD = Origin("test", {"x": 1}).record(
    kind="labels", stem="a", inputs=[input_record("image", "a.png", "00")]
)


def own_labels() -> bytes:
    return label_files.encode_labels(LABELS.astype(np.uint8), RECORD)


def foreign_labels() -> bytes:
    picture = Image.fromarray(LABELS.astype(np.uint8))
    picture.putpalette(voc_palette().ravel().tolist())
    return by_pillow(picture, "PNG")


def foreign_map() -> bytes:
    return npz(probs=noisy_map(LABELS, 0).dense())


def foreign_map_of_known_names() -> bytes:
    return npz(probs=noisy_map(LABELS, 0).dense(), classes=np.arange(4))


def own_map() -> bytes:
    return map_files.encode_map(noisy_map(LABELS, 0), RECORD)


def model() -> bytes:
    state = {"weight": torch.arange(60.0).reshape(3, 20), "bias": torch.ones(3)}
    return encode_model("deeplabv2-mobilenetv2", 3, ["sky", "tree", "road"], state, "{}")


def study() -> bytes:
    keys = [Key("net", name) for name in ("full", "baseline", "local")]
    means = [0.7056789, 0.66, 0.25]
    rows = [
        StudyRow(key, Part(miou, None, None, {0: miou}))
        for key, miou in zip(keys, means, strict=True)
    ]
    return encode_study(Study(rows)).encode()


def of_study(data: bytes) -> object:
    return decode_study(data, "x")


def of_labels(data: bytes) -> object:
    return label_files.decode_labels(data, "x").value.tolist()


def of_image(data: bytes) -> object:
    return decode_image(data, "x").value.tolist()


def of_map(data: bytes) -> object:
    found = map_files.decode_map(data, "x").value
    return found.probs.tolist(), found.classes.tolist(), found.n_classes


def of_model(data: bytes) -> object:
    header = read_model_header(data)
    state = torch.load(io.BytesIO(data), weights_only=True)["state"]
    return header, {name: value.tolist() for name, value in state.items()}


KINDS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "labels of ours": (own_labels, of_labels),
    "labels of others": (foreign_labels, of_labels),
    "image": (lambda: encode_image(IMAGE), of_image),
    "image in grey": (lambda: by_pillow(IMAGE[:, :, 0], "PNG"), of_image),
    "map of ours": (own_map, of_map),
    "map of others": (foreign_map, of_map),
    "map of others, known names": (foreign_map_of_known_names, of_map),
    "model": (model, of_model),
    "study": (study, of_study),
}


def flipped(data: bytes, n_flips: int) -> Iterator[bytes]:
    """The file with one bit flipped: in every byte of its ends, then anywhere."""
    rng = np.random.default_rng(0)
    ends = [*range(min(64, len(data))), *range(max(0, len(data) - 300), len(data))]
    places = [*rng.permutation(ends)[: n_flips // 3], *rng.integers(len(data), size=n_flips)]
    for place in places[:n_flips]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.integers(8)
        yield bytes(damaged)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_found_or_changes_nothing(kind):
    make, read = KINDS[kind]
    data = make()
    right, found = read(data), 0
    for damaged in flipped(data, FLIPS):
        try:
            assert read(damaged) == right
        except DataError:
            found += 1
    assert found > FLIPS / 2


@pytest.mark.parametrize(
    ("make", "check_sums", "read"),
    [(own_labels, png.check_sums, of_labels), (own_map, npy.check_sums, of_map)],
)
def test_what_counts_as_undamaged_is(make, check_sums, read):
    """What a rerun takes for up to date without decoding it."""
    data = make()
    right = read(data)
    check_sums(data)
    for damaged in flipped(data, FLIPS):
        try:
            check_sums(damaged)
        except Exception:
            continue
        assert read(damaged) == right
