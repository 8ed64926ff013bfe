"""Networks as ONNX files, and what ONNX Runtime computes with one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxscript  # noqa: F401 - torch.onnx needs it, and says so late
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from wsstools import __version__
from wsstools.errors import DataError, one_line
from wsstools.files.damage import reading
from wsstools.nn.exported.program import AXES, INPUT, OUTPUT, Compute

OPSET = 18
"""Of the operators: one that programs of 2023 read, and that has all that is needed."""
_IR_VERSION = 8
"""Of the file: what came with OPSET."""
LARGEST = (1 << 31) - 1
"""Bytes that a message of Protocol Buffers can have."""


def encode_onnx(program: ExportedProgram, metadata: Mapping[str, str], *, is_free: bool) -> bytes:
    """An ONNX file of a network, its weights inside; the same program gives the same bytes.

    Its input is `images`, (batch, height, width, 3) uint8, its output `probs`, (batch, C, height,
    width) float32; `is_free`: batch, height and width are. DataError if it is too large, or torch
    has no ONNX for an operator.
    """
    size = sum(value.nbytes for value in program.state_dict.values())
    if size > LARGEST:
        raise DataError(f"its weights are {size:,} bytes, an ONNX file holds at most {LARGEST:,}")
    with _quiet_exporter():
        try:
            made = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
        except Exception as error:  # torch raises whatever it stumbles over
            raise DataError(f"cannot be written as ONNX: {one_line(str(error))}") from error
    if made is None:
        raise DataError("cannot be written as ONNX")
    model = made.model_proto
    _strip(model)
    if is_free:
        _name_axes(model)
    model.ir_version = _IR_VERSION
    model.producer_name, model.producer_version = "wsstools", __version__
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def loaded_onnx(path: Path, n_threads: int = 0) -> Compute:
    """What a file computes in ONNX Runtime on the CPU: (N, C, H, W) of images (N, H, W, 3).

    `n_threads`: 0 is as many as it likes. DataError, now or then, if it refuses the file or fails.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 4  # what it says of a failure is in the error
    with reading("ONNX Runtime"):
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with reading("ONNX Runtime"):
            (probs,) = session.run([OUTPUT], {INPUT: images})
        return np.asarray(probs, np.float32)

    return compute


def _strip(model: onnx.ModelProto) -> None:
    """Remove what says where in the code a node comes from, and what runtimes infer."""
    graph = model.graph
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    for one in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        one.ClearField("metadata_props")
        one.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.name = "wsstools"


def _name_axes(model: onnx.ModelProto) -> None:
    """Name the free axes of input and output."""
    for value, axes in (
        (model.graph.input[0], enumerate(AXES)),
        (model.graph.output[0], zip((0, 2, 3), AXES, strict=True)),
    ):
        for axis, name in axes:
            value.type.tensor_type.shape.dim[axis].dim_param = name


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without what torch's exporter says of itself."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
