"""Kernels for a GPU: here in an interpreter where Triton is installed, there against torch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from wsstools.nn.gpu import depthwise as gpu

MOBILE = [(32, 97, 1, 1), (96, 97, 2, 1), (144, 49, 2, 1), (384, 25, 1, 2), (960, 25, 1, 4)]
"""Channels, side, stride and dilation of MobileNetV2's at crops of 193 pixels."""


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="no Triton: pip install triton")
def test_interpreted_kernels_convolve():
    script = Path(__file__).with_name("interpreted_kernels.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("channels", "side", "stride", "dilation"), MOBILE)
def test_a_gpu_convolves_as_torch_does(channels, side, stride, dilation, dtype):
    assert gpu.kernels() is not None
    torch.manual_seed(0)
    x = torch.randn(2, side, side, channels, device="cuda").to(dtype).permute(0, 3, 1, 2)
    x.requires_grad_()
    weight = torch.randn(channels, 1, 3, 3, device="cuda", requires_grad=True)
    found = gpu.depthwise(x, weight, stride, dilation)
    wide = x.double(), weight.to(dtype).double()
    expected = F.conv2d(*wide, None, stride, dilation, dilation, channels)
    gradient = torch.randn_like(found)
    ours = torch.autograd.grad(found, (x, weight), gradient)
    again = torch.autograd.grad(gpu.depthwise(x, weight, stride, dilation), (x, weight), gradient)
    theirs = torch.autograd.grad(expected, (x, weight), gradient.double())
    assert all(map(torch.equal, ours, again))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    for a, b in zip([found, *ours], [expected, *theirs], strict=True):
        assert (a.double() - b.double()).abs().max() < tolerance * b.double().abs().max()
