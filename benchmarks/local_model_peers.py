"""The peers of benchmarks/local_model.py: image and scribbles in, probability map out.

Every peer is a function of (image, scribbles, n_classes, rng). Those that are not installed raise
NotAvailableError when they are made.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.local.filter_bank import FilterBank, FilterLayer, extended
from wsstools.core.local.forest import random_forest
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.responses import Responses
from wsstools.core.maps import ProbabilityMap
from wsstools.formats.filter_weights.bank_files import read_layer
from wsstools.formats.filter_weights.network_input import INPUTS, on_rgb
from wsstools.nn.models.torchvision_compat import import_torchvision

N_TREES = 50
N_FEATURES = 100
CORES = os.cpu_count() or 1
SCALES = (1, 2, 4, 8)
VGG_FILE, ALEXNET_FILE = "vgg16_hed_first_blocks.npz", "caffenet_conv1_bgr.npz"
VGG_LAYERS = {0: "block1_conv1", 2: "block1_conv2", 5: "block2_conv1", 7: "block2_conv2"}
"""Number of a layer in torchvision's `features`: its name in the file."""
Predict = Callable[[NDArray, NDArray, int, np.random.Generator], ProbabilityMap]


class NotAvailableError(Exception):
    """Why a peer cannot run here."""


@dataclass(frozen=True)
class Peer:
    """One way from scribbles to probabilities; `threads` is what it may use."""

    what: str
    threads: int
    predict: Predict
    remarks: Callable[[], list[str]] = list


# wsstools


def ours(weights: Path | None) -> Peer:
    return Peer("wsstools, built-in bank", 1, partial(_predict_ours, bank=gabor_bank()))


def ours_sklearn(weights: Path | None) -> Peer:
    predict = partial(_predict_ours, bank=gabor_bank(), engine="sklearn")
    return Peer("wsstools, engine sklearn", 1, predict)


def ours_position(weights: Path | None) -> Peer:
    bank = extended(gabor_bank(), position=True)
    return Peer("wsstools, --position", 1, partial(_predict_ours, bank=bank))


def ours_scales(weights: Path | None) -> Peer:
    bank = extended(gabor_bank(), scales=SCALES, position=True)
    name = ",".join(map(str, SCALES))
    return Peer(f"wsstools, also scales {name}", 1, partial(_predict_ours, bank=bank))


def ours_paper(weights: Path | None) -> Peer:
    files = [_weight_file(weights, name) for name in (VGG_FILE, ALEXNET_FILE)]
    bank = FilterBank("paper", tuple(read_layer(file, filter_input="caffe") for file in files))
    return Peer("wsstools, filters of the paper", 1, partial(_predict_ours, bank=bank))


def our_features(image: NDArray, bank: FilterBank) -> NDArray[np.float32]:
    """Responses at all pixels, (F, H, W)."""
    return Responses(image, bank).of_rows(0, image.shape[0])


def _predict_ours(
    image: NDArray, scribbles: NDArray, n_classes: int, rng: np.random.Generator, **options: Any
) -> ProbabilityMap:
    return random_forest(image, scribbles, n_classes=n_classes, rng=rng, **options)


def _weight_file(weights: Path | None, name: str) -> Path:
    if weights is None or not (weights / name).is_file():
        raise NotAvailableError(f"needs --weights with {name}")
    return weights / name


# A plain script around scikit-learn's forest, and the same around its accelerated twin


class ConvolutionFeatures:
    """Responses of a bank as torch computes them: one (F, H, W) float32 array."""

    def __init__(self, bank: FilterBank) -> None:
        self.layers = bank.filters
        self.weights = [torch.from_numpy(_on_image(layer)) for layer in bank.filters]

    def __call__(self, image: NDArray) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        pixels = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        maps = []
        for layer, weights in zip(self.layers, self.weights, strict=True):
            radius, stride = weights.shape[2] // 2, layer.stride
            beyond = radius + (stride if stride > 1 else 0)
            padded = functional.pad(pixels, (radius, beyond, radius, beyond), mode="replicate")
            biases = torch.from_numpy(layer.biases)
            values = functional.conv2d(padded, weights, biases, stride=stride)
            if layer.is_energy:
                values = torch.hypot(values[:, 0::2], values[:, 1::2])
            if layer.is_rectified:
                values = values.relu()
            if stride > 1:
                size = [(n - 1) * stride + 1 for n in values.shape[2:]]
                values = functional.interpolate(values, size, mode="bilinear", align_corners=True)
            maps.append(values[0, :, :height, :width])
        return torch.cat(maps).numpy()


def _on_image(layer: FilterLayer) -> NDArray[np.float32]:
    if layer.colours is None:
        return layer.weights
    return np.einsum("fpyx,pc->fcyx", layer.weights, layer.colours).astype(np.float32)


