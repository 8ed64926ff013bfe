"""The mean IoU of a network on images that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch

from wsstools.core.evaluation.metrics import N_VALUES, confusion_matrix, scores
from wsstools.core.maps import ProbabilityMap
from wsstools.nn.data.crops import Pairs
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.predict import predict_probs
from wsstools.nn.training.distributed import ProcessGroup


def mean_iou(
    network: SegmentationNetwork, pairs: Pairs, n_classes: int, world: ProcessGroup
) -> float:
    """The mean IoU over the classes, a fraction; see `wsstools.core.evaluation.metrics.scores`.

    The network is in eval mode, on the device of the world, of which each process looks at its
    share of the images. ValueError if the ground truth is no labels.
    """
    confusion = np.zeros((N_VALUES, N_VALUES), np.int64)
    for index in range(world.rank, len(pairs), world.size):
        image, gt = pairs[index]
        if isinstance(gt, ProbabilityMap):
            raise ValueError("ground truth is a map of probabilities, expected labels")
        labels = predict_probs(network, image, world.device).argmax(axis=0)
        confusion += confusion_matrix(labels.astype(np.uint8), gt)
    total = world.total(torch.from_numpy(confusion).to(world.device))
    return scores(total.cpu().numpy(), n_classes).mean_iou
