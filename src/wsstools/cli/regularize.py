"""`wss regularize`: smooth maps along the edges of the image."""

from __future__ import annotations

from typing import Optional

from wsstools.cli.options import Crf, ImagesOption, Maps, Out, Potts
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.parameter import Given, optional_copy, parameter
from wsstools.core.potts.settings import PottsSettings
from wsstools.core.tiles import TileSettings
from wsstools.running.settings import RunSettings


@optional_copy(PottsSettings, CrfSettings)
class Parameters(Given):
    """The parameters of both methods."""


def regularize(
    maps: Maps,
    out: Out,
    parameters: Parameters,
    tiles: TileSettings,
    run: RunSettings,
    images: ImagesOption,
    potts: Potts = False,
    crf: Crf = False,
    params: Optional[str] = parameter(
        None,
        "Method and parameters as wss tune wrote them; options given too count more.",
        metavar="FILE",
    ),
) -> None:
    """Smooth maps along the edges of the image, by a Potts model or a fully connected CRF.

    --potts minimizes sum <-log P, M> + lambda sum g |grad M| over soft maps M, with
    g = exp(-eta |grad I|), to a stated duality gap; the record of each map holds it. The paper
    takes lambda 10 for local and combined maps, 50 for global ones. --crf is mean field
    inference over the classes that the map holds, by our own compiled code or, to compare, by
    pydensecrf. wss tune finds parameters for other data.

    \b
    Examples:
      wss regularize --potts --images images/ local/ -o local-potts/
      wss regularize --crf --images images/ combined/ -o combined-crf/
      wss regularize --params tuned/params.json --images images/ local/ -o local-tuned/
    """
    from wsstools.steps.regularize import chosen_settings, regularize

    settings = chosen_settings(potts=potts, crf=crf, params=params, given=parameters.given())
    regularize(maps, out, images=images, settings=settings, tiles=tiles, run=run)
