"""Networks as files of torch.export, and what they compute."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from wsstools.errors import DataError, one_line
from wsstools.files.limits import open_file


def encode_pt2(
    program: ExportedProgram, metadata: Mapping[str, str], *, is_free: bool = True
) -> bytes:
    """A file for ``torch.export.load``; the same program gives the same bytes.

    `metadata` are texts by name, which it loads as extra files. `is_free` is as for `encode_onnx`:
    here the program says it.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # of torch about itself
        warnings.simplefilter("ignore")
        torch.export.save(program, buffer, extra_files=dict(sorted(metadata.items())))
    return buffer.getvalue()


@torch.inference_mode()
def run_pt2(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What torch computes with a file: (N, C, H, W) of images (N, H, W, 3).

    DataError if it refuses the file or fails.
    """
    try:
        with open_file(path) as file, warnings.catch_warnings():  # of torch about itself
            warnings.simplefilter("ignore")
            module = torch.export.load(file).module()
        probs: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
    except Exception as error:  # torch raises whatever it stumbles over
        raise DataError(f"torch.export: {one_line(str(error))}") from error
    return probs
