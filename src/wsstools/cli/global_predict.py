"""`wss global-predict`: the global annotator model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from wsstools.cli.options import Images, Out, StepOptions

_PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_GPU_BATCH = 8


def global_predict(
    images: Images,
    out: Out,
    run: StepOptions,
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="Model file that wss train wrote.")
    ],
    scales: Annotated[
        Optional[str],
        typer.Option(
            "--scales",
            metavar="X,X,...",
            help="Show the image at these sizes and average the probabilities. Default: 1.",
            show_default=False,
        ),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Show it mirrored too, at each size.")
    ] = False,
    msc: Annotated[
        bool,
        typer.Option(
            "--msc",
            help="--flip with the sizes published for the architecture: 0.5,0.75,1 for DeepLabV2, "
            "0.5,0.75,1,1.25,1.5,1.75 for PSPNet.",
        ),
    ] = False,
    restrict_to: Annotated[
        Optional[str],
        typer.Option(
            "--restrict-to",
            metavar="SCRIBBLES",
            help="Classes that are not scribbled in an image get probability 0 there; the others "
            "are brought back to sum 1.",
        ),
    ] = None,
    floor: Annotated[
        float,
        typer.Option(
            "--floor",
            metavar="P",
            min=0.0,
            max=0.5,
            help="Leave out the classes that are below P at every pixel of an image and the most "
            "probable at none. With k of them no probability changes by more than k P; a file "
            "cannot show less than 0.0005.",
        ),
    ] = 1e-4,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 or auto.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="Of the convolutions: float32, bfloat16, float16 (GPU only), or auto: float32 on "
            "a CPU, float16 on a GPU.",
        ),
    ] = "auto",
    batch: Annotated[
        Optional[int],
        typer.Option(
            "--batch",
            metavar="N",
            min=1,
            help="Most images of one size that go through the network at once; above 1 the last "
            f"bits of a map may depend on it. Default: 1, on a GPU {_GPU_BATCH}.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Predict the class probabilities of images with a trained network.

    The maps are of the size of the images and hold the classes that can occur in them. On a CPU
    each worker computes on one core, so that the result does not depend on --jobs. On a GPU the
    workers are threads that take turns at one network: while it computes for one, the others read
    images and compress maps. There the last bits of a map may depend on the images that went
    through the network with it.

    \b
    Examples:
      wss global-predict images/ --model baseline.pt -o global/
      wss global-predict images/ --model final.pt --msc -o maps/ |
        wss regularize --crf --images images/ - -o refined/ | wss argmax - -o labels/
    """
    from wsstools.errors import UsageError, naming
    from wsstools.files.provenance import digest, input_record, parse_record
    from wsstools.formats import image_files, label_files
    from wsstools.nn.device import chosen_device
    from wsstools.nn.models.model_files import read_model_header
    from wsstools.nn.training.schedules import msc_scales
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    if precision not in _PRECISIONS:
        raise UsageError(f"--precision {precision}: expected one of {', '.join(_PRECISIONS)}")
    if msc and scales is not None:
        raise UsageError("give one of --msc and --scales")
    path = Path(model)
    if not path.is_file():
        raise UsageError(f"--model {model}: no such file")
    data = path.read_bytes()
    with naming(model):
        header = read_model_header(data)
    found = digest(data)
    used = chosen_device(device)
    is_gpu = used.partition(":")[0] != "cpu"
    if precision == "auto":
        precision = "float16" if is_gpu else "float32"
    if precision == "float16" and not is_gpu:
        raise UsageError("--precision float16: a CPU is slow with it; bfloat16 is for CPUs too")
    shown = msc_scales(header["arch"]) if msc else _parsed(scales or "1")
    options = {
        "scales": list(shown),
        "flip": flip or msc,
        "restricted": restrict_to is not None,
        "floor": floor,
        "precision": precision,
    }
    predictor = _Predictor(
        model=str(path.resolve()),
        model_digest=found,
        n_classes=header["n_classes"],
        device=used,
        is_gpu=is_gpu,
        scales=tuple(shown),
        flip=flip or msc,
        floor=floor,
        precision=precision,
    )
    inputs = [
        Input("image", run.source(images, image_files.SUFFIXES, "image"), image_files.decode_image)
    ]
    if restrict_to is not None:
        source = run.source(restrict_to, label_files.SUFFIXES, "scribbles")
        inputs.append(Input("scribbles", source, label_files.decode_labels, is_optional=True))
    step = Step(
        "global-predict",
        "prob",
        partial(_compute, predictor=predictor),
        options=options,
        shared=[input_record("model", path.name, found, parse_record(header["meta"]))],
        compute_together=partial(_compute_together, predictor=predictor),
        together=batch or (_GPU_BATCH if is_gpu else 1),
    )
    run_step(step, inputs, out, (_with_threads(run) if is_gpu else run).settings())


