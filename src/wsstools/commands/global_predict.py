"""`wss global-predict`: the global annotator model."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from wsstools.commands._options import Images, Out, StepOptions


def global_predict(
    images: Images,
    out: Out,
    run: StepOptions,
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="Model file that wss train wrote.")
    ],
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 or auto.")
    ] = "auto",
) -> None:
    """Predict the class probabilities of images with a trained network.

    The maps are of the size of the images and hold all classes of the model. On the CPU each
    worker computes on one core, so that the result does not depend on --jobs.

    \b
    Example:
      wss global-predict images/ --model baseline.pt -o global/
    """
    from wsstools.errors import UsageError
    from wsstools.io import imagefile
    from wsstools.io.joined import Input
    from wsstools.io.provenance import digest, input_record, parse_record
    from wsstools.io.steps import Step, run_step
    from wsstools.nn.device import chosen_device
    from wsstools.nn.modelfile import read_model_header

    path = Path(model)
    if not path.is_file():
        raise UsageError(f"--model {model}: no such file")
    data = path.read_bytes()
    header = read_model_header(data)
    found = digest(data)
    step = Step(
        "global-predict",
        "prob",
        partial(
            _compute,
            model=str(path.resolve()),
            model_digest=found,
            device=chosen_device(device),
        ),
        options={},
        shared=[input_record("model", path.name, found, parse_record(header["meta"]))],
    )
    inputs = [
        Input("image", run.source(images, imagefile.SUFFIXES, "image"), imagefile.decode_image)
    ]
    run_step(step, inputs, out, run.settings())


@lru_cache(maxsize=1)
def _network(model: str, model_digest: str, device: str) -> Any:
    """The network of a model file, loaded once per worker."""
    import torch

    from wsstools.errors import DataError
    from wsstools.io.provenance import digest
    from wsstools.nn.modelfile import load_model

    torch.set_num_threads(1)
    data = Path(model).read_bytes()
    if digest(data) != model_digest:
        raise DataError(f"{model} changed during the run")
    return load_model(data).network.to(device)


def _compute(image: Any, *, model: str, model_digest: str, device: str) -> Any:
    import numpy as np

    from wsstools.core.maps import ProbabilityMap
    from wsstools.io.steps import Computed
    from wsstools.nn.predict import predict_probs

    probs = predict_probs(_network(model, model_digest, device), image, device)
    return Computed(ProbabilityMap(probs, np.arange(len(probs)), len(probs)))
