"""The global annotator model: maps of a trained network."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wsstools.core.compiled.processor import processor
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.map_operations import (
    adjust_prior,
    restricted,
    stored_without_improbable,
    weighted_shares,
    without_improbable,
)
from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import StoredMap
from wsstools.core.tiles import TileSettings, needs_tiles, tiles
from wsstools.errors import DataError, UsageError, naming
from wsstools.files.provenance import Json, parse_record
from wsstools.nn import predict
from wsstools.nn.device import chosen_device
from wsstools.nn.loaded import ModelFile, find_model, loaded_network
from wsstools.nn.models.model_files import ModelHeader
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.settings import GPU_BATCH, PRECISIONS, PredictionSettings
from wsstools.nn.tiled import pools_over_image, predict_tile
from wsstools.nn.training.schedules import msc_scales
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.class_shares import GivenShares, read_shares
from wsstools.steps.inputs import image_input, label_input

_COMMAND = "global-predict"
_TRAINING = "training"


def global_predict(
    images: str,
    out: str | Path,
    *,
    model: str,
    restrict_to: str | None = None,
    wanted: str | None = None,
    learned: str | None = None,
    power: float | None = None,
    settings: PredictionSettings = PredictionSettings(),
    tile_settings: TileSettings = TileSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Write the maps that a trained network predicts for a folder of images.

    Parameters
    ----------
    images : str
        A folder, a file, or `-` for paths on standard input.
    out : str or Path
        Folder of the maps; made if missing.
    model : str
        A model file of `train`.
    restrict_to : str or None
        Folder of scribbles: classes that are not scribbled in an image get probability 0 there.
    wanted : str or None
        Shares of the classes to which the maps are adjusted: `training`, those of the labels that
        the network was trained on, a folder of labels, or numbers with commas.
    learned : str or None
        With `wanted` other than `training`: the labels that the network was trained on, or their
        shares.
    power : float or None
        With `wanted`: how much of the change is made, 0 none, 1 (None) all of it.
    settings : PredictionSettings
        How the network looks at images, and what is kept of its maps.
    tile_settings : TileSettings
        Which images are computed in parts.
    run : RunSettings
        Which images, and how they are computed; on a GPU the workers are threads.

    Raises
    ------
    UsageError
        If settings contradict each other, or `out` holds outputs of another run.
    DataError
        If the model is damaged, or does not say how classes were weighted in its training.
    SomeFailed
        If an image failed; the others are done.
    """
    inputs = [image_input(images, run)]
    if restrict_to is not None:
        inputs.append(label_input(restrict_to, run, role="scribbles", is_optional=True))
    found = find_model(model, "--model")
    given = _given_shares(wanted, learned, power, run)
    predictor = _predictor(settings, tile_settings.tile, found)
    if given is not None:
        with naming(model):
            predictor = dataclasses.replace(predictor, adjustment=given.for_model(found.header))
    adjusted: dict[str, Json] = dict.fromkeys(("to", "from", "power"))
    step = Step(
        _COMMAND,
        {
            "scales": list(predictor.views.scales),
            "flip": predictor.views.flip,
            "restricted": restrict_to is not None,
            "floor": settings.floor,
            "precision": predictor.precision,
            "tile": predictor.tile,
            **(adjusted if given is None else given.options),
        },
        revision=2,
        unrecorded=adjusted,
        compute=partial(_compute, predictor=predictor),
        shared=[found.record],
        compute_together=partial(_compute_together, predictor=predictor),
        together=settings.batch or (GPU_BATCH if predictor.is_gpu else 1),
        depends_on_processor=not predictor.is_gpu,
    )
    n_threads = torch.get_num_threads()  # which workers in this process change
    try:
        run_step(step, inputs, out, _with_threads(run) if predictor.is_gpu else run)
    finally:
        torch.set_num_threads(n_threads)


@dataclass(frozen=True)
class _Adjustment:
    """Shares that a network learned from and those that are wanted, (C,), and how much of it."""

    learned: NDArray[np.float64]
    wanted: NDArray[np.float64]
    power: float