def check_features(image: NDArray) -> float:
    """The largest difference of the script's features from ours, in grey levels.

    Raises SystemExit if it is more than rounding.
    """
    bank = gabor_bank()
    difference = float(np.abs(ConvolutionFeatures(bank)(image) - our_features(image, bank)).max())
    if not difference < 2e-3:
        raise SystemExit(f"the script's features are not ours: off by {difference:g} grey levels")
    return difference


def sklearn_script(weights: Path | None, *, threads: int) -> Peer:
    from sklearn.ensemble import RandomForestClassifier

    forest = partial(RandomForestClassifier, N_TREES, n_jobs=threads)
    predict = partial(_predict_script, features=ConvolutionFeatures(gabor_bank()), forest=forest)
    return Peer("torch + scikit-learn script", threads, predict)


def intelex_script(weights: Path | None, *, threads: int) -> Peer:
    found = _imported("sklearnex.ensemble", "scikit-learn-intelex")
    watch = FallbackWatch()
    forest = partial(found.RandomForestClassifier, N_TREES, n_jobs=threads)
    predict = partial(_predict_script, features=ConvolutionFeatures(gabor_bank()), forest=forest)
    return Peer("torch + scikit-learn-intelex", threads, watch.around(predict), watch.remarks)


def _predict_script(
    image: NDArray,
    scribbles: NDArray,
    n_classes: int,
    rng: np.random.Generator,
    *,
    features: ConvolutionFeatures,
    forest: Callable[..., Any],
) -> ProbabilityMap:
    height, width = scribbles.shape
    responses = features(image)
    rows, columns = np.nonzero(scribbles != IGNORE_LABEL)
    train, labels = responses[:, rows, columns].T, scribbles[rows, columns]
    seeds = rng.integers(2**31, size=2)
    ranking = forest(random_state=int(seeds[0])).fit(train, labels)
    best = np.argsort(-ranking.feature_importances_)[:N_FEATURES]
    final = forest(random_state=int(seeds[1])).fit(train[:, best], labels)
    probs = final.predict_proba(responses[best].reshape(len(best), -1).T)
    return _as_map(probs.T.reshape(-1, height, width), final.classes_, n_classes)


