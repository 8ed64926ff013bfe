"""The first convolution of a network from the forms in which trained weights circulate."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from numpy.typing import DTypeLike

from wsstools.core.arrays import AnyArray
from wsstools.errors import DataError
from wsstools.files import npy
from wsstools.files.limits import open_file, read_file
from wsstools.files.torch_archive import read_torch
from wsstools.formats.filter_weights.convolution import (
    Convolution,
    StoredArray,
    convolutions_in,
    first_convolution,
)
from wsstools.formats.protobuf import Field, integers, mapped, numbers, parse_message, text

_NUMBER_BYTES = 16


def read_first_convolution(path: Path) -> Convolution:
    """The first convolution on three planes, (F, 3, k, k) float32, in a file of one of _READERS.

    DataError: the file is of no such form or damaged, or holds no convolution that a bank can use.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: no file of weights; expected {', '.join(_READERS)}")
    try:
        return reader(path)
    except ValueError as error:
        # names come from the file, and may hold anything: one line of what can be printed
        text = "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split()))
        raise DataError(f"{path}: {text}") from error


def _npz(path: Path) -> Convolution:
    try:
        # An array is read where it is chosen.
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            arrays = {
                key: _Member(archive, key, npy.member_header(archive, key))
                for key in npy.member_keys(archive)
            }
            chosen = first_convolution(convolutions_in(arrays))
            if "stride" in arrays:
                stride = npy.read_member(archive, "stride", most_bytes=_NUMBER_BYTES)
                return replace(chosen, stride=int(stride))
            return chosen
    except ValueError:
        raise
    except Exception as error:  # damaged bytes raise whatever zipfile and zlib stumble over
        raise ValueError(f"not a readable .npz: {error}") from error


@dataclass(frozen=True)
class _Member:
    """An array in a `.npz` that is not read yet."""

    archive: zipfile.ZipFile
    key: str
    header: npy.Header

    @property
    def shape(self) -> tuple[int, ...]:
        return self.header.shape

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        array = npy.read_member(self.archive, self.key)
        return array if dtype is None else array.astype(dtype)


def _npy(path: Path) -> Convolution:
    return first_convolution(convolutions_in({path.stem: npy.read_array(read_file(path))}))


def _pth(path: Path) -> Convolution:
    try:
        state = read_torch(read_file(path))
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise ValueError("not a readable state dict") from error
    return first_convolution(convolutions_in(dict(_tensors(state, ""))))


def _tensors(state: object, path: str) -> Iterator[tuple[str, StoredArray]]:
    if not isinstance(state, Mapping):
        raise ValueError("not a state dict")
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield from _tensors(value, f"{path}{key}/")
        elif hasattr(value, "detach"):  # a tensor, by its looks: torch takes seconds to load
            yield f"{path}{key}", value.detach()


def _from_protobuf(
    convolutions: Callable[[memoryview], Iterator[Convolution]], path: Path
) -> Convolution:
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with open_file(path) as file:
        data = mapped(file)  # of some hundred megabytes, of which the first layer is read
    return first_convolution(convolutions(data))


# Numbers of the fields in onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 3, 8
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_LOCATION = 1, 2, 8, 9, 14
_TENSOR_FLOATS, _TENSOR_DOUBLES = 4, 10
_ONNX_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}


def _onnx_convolutions(data: memoryview) -> Iterator[Convolution]:
    graphs = parse_message(data)[_MODEL_GRAPH]
    graph = parse_message(graphs[-1] if graphs else data[:0])
    tensors = {}
    for entry in graph[_GRAPH_INITIALIZER]:
        tensor = parse_message(entry)
        tensors[text(tensor[_TENSOR_NAME])] = tensor
    for entry in graph[_GRAPH_NODE]:
        node = parse_message(entry)
        inputs = [text([name]) for name in node[_NODE_INPUT]]
        if text(node[_NODE_OPERATOR]) != "Conv" or inputs[1:2] == [] or inputs[1] not in tensors:
            continue
        attributes = {}
        for described in node[_NODE_ATTRIBUTE]:
            attribute = parse_message(described)
            values = attribute[_ATTRIBUTE_INTS] or attribute[_ATTRIBUTE_INT]
            attributes[text(attribute[_ATTRIBUTE_NAME])] = integers(values)
        bias = inputs[2] if len(inputs) > 2 else ""
        yield Convolution(
            inputs[1],
            _onnx_array(tensors[inputs[1]]),
            _onnx_array(tensors[bias]) if bias in tensors else None,
            _single(attributes.get("strides"), 1),
            _single(attributes.get("group"), 1),
        )