@dataclass(frozen=True)
class _Given:
    """The adjustment of class shares that was asked for; None: the shares of the training."""

    wanted: GivenShares | None
    learned: GivenShares | None
    power: float

    @property
    def options(self) -> dict[str, Json]:
        """What the record of a map says of it."""
        return {
            "to": _TRAINING if self.wanted is None else self.wanted.numbers,
            "from": None if self.learned is None else self.learned.numbers,
            "power": self.power,
        }

    def for_model(self, header: ModelHeader) -> _Adjustment:
        """It with the shares and class weights of a model.

        DataError if the model does not hold them, or the shares are of other classes.
        """
        n_classes, weights = header["n_classes"], header["class_weights"]
        meta = parse_record(header["meta"])
        if weights is None and meta is not None and meta["options"].get("class_balance"):
            raise DataError(
                "trained with --class-balance by a version of wss that did not keep the class "
                "weights, which --to needs; delete it and train it again"
            )
        try:
            # For the change back to the shares of the training, these may be any.
            shares = np.ones(n_classes) if self.learned is None else self.learned.of(n_classes)
            wanted = shares / shares.sum() if self.wanted is None else self.wanted.of(n_classes)
        except ValueError as error:
            raise DataError(str(error)) from error
        if weights is None:
            if self.wanted is None:
                say("trained without --class-balance: --to training changes nothing", _COMMAND)
            weights = [1.0] * n_classes
        return _Adjustment(weighted_shares(shares, np.array(weights)), wanted, self.power)


def _given_shares(
    wanted: str | None, learned: str | None, power: float | None, run: RunSettings
) -> _Given | None:
    """The adjustment that the options ask for; None: none."""
    if wanted is None:
        if learned is not None or power is not None:
            raise UsageError("--from and --power need --to")
        return None
    power = 1.0 if power is None else power
    if wanted == _TRAINING:
        if learned is not None:
            raise UsageError("--to training: leave --from out, only the class weights count")
        return _Given(None, None, power)
    if learned is None:
        raise UsageError(
            f"--to {wanted}: give the labels that the network was trained on with --from"
        )
    of_learned = read_shares(_COMMAND, "--from", learned, run)
    return _Given(read_shares(_COMMAND, "--to", wanted, run), of_learned, power)


def _with_threads(run: RunSettings) -> RunSettings:
    """Threads in place of processes, each of which would need the GPU's memory for itself."""
    return dataclasses.replace(run, backend="threading") if run.backend == "loky" else run


