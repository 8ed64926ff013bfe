"""Published ImageNet weights: which files they are, where they are, how they are checked.

Standard library only, so that a list of them is instant.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsstools.errors import DataError
from wsstools.files.limits import open_file

_TORCHVISION = "https://download.pytorch.org/models/"
_ONNX_ZOO = "https://huggingface.co/onnxmodelzoo/"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Pretrained:
    """A published file of weights."""

    name: str  # what the commands call it
    file: str  # its name
    site: str  # what precedes that in its address
    sha256: str  # of the file, in hexadecimal digits
    megabytes: float  # of 2**20 bytes
    archs: tuple[str, ...] = ()  # the architectures whose backbone starts from it
    filters: str = ""  # the option of the filter bank that it serves, and its filters
    filter_input: str = ""  # what the network takes, where it serves as a filter bank

    @property
    def url(self) -> str:
        """Where the file is published."""
        return self.site + self.file

    @property
    def purpose(self) -> str:
        """The options that it serves."""
        uses = (self.filters, f"--arch {', '.join(self.archs)}" if self.archs else "")
        return "; ".join(use for use in uses if use)

    @property
    def alternative(self) -> str:
        """The options that do without the file."""
        instead = {"--filters gabor": self.filters, "--init random": self.archs}
        return " or ".join(option for option, used in instead.items() if used)


# The torchvision files are of the IMAGENET1K_V1 weights, the recipe that the papers started from.
# Torchvision publishes their sizes, and in their names the first eight digits of the checksums;
# the other digits are those that independent projects pin for them (of mobilenet_v2: computed
# from the file). Of AlexNet with its 96 filters, Krizhevsky's own weights were never published in
# an open format; this is the replica of the Caffe authors in the ONNX model zoo. Size and checksum
# are twice in the zoo's repository: in the Git LFS pointer bvlcalexnet-9.onnx and in
# ONNX_HUB_MANIFEST.json. The files themselves moved to the organization "onnxmodelzoo" in 2025.
PRETRAINED: dict[str, Pretrained] = {
    weights.name: weights
    for weights in (
        Pretrained(
            "vgg16",
            "vgg16-397923af.pth",
            _TORCHVISION,
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            527.796,
            archs=("deeplabv2-vgg16",),
            filters="--filters vgg16, paper: 64 filters of 3x3",
            filter_input="torchvision",
        ),
        Pretrained(
            "alexnet-original",
            "bvlcalexnet-9.onnx",
            _ONNX_ZOO + "bvlcalexnet-9/resolve/main/",
            "ef3c82dad5c512f969dbf701fe35c0b3feb1585687d541f765eb68730c0a8af7",
            232.566,
            filters="--filters alexnet-original, paper: 96 filters of 11x11",
            filter_input="caffe",
        ),
        Pretrained(
            "alexnet",
            "alexnet-owt-7be5be79.pth",
            _TORCHVISION,
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            233.087,
            filters="--filters alexnet: 64 filters of 11x11",
            filter_input="torchvision",
        ),
        Pretrained(
            "resnet101",
            "resnet101-63fe2227.pth",
            _TORCHVISION,
            "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
            170.511,
            archs=("deeplabv2-resnet101", "pspnet-resnet101", "deeplabv3plus-resnet101"),
        ),
        Pretrained(
            "resnet50",
            "resnet50-0676ba61.pth",
            _TORCHVISION,
            "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            97.781,
            archs=("deeplabv2-resnet50", "pspnet-resnet50", "deeplabv3plus-resnet50"),
        ),
        Pretrained(
            "mobilenet_v2",
            "mobilenet_v2-b0353104.pth",
            _TORCHVISION,
            "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            13.555,
            archs=("deeplabv2-mobilenetv2", "deeplabv3plus-mobilenetv2"),
        ),
    )
}

TOGETHER = {"paper": ("vgg16", "alexnet-original")}
"""Names for several files: `paper` is the 160 filters that the study behind wsstools used."""


def torch_cache() -> Path:
    """The folder in which torch keeps what it has downloaded, as torch.hub finds it."""
    home = os.getenv("TORCH_HOME", os.path.join(os.getenv("XDG_CACHE_HOME", "~/.cache"), "torch"))
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"


def find_pretrained(name: str, folder: str | None = None) -> Path | None:
    """Path of a file of weights in `folder` or else in torch's own cache; None if in neither."""
    folders = [torch_cache()] if folder is None else [Path(folder), torch_cache()]
    paths = (place / PRETRAINED[name].file for place in folders)
    return next((path for path in paths if path.is_file()), None)


def check_pretrained(name: str, path: Path) -> None:
    """Refuse a file whose SHA-256 is not the published one, by a DataError."""
    sha256 = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
    expected = PRETRAINED[name].sha256
    if sha256.hexdigest() != expected:
        raise DataError(
            f"{path}: SHA-256 is {sha256.hexdigest()[:12]}..., expected {expected[:12]}...; "
            "the file is damaged or another; delete it, and wss weights fetch "
            f"{name} brings the right one"
        )


def fetch_pretrained(
    name: str,
    folder: str | None = None,
    *,
    began: Callable[[str], None] = lambda text: None,
    advance: Callable[[], None] = lambda: None,
) -> Path:
    """Path of a checked file of weights in `folder` (None: torch's cache), brought there if needed.

    A right file in torch's cache is copied, else it is downloaded. A wrong one in the folder is
    replaced. `began` is called with what is done, if anything is to be done; `advance` after each
    2**20 bytes. DataError if it cannot be downloaded, or what comes is wrong; nothing is left
    behind.
    """
    # The network's modules are slow to import, and most weights are there.
    from wsstools.nn.models.download import copy_checked, download  # noqa: PLC0415

    weights = PRETRAINED[name]
    target = (torch_cache() if folder is None else Path(folder)) / weights.file
    cached = torch_cache() / weights.file
    if _is_right(name, target):
        return target
    if cached != target and _is_right(name, cached):
        began(f"copying {cached}")
        with open_file(cached) as file:
            copy_checked(file, target, weights.sha256, advance)
        return target
    began(f"downloading {weights.url} ({weights.megabytes:.0f} MB)")
    try:
        download(weights.url, target, weights.sha256, advance)
    except DataError as error:
        raise DataError(
            f"{error}; put {weights.file} into a folder and name it with --weights-dir, "
            f"or do without: {weights.alternative} needs no weights"
        ) from error
    return target


def _is_right(name: str, path: Path) -> bool:
    try:
        check_pretrained(name, path)
    except (DataError, FileNotFoundError):
        return False
    return True


def find_weights(name: str, folder: str | None = None) -> Path:
    """Path of a checked file of weights, in `folder` or else in torch's cache.

    A missing one is downloaded there, which is reported on standard error. DataError if it is
    damaged, or neither there nor to be downloaded.
    """
    path = find_pretrained(name, folder)
    if path is None:
        return fetch_pretrained(name, began=lambda text: print(f"wss: {text}", file=sys.stderr))
    check_pretrained(name, path)
    return path
