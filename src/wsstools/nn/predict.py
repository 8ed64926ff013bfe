"""Class probabilities of an image, from a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from wsstools.nn.networks import SegmentationNetwork, upsample


@torch.inference_mode()
def predict_probs(
    network: SegmentationNetwork,
    image: NDArray,
    device: str | torch.device = "cpu",
    *,
    scales: Sequence[float] = (1.0,),
) -> NDArray[np.float32]:
    """Class probabilities of each pixel, (C, H, W).

    Parameters
    ----------
    network : SegmentationNetwork
        In eval mode, on `device`.
    image : (H, W, 3) uint8 or float32
        RGB, 0..255.
    device : str or torch.device
        Where to compute.
    scales : sequence of float
        The image is also shown to the network at these sizes (multi-scale, MSC); the
        probabilities are averaged.

    Returns
    -------
    (C, H, W) float32
        They sum to 1 over the classes.

    Notes
    -----
    The number of threads changes the last bits: a caller that wants the same bits from any number
    of processes fixes it with ``torch.set_num_threads(1)``.
    """
    size = image.shape[0], image.shape[1]
    whole = torch.tensor(image, device=device)
    pixels = whole.permute(2, 0, 1)[None].float()  # (1, 3, H, W), channels last in memory
    total = torch.zeros(())
    for scale in scales:
        scaled_size = (max(1, round(scale * size[0])), max(1, round(scale * size[1])))
        scaled = pixels
        if scaled_size != size:
            scaled = F.interpolate(pixels, scaled_size, mode="bilinear", align_corners=False)
        logits = upsample(network(scaled)[0].float(), scaled_size)
        if scaled_size != size:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        total = total + logits.softmax(dim=1)[0].cpu()
    return (total / len(scales)).numpy()