@dataclass(frozen=True)
class _Predictor:
    """All that a worker needs to know."""

    model: str
    model_digest: str
    device: str
    n_classes: int
    views: predict.Views
    floor: float
    precision: str
    tile: int
    adjustment: _Adjustment | None = None

    @property
    def is_gpu(self) -> bool:
        """Whether a GPU computes, which threads share."""
        return self.device.partition(":")[0] != "cpu"

    def maps(
        self, images: Sequence[NDArray[np.uint8]], classes: Sequence[NDArray[np.int64] | None]
    ) -> list[Computed]:
        """The maps of images of one size, each restricted to classes if there are some."""
        result: dict[str, Json] = {} if self.is_gpu else {"processor": processor()}
        if needs_tiles(images[0].shape[:2], self.tile):
            return [
                self._in_tiles(image, allowed, result)
                for image, allowed in zip(images, classes, strict=True)
            ]
        with self._network() as network:
            many = predict.predict_probs(
                network, np.stack(images), self.device, views=self.views, precision=self.precision
            )
        found = [self._finished(*pair) for pair in zip(many, classes, strict=True)]
        return [Computed(without_improbable(one, self.floor), result) for one in found]

    def _in_tiles(
        self, image: NDArray[np.uint8], allowed: NDArray[np.int64] | None, result: dict[str, Json]
    ) -> Computed:
        """The map of a large image, a tile after the other."""
        made = None
        # Larger than what regularizers take: networks see much more around a tile.
        parts = tiles(image.shape[:2], self.tile * 3 // 2, margin=0)
        for tile in parts:
            with self._network() as network:
                probs = predict_tile(
                    network, image, tile, self.device, views=self.views, precision=self.precision
                )
            found = self._finished(probs, allowed)
            made = made or StoredMap.blank(found.classes, found.n_classes, image.shape[:2])
            made.put(found.probs, tile.rows, tile.columns)
        assert made is not None  # an image has a tile
        kept = stored_without_improbable(made, self.floor)
        warning = (
            "the network pools over what it sees: a tile of the image, not all of it "
            "(--tile 0: no tiles)"
        )
        return Computed(
            kept, {**result, "tiles": len(parts)}, warning if pools_over_image(network) else None
        )

    @contextlib.contextmanager
    def _network(self) -> Iterator[SegmentationNetwork]:
        """The network, in this process; on a GPU for one thread at a time.

        Then the memory for one batch suffices for any number of threads.
        """
        torch.set_num_threads(1)  # so that the result does not depend on the number of workers
        network = loaded_network(self.model, self.model_digest, self.device)
        with _computing if self.is_gpu else contextlib.nullcontext():
            yield network

    def _finished(
        self, probs: NDArray[np.float32], allowed: NDArray[np.int64] | None
    ) -> ProbabilityMap:
        """What the network gives, as the map of the options, of all classes that are allowed."""
        found = ProbabilityMap(probs, np.arange(len(probs)), len(probs))
        if (change := self.adjustment) is not None:
            found = adjust_prior(found, change.learned, change.wanted, change.power)
        return found if allowed is None else restricted(found, allowed)


def _predictor(settings: PredictionSettings, tile: int, model: ModelFile) -> _Predictor:
    """The predictor of checked settings."""
    precision = settings.precision
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: expected one of {', '.join(PRECISIONS)}")
    if settings.msc and settings.scales is not None:
        raise UsageError("give one of --msc and --scales")
    device = chosen_device(settings.device)
    is_gpu = device.partition(":")[0] != "cpu"
    if precision == "auto":
        precision = "float16" if is_gpu else "float32"
    if precision == "float16" and not is_gpu:
        raise UsageError("--precision float16: a CPU is slow with it; bfloat16 is for CPUs too")
    scales = (
        msc_scales(model.header["arch"]) if settings.msc else _parsed_scales(settings.scales or "1")
    )
    return _Predictor(
        model=model.path,
        model_digest=model.digest,
        device=device,
        n_classes=model.header["n_classes"],
        views=predict.Views(scales, settings.flip or settings.msc),
        floor=settings.floor,
        precision=precision,
        tile=tile,
    )


def _parsed_scales(scales: str) -> tuple[float, ...]:
    try:
        numbers = [float(part) for part in scales.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0.05 <= number <= 10 for number in numbers):
        raise UsageError(f"--scales {scales}: expected numbers from 0.05 to 10, such as 0.5,1,1.5")
    return tuple(sorted(set(numbers)))


_computing = threading.Lock()


def _compute(*contents: NDArray[np.uint8], predictor: _Predictor) -> Computed:
    return _compute_together([contents], predictor=predictor)[0]


def _compute_together(
    many: Sequence[Sequence[NDArray[np.uint8]]], *, predictor: _Predictor
) -> list[Computed]:
    """Images of one size go through the network together, each with its scribbles if there are."""
    # Before the network, so that scribbles which do not fit cost their neighbours nothing.
    classes = [
        scribbled_pixels(pair[0], pair[1], predictor.n_classes).classes if pair[1:] else None
        for pair in many
    ]
    by_size: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, (image, *_) in enumerate(many):
        by_size[image.shape].append(number)
    computed: dict[int, Computed] = {}
    for numbers in by_size.values():
        found = predictor.maps(
            [many[number][0] for number in numbers], [classes[number] for number in numbers]
        )
        computed.update(zip(numbers, found, strict=True))
    return [computed[number] for number in range(len(many))]
