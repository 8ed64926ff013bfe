"""How much smaller a loss may look at crops: its gradient on real photographs."""

import numpy as np
import pytest
import torch
from builders import SHARED
from scipy.ndimage import gaussian_filter

from wsstools.formats.image_files import decode_image
from wsstools.formats.label_files import decode_labels
from wsstools.nn.regularizing.affinities import Crops
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import Constants

CAMVID = SHARED / "data/camvid"
SIDE, CLASSES, STRIDE = 193, 11, 8


def crop_and_logits(name):
    """A crop, and what a network might say of it: the smoothed truth, with noise."""
    part = np.s_[60 : 60 + SIDE, 100 : 100 + SIDE]
    path = CAMVID / "images" / f"{name}.jpg"
    rgb = torch.from_numpy(decode_image(path.read_bytes(), str(path)).value[part].astype("f4"))
    labels = CAMVID / "gt" / f"{name}.png"
    truth = decode_labels(labels.read_bytes(), str(labels)).value[part]
    probs = np.stack([gaussian_filter((truth == c).astype(float), 3) for c in range(CLASSES)])
    logits = np.log((probs + 0.02) / (probs + 0.02).sum(axis=0))[:, ::STRIDE, ::STRIDE]
    logits += np.random.default_rng(0).normal(0, 0.5, logits.shape)
    real = torch.ones(1, SIDE, SIDE, dtype=torch.bool)
    crops = Crops(rgb.permute(2, 0, 1)[None], real, 255 * real.to(torch.uint8), torch.ones(1))
    return crops, torch.from_numpy(logits[None]).float()


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("sigmas", [(15.0, 100.0), (5.0, 10.0)])
def test_half_and_quarter_size_point_where_full_size_does(sigmas):
    crops, logits = crop_and_logits("0016E5_08460")

    def gradient(scale):
        of = logits.clone().requires_grad_()
        Regularizer("densecrf", Constants(scale, *sigmas), 1.0)(of, crops, STRIDE).backward()
        return of.grad.flatten()

    full = gradient(1.0)
    half, quarter, eighth = (
        torch.cosine_similarity(full, gradient(scale), dim=0) for scale in (0.5, 0.25, 0.125)
    )
    assert half > 0.98
    assert half > quarter > 0.94
    assert quarter > eighth > 0.8