def _onnx_array(tensor: dict[int, list[Field]]) -> AnyArray:
    kind = _ONNX_TYPES.get(_single(integers(tensor[_TENSOR_TYPE]), 0))
    name = text(tensor[_TENSOR_NAME])
    if kind is None:
        raise ValueError(f"{name} holds no floating-point weights; quantized models are not read")
    if _single(integers(tensor[_TENSOR_LOCATION]), 0):
        raise ValueError(f"the weights {name} are in another file")
    values = numbers(tensor[_TENSOR_RAW], kind)
    if not len(values):
        stored = _TENSOR_DOUBLES if kind == "<f8" else _TENSOR_FLOATS
        values = numbers(tensor[stored], "<f8" if kind == "<f8" else "<f4")
    return values.reshape(integers(tensor[_TENSOR_DIMS]))


# Numbers of the fields in caffe.proto: of today's layers and of those before 2014 ("V1").
_NET_LAYERS, _NET_V1_LAYERS = 100, 2
_LAYER = {"name": 1, "type": 2, "blobs": 7, "convolution": 106}
_V1_LAYER = {"name": 4, "type": 5, "blobs": 6, "convolution": 10}
_V1_CONVOLUTION = 4
_CONVOLUTION_GROUP, _CONVOLUTION_STRIDE = 5, 6
_BLOB_FLOATS, _BLOB_SHAPE, _BLOB_DOUBLES = 5, 7, 8
_BLOB_OLD_SHAPE = (1, 2, 3, 4)
_SHAPE_DIM = 1


def _caffe_convolutions(data: memoryview) -> Iterator[Convolution]:
    network = parse_message(data)
    for numbered, layers in ((_LAYER, network[_NET_LAYERS]), (_V1_LAYER, network[_NET_V1_LAYERS])):
        for entry in layers:
            layer = parse_message(entry)
            kind = layer[numbered["type"]]
            is_convolution = kind == [_V1_CONVOLUTION] or text(kind) == "Convolution"
            blobs = layer[numbered["blobs"]]
            if not is_convolution or not blobs:
                continue
            options = layer[numbered["convolution"]]
            how = parse_message(options[-1] if options else data[:0])
            yield Convolution(
                text(layer[numbered["name"]]),
                _caffe_array(blobs[0]),
                _caffe_array(blobs[1]).ravel() if len(blobs) > 1 else None,
                _single(integers(how[_CONVOLUTION_STRIDE]), 1),
                _single(integers(how[_CONVOLUTION_GROUP]), 1),
            )


def _caffe_array(entry: Field) -> AnyArray:
    blob = parse_message(entry)
    if blob[_BLOB_SHAPE]:
        shape = integers(parse_message(blob[_BLOB_SHAPE][-1])[_SHAPE_DIM])
    else:
        shape = [_single(integers(blob[number]), 1) for number in _BLOB_OLD_SHAPE]
    if blob[_BLOB_DOUBLES]:
        return numbers(blob[_BLOB_DOUBLES], "<f8").reshape(shape)
    return numbers(blob[_BLOB_FLOATS], "<f4").reshape(shape)


def _single(values: list[int] | None, default: int) -> int:
    """The value that all of them have."""
    if not values:
        return default
    if len(set(values)) > 1:
        raise ValueError(f"a convolution goes in steps of {values}, expected equal ones")
    return values[0]


_READERS: dict[str, Callable[[Path], Convolution]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".pth": _pth,
    ".pt": _pth,
    ".onnx": partial(_from_protobuf, _onnx_convolutions),
    ".caffemodel": partial(_from_protobuf, _caffe_convolutions),
}
