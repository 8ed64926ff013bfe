"""Import of torchvision also where its compiled operators do not fit the installed torch."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # an operator lives as long as its library object


def import_torchvision() -> ModuleType:
    """The torchvision package, with `torchvision.models` ready to use.

    Notes
    -----
    Next to a torch of another build (CPU and CUDA, say), torchvision's compiled operators do not
    load and its import stops at the first of them, ``torchvision::nms``. The networks used here
    are plain torch and need no operator of torchvision's, so that declaring the missing two is
    enough.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            library.define(operator)
        _declared.append(library)
        return importlib.import_module("torchvision")
