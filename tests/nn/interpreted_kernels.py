"""The GPU's kernels in Triton's interpreter, on a CPU: prints the largest errors, of the largest."""

import os

os.environ["TRITON_INTERPRET"] = "1"  # before the kernels are made

import torch
import torch.nn.functional as F

from wsstools.nn.gpu import depthwise as gpu
from wsstools.nn.gpu import kernels

SHAPES = [(2, 40, 9, 7), (1, 32, 6, 11), (1, 64, 8, 8), (1, 32, 1, 1), (2, 3, 2, 1)]
STRIDES = [(1, 1), (2, 1), (1, 2), (1, 4)]  # and dilations


def errors(shape: tuple[int, ...], stride: int, dilation: int) -> list[float]:
    """Of the result, the gradient of x and that of the weights."""
    channels = shape[1]
    x = torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(channels, 1, 3, 3).requires_grad_()
    found = gpu.depthwise(x, weight, stride, dilation)
    expected = F.conv2d(x, weight, None, stride, dilation, dilation, channels)
    assert found.is_contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(expected.shape)
    pairs = zip(
        [found, *torch.autograd.grad(found, (x, weight), gradient)],
        [expected, *torch.autograd.grad(expected, (x, weight), gradient)],
        strict=True,
    )
    return [((a - b).abs().max() / b.abs().max()).item() for a, b in pairs]


gpu.kernels = lambda: kernels
torch.set_num_threads(1)
torch.manual_seed(0)
worst = [errors(shape, *steps) for shape in SHAPES for steps in STRIDES]
kernels._CHUNKS, kernels._TILES = 4, 1  # several tiles a program, the last one smaller; large ones
worst += [errors((2, 40, 17, 15), 1, 2), errors((1, 64, 15, 16), 2, 1)]
print(max(map(max, worst)))
