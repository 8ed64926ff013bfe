"""Parameters of the local models. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from wsstools.core.parameter import documented, parameter

ENGINES = ("compiled", "sklearn")


@documented
@dataclass(frozen=True)
class ForestSettings:
    """How a local random forest is trained."""

    trees: int = parameter(
        50, "Trees of the forest; more is smoother and slower.", metavar="N", min=1
    )
    features: int = parameter(100, "Filters that the ranking keeps.", metavar="N", min=1)
    engine: str = parameter(
        "compiled",
        "What grows the trees: compiled (our own) or sklearn (the reference, slower).",
        metavar="|".join(ENGINES),
        choices=ENGINES,
    )


@documented
@dataclass(frozen=True)
class BoostingSettings:
    """How a local boosting model is trained."""

    rounds: int = parameter(
        30, "Boosting: trees of each class; more is surer and slower.", metavar="N", min=1
    )
    learning_rate: float = parameter(
        0.1, "Boosting: share of a tree's correction that is made.", metavar="X"
    )
    leaves: int = parameter(
        15,
        "Boosting: most leaves of a tree; more follows the scribbles closer.",
        metavar="N",
        min=2,
    )
    l2: float = parameter(
        10.0,
        "Boosting: weight of the leaves' squares; larger is less sure, rare classes shrink.",
        metavar="X",
    )


@documented
@dataclass(frozen=True)
class WalkerSettings:
    """How the random walker walks."""

    beta: float = parameter(
        1000.0,
        "Walker: how hard edges of the image are to cross; larger crosses less.",
        metavar="X",
    )


@documented
@dataclass(frozen=True)
class LinearSettings:
    """How a local linear model is trained."""

    penalty: float = parameter(
        0.3,
        "Linear: weight of the coefficients' squares; larger is less sure.",
        metavar="X",
    )
    pixels: int = parameter(
        1000,
        "Linear: most scribbled pixels of a class that it learns from, spread evenly.",
        metavar="N",
        min=1,
    )
    temperature: float = parameter(
        1.0, "Linear: what the logits are divided by; larger is less sure.", metavar="X"
    )


@documented
@dataclass(frozen=True)
class MixtureSettings:
    """How mixtures of Gaussians model colours."""

    components: int = parameter(
        5, "GMM: Gaussians of each class; fewer where it has few pixels.", metavar="N", min=1
    )


@documented
@dataclass(frozen=True)
class ParzenSettings:
    """How densities of colours vary over an image."""

    bandwidth: float = parameter(
        13.0, "Parzen: grey levels by which colours of a class may differ.", metavar="X"
    )
    reach: float = parameter(
        1.8,
        "Parzen: how far a stroke reaches, over the distance to the nearest one of its class.",
        metavar="X",
    )
    samples: int = parameter(
        300, "Parzen: most scribbled pixels of a class, spread evenly.", metavar="N", min=1
    )


@documented
@dataclass(frozen=True)
class FeatureSettings:
    """The filters whose responses are a pixel's features."""

    filters: Optional[List[str]] = parameter(
        None,
        "gabor (built in, the default), vgg16, alexnet-original, paper (the two), alexnet "
        "(torchvision's), or a file of a network's weights: .npz, .npy, .pth, .onnx, "
        ".caffemodel. Give it again to join banks. wss weights lists where the named ones come "
        "from.",
        metavar="BANK",
        choices=("gabor", "vgg16", "alexnet-original", "paper", "alexnet"),
    )
    features_of: Optional[str] = parameter(
        None,
        "Take the features of this network, a model file of wss train: those of its blocks, "
        "and its logits. Filters join them where they are named.",
        metavar="MODEL",
    )
    filter_input: Optional[List[str]] = parameter(
        None,
        "What the network of a file takes: rgb (0..255, the default), bgr (0..255), caffe (bgr "
        "less ImageNet's mean) or torchvision (rgb/255, less its mean, by its deviation). Once "
        "for all files, or once for each.",
        metavar="INPUT",
        choices=("rgb", "bgr", "caffe", "torchvision"),
    )
    rectify: bool = parameter(
        False, "Set negative responses of a network's filters to 0, as it does."
    )
    position: bool = parameter(False, "Row and column of a pixel are features too.")
    scales: str = parameter(
        "1",
        "Filter the image at these sizes: 1, the image itself, and 1 divided by a whole number, "
        "such as 1,0.5,0.25; smaller ones see more of a pixel's surroundings.",
        metavar="X,X,...",
    )
    weights_dir: Optional[str] = parameter(
        None,
        "Folder to look into for published weights before downloading them.",
        metavar="DIR",
        envvar="WSS_WEIGHTS",
    )
