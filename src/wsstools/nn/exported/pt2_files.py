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

from wsstools.files.damage import reading
from wsstools.files.limits import open_file
from wsstools.nn.exported.program import Compute


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


def loaded_pt2(path: Path) -> Compute:
    """What a file computes in torch: (N, C, H, W) of images (N, H, W, 3).

    DataError, now or then, if torch refuses the file or fails.
    """
    with open_file(path) as file, reading("torch.export"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        module = torch.export.load(file).module()

    @torch.inference_mode()
    def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with reading("torch.export"):
            probs: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
        return probs

    return compute
