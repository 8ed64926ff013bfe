"""The weights that training starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from wsstools.errors import DataError, UsageError
from wsstools.files.torch_archive import read_torch
from wsstools.nn.models.model_files import decode_checkpoint, decode_model, is_checkpoint, is_model
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.models.pretrained import PRETRAINED, find_weights

_MISFIT = "the initial weights do not fit the network"
_NO_STATE = "neither a wsstools model nor a torch state dict"
_WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "network_weights", "model", "network", "net",
    "module", "weights", "params",
)  # fmt: skip
"""Where the checkpoints of others hold the network; of several the first counts."""
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What DataParallel, torch.compile and Lightning put before the name of every tensor."""
_DEEPEST = 4
_REFUSED_OBJECT = re.compile(r"GLOBAL ([\w.]+)")
"""What torch says of a class that it does not load."""


def imagenet_state(arch: str, folder: str | None = None) -> dict[str, Tensor]:
    """Torchvision's ImageNet state dict of a network's backbone, as `find_weights` finds it.

    UsageError if there is none.
    """
    check_pretrainable(arch)
    (name,) = (weights.name for weights in PRETRAINED.values() if arch in weights.archs)
    return load_pretrained(name, folder)


def check_pretrainable(arch: str) -> None:
    """Refuse, by a UsageError, an architecture whose backbone nobody trains on ImageNet."""
    if not any(arch in weights.archs for weights in PRETRAINED.values()):
        raise UsageError(f"--init imagenet: {arch} has no such weights; give --init random")


def load_pretrained(name: str, folder: str | None = None) -> dict[str, Tensor]:
    """State dict of a network of torchvision's; parameters and errors as of `find_weights`."""
    path = find_weights(name, folder)
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def read_state(data: bytes) -> dict[str, Tensor]:
    """State dict in a file: a model or checkpoint of ours, or one such as torchvision's.

    Of others' checkpoints it is what `_WRAPPERS` name, without the prefixes that wrappers of a
    network give to all its tensors (`module.` of DataParallel, say). DataError if it is neither.
    """
    if is_model(data):
        return decode_model(data).network.state_dict()
    if is_checkpoint(data):
        return dict(decode_checkpoint(data)["network"])
    try:
        state = read_torch(data)
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise DataError(f"{_NO_STATE}{_foreign_objects(error)}") from error
    return _without_prefixes(_unwrapped(state))


def _foreign_objects(error: Exception) -> str:
    """What is said of a file that holds more than tensors, which torch refuses to load."""
    found = _REFUSED_OBJECT.search(str(error))
    if found is None:
        return ""
    return f": it holds {found[1]} objects, which may run code (save its tensors alone)"


def _unwrapped(content: object) -> dict[str, Tensor]:
    """The tensors of a network in a checkpoint, by their names."""
    for _ in range(_DEEPEST):
        if not isinstance(content, Mapping):
            break
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return {str(name): tensor for name, tensor in content.items()}
        inside = [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inside:
            known = ", ".join(_WRAPPERS)
            held = ", ".join(repr(key) for key in list(content)[:5]) or "nothing"
            raise DataError(f"{_NO_STATE}: it holds {held}, expected tensors or one of {known}")
        content = inside[0]
    raise DataError(_NO_STATE)


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def load_initial(network: SegmentationNetwork, state: Mapping[str, Tensor]) -> None:
    """Copy initial weights into a network.

    They are torchvision's of the backbone (see `Backbone.from_imagenet`; the head of the network
    stays as it is), or those of a whole network, as of `network.state_dict()`. DataError if a
    tensor is missing, left over, or has another shape.
    """
    whole = any(name.startswith("backbone.") for name in state)
    target = network if whole else network.backbone
    try:
        wanted = dict(state) if whole else network.backbone.from_imagenet(state)
    except ValueError as error:
        raise DataError(f"{_MISFIT}: {error}") from error
    _check(wanted, target.state_dict())
    target.load_state_dict(wanted, strict=False)


def _check(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    # Files written before torch 0.4.1 lack the counts, which training does not use.
    required = {name for name in expected if not name.endswith("num_batches_tracked")}
    problems = [
        *(f"{name} is missing" for name in expected if name in required - found.keys()),
        *(f"{name} has no place in it" for name in found if name not in expected),
        *(
            f"{name} has shape {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if name in found and found[name].shape != tensor.shape
        ),
    ]
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        reasons = "; ".join(problems[:3])
        raise DataError(f"{_MISFIT}: {reasons}{more}")