def _with_threads(run: StepOptions) -> StepOptions:
    """Threads in place of processes, each of which would need the GPU's memory for itself."""
    return replace(run, backend="threading") if run.backend == "loky" else run


def _parsed(scales: str) -> list[float]:
    from wsstools.errors import UsageError

    try:
        numbers = [float(part) for part in scales.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0.05 <= number <= 10 for number in numbers):
        raise UsageError(f"--scales {scales}: expected numbers from 0.05 to 10, such as 0.5,1,1.5")
    return sorted(set(numbers))


@dataclass(frozen=True)
class _Predictor:
    """All that a worker needs to know."""

    model: str
    model_digest: str
    device: str
    is_gpu: bool
    n_classes: int
    scales: tuple[float, ...]
    flip: bool
    floor: float
    precision: str

    def probs(self, images: Any) -> Any:
        """Of one image, or of several of one size."""
        from wsstools.nn.predict import Views, predict_probs

        with _loading:  # threads that come while one loads wait for its network
            network = _network(self.model, self.model_digest, self.device)
        # On a GPU by turns: then the memory for one batch suffices for any number of threads.
        with _computing if self.is_gpu else contextlib.nullcontext():
            return predict_probs(
                network,
                images,
                self.device,
                views=Views(self.scales, self.flip),
                precision=self.precision,
            )


_loading = threading.Lock()
_computing = threading.Lock()


@lru_cache(maxsize=1)
def _network(model: str, model_digest: str, device: str) -> Any:
    """The network of a model file, loaded once per process."""
    import torch

    from wsstools.errors import DataError, naming
    from wsstools.files.provenance import digest
    from wsstools.nn.models.model_files import load_model
    from wsstools.nn.predict import fuse_batch_norm

    torch.set_num_threads(1)
    data = Path(model).read_bytes()
    if digest(data) != model_digest:
        raise DataError(f"{model} changed during the run")
    with naming(model):
        network: Any = fuse_batch_norm(load_model(data).network)
    return network.to(device, memory_format=torch.channels_last)


def _compute(image: Any, scribbles: Any = None, *, predictor: _Predictor) -> Any:
    (computed,) = _compute_together([(image, scribbles)], predictor=predictor)
    return computed


def _compute_together(many: Sequence[Sequence[Any]], *, predictor: _Predictor) -> list[Any]:
    """Images of one size go through the network together."""
    import numpy as np

    classes = [_scribbled(*contents, predictor=predictor) for contents in many]
    by_size: dict[tuple[int, ...], list[int]] = {}
    for number, (image, *_) in enumerate(many):
        by_size.setdefault(image.shape, []).append(number)
    computed: list[Any] = [None] * len(many)
    for numbers in by_size.values():
        probs = predictor.probs(np.stack([many[number][0] for number in numbers]))
        for number, of_image in zip(numbers, probs, strict=True):
            computed[number] = _computed(of_image, classes[number], predictor.floor)
    return computed


def _scribbled(image: Any, scribbles: Any = None, *, predictor: _Predictor) -> Any:
    """The classes scribbled in an image, or None where all are allowed.

    It comes before the network, so that scribbles which do not fit cost their neighbours nothing.
    """
    from wsstools.core.local.scribbled import scribbled_pixels

    if scribbles is None:
        return None
    return scribbled_pixels(image, scribbles, predictor.n_classes).classes


def _computed(probs: Any, classes: Any, floor: float) -> Any:
    import numpy as np

    from wsstools.core.map_operations import restricted, without_improbable
    from wsstools.core.maps import ProbabilityMap
    from wsstools.running.step import Computed

    found = ProbabilityMap(probs, np.arange(len(probs)), len(probs))
    if classes is not None:
        found = restricted(found, classes)
    return Computed(without_improbable(found, floor))
