"""A trained network for programs that have no wsstools, compared with ours before it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from wsstools.core.palette import colour_text, voc_palette
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import remove_leftovers, writing
from wsstools.files.provenance import Json, Origin, record_text
from wsstools.files.targets import check_writable, recorded_output_file
from wsstools.formats import exported_files, label_files
from wsstools.nn.exported.program import LEAST_SIDE, MOST_SIDE, Compute, exported_program
from wsstools.nn.loaded import ModelFile, find_model, loaded_network
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.predict import predict_probs
from wsstools.running.messages import print_path, say
from wsstools.running.settings import Selection

TOLERANCE = 1e-3
"""Of a probability, between the file and us."""
SIZES = ((1, 360, 480), (1, 375, 500), (2, 193, 251), (1, LEAST_SIDE, 2 * LEAST_SIDE))
"""Images, height and width with which a file of free sizes is compared."""
_COMMAND = "export"


def export(
    model: str,
    out: str | Path,
    *,
    size: str | tuple[int, int] | None = None,
    classes: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a network as ONNX or for torch.export, unless the file is up to date.

    Parameters
    ----------
    model : str
        A model file of `train`.
    out : str or Path
        The file; its ending, .onnx or .pt2, says which of them.
    size : (int, int), str or None
        Height and width of the one image that the file takes, also as ``"360x480"``; None: any
        number of images of any size.
    classes : str or None
        File with the names of the classes; None: those of the model, or of the classes.txt beside
        it where the model knows none.
    overwrite : bool
        Replace a file of other steps or options.

    Raises
    ------
    UsageError
        If arguments are wrong, `out` is of another run, or the packages for ONNX are missing.
    DataError
        If the model is damaged, torch cannot export it, or what the file computes differs from our
        probabilities by more than TOLERANCE; there is no new file then.
    """
    fixed = _parsed_size(size) if isinstance(size, str) else size
    found = find_model(model, "MODEL")
    names = _class_names(found, classes)
    options: dict[str, Json] = {
        "size": None if fixed is None else list(fixed),
        "classes": names,
    }
    origin = Origin(_COMMAND, options)
    path = recorded_output_file(
        out,
        [model] if classes is None else [model, classes],
        origin,
        endings=exported_files.SUFFIXES,
        read_meta=exported_files.read_meta,
        overwrite=overwrite,
    )
    if path.exists() and origin.is_up_to_date(exported_files.read_meta(path), [found.record]):
        say(f"skipped {out} (up to date)", _COMMAND)
    else:
        check_writable(path.parent)
        record = origin.record(kind=exported_files.KIND, stem=path.stem, inputs=[found.record])
        facts = {"architecture": found.header["arch"], "wss_version": record["version"]}
        texts = exported_files.texts(record_text(record), names, _colours(len(names)), facts)
        _write(path, found, fixed, texts)
    print_path(out, Selection(prints_paths=True))


def _parsed_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    height, width = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE):
        raise UsageError(f"--size {text}: expected height and width in pixels, such as 360x480")
    return height, width


def _class_names(model: ModelFile, classes: str | None) -> list[str]:
    """A name for each class."""
    n_classes, known = model.header["n_classes"], model.header["class_names"]
    if classes is not None:
        names = label_files.read_class_names(Path(classes))
        if len(names) != n_classes:
            raise UsageError(
                f"--classes {classes}: it names {len(names)} classes, the model has {n_classes}"
            )
        return names
    beside = label_files.find_classes_file(str(Path(model.path).parent))
    if beside is not None and known == [str(c) for c in range(n_classes)]:
        names = label_files.read_class_names(beside)
        return names if len(names) == n_classes else known
    return known


def _colours(n_classes: int) -> list[str]:
    """The colours of labels of ours, such as #800000."""
    return [colour_text(colour) for colour in voc_palette()[:n_classes].tolist()]


def _write(
    path: Path, model: ModelFile, size: tuple[int, int] | None, texts: dict[str, str]
) -> None:
    """Write the file, if what it computes is what we compute."""
    encode, load = _format(path.suffix.lower())  # before the work
    network = loaded_network(model.path, model.digest)
    program = exported_program(network, model.header["arch"], size)
    data = encode(program, texts, is_free=size is None)
    remove_leftovers(path.parent)
    with writing(path) as file:
        file.write(data)
        file.flush()
        shapes = SIZES if size is None else [(1, *size)]
        largest = _largest_difference(load(Path(file.name)), network, shapes)
        if not largest <= TOLERANCE:  # nor if it is no number
            raise DataError(
                f"{path} is not written: its probabilities differ from ours by {largest:.2g}, "
                f"expected at most {TOLERANCE:g}"
            )
    shown = ", ".join("x".join(map(str, shape)) for shape in shapes)
    say(
        f"{path} written; differs from our probabilities by at most {largest:.1g} "
        f"({len(shapes)} size{'s' if len(shapes) > 1 else ''}: {shown})",
        _COMMAND,
    )


def _format(suffix: str) -> tuple[Callable[..., bytes], Callable[[Path], Compute]]:
    """What encodes a program, and what loads the file."""
    if suffix == exported_files.PT2:
        # Here, as its neighbour, so that only the packages of one format are loaded.
        from wsstools.nn.exported.pt2_files import encode_pt2, loaded_pt2  # noqa: PLC0415

        return encode_pt2, loaded_pt2
    try:
        from wsstools.nn.exported.onnx_files import encode_onnx, loaded_onnx  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            f"ONNX files need onnx, onnxscript and onnxruntime ({error}): "
            "pip install 'wsstools[onnx]'; .pt2 needs none of them"
        ) from error
    return encode_onnx, loaded_onnx


def _largest_difference(
    compute: Compute,
    network: SegmentationNetwork,
    shapes: Sequence[tuple[int, int, int]],
) -> float:
    """Between what a file and what a network computes, over images of these shapes (N, H, W)."""
    differences = [0.0]
    for n_images, height, width in shapes:
        images = np.stack([_photo(height, width, turn) for turn in range(n_images)])
        expected = predict_probs(network, images)
        computed = compute(images)
        if computed.shape != expected.shape:
            raise DataError(
                f"the file gives {computed.shape} for images {images.shape}, "
                f"expected {expected.shape}"
            )
        differences.append(float(np.abs(computed - expected).max()))
    return float(np.max(differences))  # no number, if one is none


def _photo(height: int, width: int, turn: int = 0) -> NDArray[np.uint8]:
    """A photograph of this size, (H, W, 3), repeated where it is larger; `turn`: by 180 degrees."""
    photo = np.rot90(skimage.data.coffee(), 2 * turn)
    tiles = -(-height // photo.shape[0]), -(-width // photo.shape[1])
    return np.ascontiguousarray(np.tile(photo, (*tiles, 1))[:height, :width])
