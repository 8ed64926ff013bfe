"""ResNets of few blocks, where their depth does not matter: most of a test's time goes with it."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

BLOCKS = {"resnet50": (1, 1, 1, 1), "resnet101": (1, 1, 2, 1)}
"""Of each stage."""


def shallow_resnets(models: ModuleType) -> dict[str, Any]:
    """What takes the place of the functions of `torchvision.models`, by their names."""

    def makes(blocks: tuple[int, ...]) -> Any:
        made = functools.partial(models.resnet.ResNet, models.resnet.Bottleneck, list(blocks))
        return lambda weights=None, **options: made(**options)

    return {name: makes(blocks) for name, blocks in BLOCKS.items()}