class FallbackWatch(logging.Handler):
    """Counts which calls scikit-learn-intelex ran itself and which it gave to scikit-learn."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.accelerated = self.fallen_back = 0

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        self.accelerated += "running accelerated version" in message
        self.fallen_back += "fallback to original" in message

    def around(self, predict: Predict) -> Predict:
        """The same function, its log messages counted instead of printed."""

        def watched(*args: Any) -> ProbabilityMap:
            logger = logging.getLogger("sklearnex")
            level, handlers = logger.level, logger.handlers
            logger.setLevel(logging.INFO)
            logger.handlers, logger.propagate = [self], False
            try:
                return predict(*args)
            finally:
                logger.setLevel(level)
                logger.handlers, logger.propagate = handlers, True

        return watched

    def remarks(self) -> list[str]:
        if not self.accelerated + self.fallen_back:
            return ["it logged nothing: not verified"]
        return [
            f"{self.accelerated} calls accelerated, {self.fallen_back} fell back to scikit-learn"
        ]


# napari-convpaint, scikit-image


def convpaint(weights: Path | None, *, alias: str, use_rf: bool) -> Peer:
    """Convpaint's model by its alias, with its own defaults for all else."""
    model_class = _convpaint_model_class()
    remark = []
    if weights is not None:
        path = _weight_file(weights, VGG_FILE)
        extractors = importlib.import_module("napari_convpaint.feature_extractors.nnlayers")
        extractors.Hookmodel.create_model = staticmethod(lambda name: _vgg16_from_file(path))
        remark = [f"VGG-16 from {VGG_FILE}, folded into torchvision's form"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extractors whose packages are missing
            model = model_class(alias)
    except ValueError as error:  # it wraps whatever its download raises
        raise NotAvailableError(str(error)) from error
    predict = partial(_predict_convpaint, model=model, use_rf=use_rf)
    classifier = "random forest" if use_rf else "CatBoost"
    return Peer(f"convpaint {alias}, {classifier}", CORES, predict, lambda: remark)


def _convpaint_model_class() -> Any:
    """ConvpaintModel, without the napari widget (and Qt) that its package imports beside it."""
    import_torchvision()
    widget = "napari_convpaint.convpaint_widget"
    if widget not in sys.modules:
        sys.modules[widget] = types.ModuleType(widget)
        sys.modules[widget].ConvpaintWidget = None  # type: ignore[attr-defined]
    return _imported("napari_convpaint", "napari-convpaint").ConvpaintModel


def _vgg16_from_file(path: Path) -> torch.nn.Module:
    """torchvision's VGG-16 with the first layers from a file made for Caffe's input.

    Notes
    -----
    torchvision's input is x = (rgb / 255 - mean) / std, so that a filter w on RGB in 0..255 is
    255 std w on x, and the bias grows by 255 sum w mean. Layers that the file lacks keep random
    weights; Convpaint stops at the last layer it needs.
    """
    network = import_torchvision().models.vgg16()
    network.classifier = torch.nn.Identity()
    target = INPUTS["torchvision"]
    mean, std = np.array(target.mean) / target.scale, np.array(target.std) / target.scale
    with np.load(path) as file, torch.no_grad():
        for number, name in VGG_LAYERS.items():
            weights, biases = file[f"{name}.weight"], file[f"{name}.bias"]
            if number == 0:
                weights, biases = on_rgb(weights, biases, INPUTS["caffe"])
                biases = biases + np.einsum("fcyx,c->f", weights, mean)
                weights = weights * std[:, None, None]
            network.features[number].weight.copy_(torch.from_numpy(np.float32(weights)))
            network.features[number].bias.copy_(torch.from_numpy(np.float32(biases)))
    return network.eval()


def _predict_convpaint(
    image: NDArray,
    scribbles: NDArray,
    n_classes: int,
    rng: np.random.Generator,
    *,
    model: Any,
    use_rf: bool,
) -> ProbabilityMap:
    grey = _is_grey(image)
    model.set_params(ignore_warnings=True, channel_mode="single" if grey else "rgb")
    planes = image[:, :, 0] if grey else np.moveaxis(image, 2, 0)
    with contextlib.redirect_stdout(io.StringIO()):  # CatBoost prints a line for each iteration
        model.train(
            planes, _from_one(scribbles), use_rf=use_rf, fe_use_device="cpu", clf_use_device="cpu"
        )
        probs = model.predict_probas(planes, fe_use_device="cpu")
    return _as_map(probs, np.ravel(model.classifier.classes_) - 1, n_classes)


def skimage_segmenter(weights: Path | None) -> Peer:
    return Peer("scikit-image TrainableSegmenter", CORES, _predict_skimage)


def _predict_skimage(
    image: NDArray, scribbles: NDArray, n_classes: int, rng: np.random.Generator
) -> ProbabilityMap:
    from skimage.feature import multiscale_basic_features
    from skimage.future import TrainableSegmenter

    grey = _is_grey(image)
    features = partial(multiscale_basic_features, channel_axis=None if grey else -1)
    segmenter = TrainableSegmenter(features_func=features)
    segmenter.clf.set_params(random_state=int(rng.integers(2**31)))
    segmenter.fit(image[:, :, 0] if grey else image, _from_one(scribbles))
    found = segmenter.features
    probs = segmenter.clf.predict_proba(found.reshape(-1, found.shape[2]))
    planes = probs.T.reshape(-1, *scribbles.shape)
    return _as_map(planes, segmenter.clf.classes_ - 1, n_classes)


def _from_one(scribbles: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Class ids from 1, with 0 for unlabelled."""
    return np.where(scribbles == IGNORE_LABEL, 0, scribbles.astype(np.int32) + 1)


def _is_grey(image: NDArray) -> bool:
    """Whether the three planes are one grey file's, which users give to these tools as one."""
    return bool(
        (image[:, :, 0] == image[:, :, 1]).all() and (image[:, :, 0] == image[:, :, 2]).all()
    )


def _as_map(probs: NDArray, classes: NDArray, n_classes: int) -> ProbabilityMap:
    return ProbabilityMap(np.asarray(probs, np.float32), classes.astype(np.int64), n_classes)


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotAvailableError(f"pip install {package} ({error})") from error


PEERS: dict[str, Callable[[Path | None], Peer]] = {
    "ours": ours,
    "ours-paper": ours_paper,
    "ours-position": ours_position,
    "ours-scales": ours_scales,
    "ours-sklearn": ours_sklearn,
    "sklearn-1": partial(sklearn_script, threads=1),
    "sklearn-2": partial(sklearn_script, threads=2),
    "intelex-1": partial(intelex_script, threads=1),
    "intelex-2": partial(intelex_script, threads=2),
    "convpaint": partial(convpaint, alias="vgg", use_rf=False),
    "convpaint-rf": partial(convpaint, alias="vgg", use_rf=True),
    "skimage": skimage_segmenter,
    "convpaint-m": partial(convpaint, alias="vgg-m", use_rf=False),
    "convpaint-m-rf": partial(convpaint, alias="vgg-m", use_rf=True),
}
"""Name: what makes the peer from the folder of weights."""

SLOW = ("convpaint-m", "convpaint-m-rf")
"""Peers that run only where they are named."""
