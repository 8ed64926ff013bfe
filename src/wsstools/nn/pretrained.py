"""ImageNet weights of torchvision: which files they are, where they lie, how they are checked."""

from __future__ import annotations

import hashlib
import http.client
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsstools.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

FILTER_BANKS = ("vgg16", "alexnet")
"""Networks of which only the first layer is used."""
_SITE = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Pretrained:
    """A published file of weights.

    Attributes
    ----------
    name : str
        Of the network, as torchvision calls it.
    file : str
        File name; the hexadecimal digits after its last dash begin the file's SHA-256.
    """

    name: str
    file: str

    @property
    def url(self) -> str:
        """Where the file is published."""
        return _SITE + self.file

    @property
    def alternative(self) -> str:
        """The option that does without the file."""
        return "--filters gabor" if self.name in FILTER_BANKS else "--init random"

    @property
    def digest(self) -> str:
        """The first digits of the file's SHA-256."""
        return Path(self.file).stem.rpartition("-")[2]


# torchvision's IMAGENET1K_V1 weights, the recipe that the papers started from.
PRETRAINED: dict[str, Pretrained] = {
    weights.name: weights
    for weights in (
        Pretrained("resnet101", "resnet101-63fe2227.pth"),
        Pretrained("resnet50", "resnet50-0676ba61.pth"),
        Pretrained("mobilenet_v2", "mobilenet_v2-b0353104.pth"),
        Pretrained("vgg16", "vgg16-397923af.pth"),
        Pretrained("alexnet", "alexnet-owt-7be5be79.pth"),
    )
}


def find_pretrained(name: str, folder: str | None = None) -> Path | None:
    """Path of a network's weights in `folder` or else in torch's own cache; None if in neither.

    Parameters
    ----------
    name : str
        A key of `PRETRAINED`.
    folder : str or None
        A folder to look into first.
    """
    import torch

    folders = [Path(torch.hub.get_dir()) / "checkpoints"]
    if folder is not None:
        folders.insert(0, Path(folder))
    paths = (place / PRETRAINED[name].file for place in folders)
    return next((path for path in paths if path.is_file()), None)


def check_pretrained(name: str, path: Path) -> None:
    """Refuse a file whose SHA-256 is not that of its name.

    Raises
    ------
    DataError
    """
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    digest = sha256.hexdigest()
    expected = PRETRAINED[name].digest
    if not digest.startswith(expected):
        raise DataError(
            f"{path}: SHA-256 begins with {digest[: len(expected)]}, expected {expected}; "
            "the file is damaged or not torchvision's"
        )


def load_pretrained(name: str, folder: str | None = None) -> dict[str, Tensor]:
    """State dict of a network of torchvision's, downloaded into torch's cache where not at hand.

    Parameters
    ----------
    name : str
        A key of `PRETRAINED`.
    folder : str or None
        A folder to look into first.

    Raises
    ------
    DataError
        The file is damaged, or it is neither at hand nor can it be downloaded.
    """
    import torch

    path = find_pretrained(name, folder)
    if path is None:
        return _download(PRETRAINED[name])
    check_pretrained(name, path)
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _download(weights: Pretrained) -> dict[str, Tensor]:
    import torch

    try:
        return torch.hub.load_state_dict_from_url(
            weights.url,
            map_location="cpu",
            progress=sys.stderr.isatty(),
            check_hash=True,
            weights_only=True,
        )
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot download the ImageNet weights {weights.url} ({error}); "
            f"put {weights.file} into a folder and name it with --weights-dir, or do without: "
            f"{weights.alternative} needs no weights"
        ) from error
