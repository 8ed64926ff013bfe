"""Filter banks by name or file, and the features that they give a local model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wsstools.core.local.filter_bank import FilterBank, extended, reductions
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.settings import FeatureSettings
from wsstools.errors import UsageError
from wsstools.files.provenance import InputRecord, Json, input_record
from wsstools.formats.filter_weights.bank_files import read_bank, read_layer
from wsstools.formats.filter_weights.network_input import INPUTS
from wsstools.nn.models.pretrained import PRETRAINED, TOGETHER, find_weights
from wsstools.running.messages import say

GABOR = "gabor"
_NETWORKS = [name for name, weights in PRETRAINED.items() if weights.filter_input]


def feature_bank(features: FeatureSettings) -> tuple[FilterBank, list[InputRecord]]:
    """The filter bank of a local model, and the records of the files that it came from.

    UsageError if a bank is not known, or the settings contradict each other.
    """
    names = features.filters or [GABOR]
    if features.rectify and set(names) == {GABOR}:
        raise UsageError("--rectify: gabor has no rectifier; name a network's filters too")
    banks, records = chosen_banks(
        names, features.filter_input or [], features.weights_dir, is_rectified=features.rectify
    )
    name = "+".join(bank.name for bank in banks) + (" rectified" if features.rectify else "")
    joined = FilterBank(name, tuple(layer for bank in banks for layer in bank.layers))
    return extended(joined, scales=_scales(features), position=features.position), records


def feature_record(features: FeatureSettings) -> dict[str, Json]:
    """What an output's record says of the features, beside the name of the bank."""
    return {"position": features.position, "scales": _scales(features)}


def _scales(features: FeatureSettings) -> list[int]:
    """By what the image is reduced, ascending."""
    try:
        return reductions(map(float, features.scales.split(",")))
    except ValueError as error:
        text = str(error) if str(error).startswith("scale ") else "expected numbers such as 1,0.5"
        raise UsageError(f"--scales {features.scales}: {text}") from None


def note_of_scales(features: FeatureSettings, command: str) -> None:
    """Say what factors of reduction are as sizes, where they were given as before."""
    if any(float(part) > 1 for part in features.scales.split(",")):
        sizes = ",".join(f"{1 / factor:.4g}" for factor in _scales(features))
        say(f"--scales are sizes now: {features.scales} is written {sizes}", command)


def chosen_banks(
    names: Sequence[str],
    inputs: Sequence[str],
    weights_dir: str | None,
    *,
    is_rectified: bool = False,
) -> tuple[list[FilterBank], list[InputRecord]]:
    """The filter banks of these names and files, and the records of the files.

    `inputs` say what the networks of the files take: once for all, once for each, or RGB.
    """
    expanded = [one for name in names for one in TOGETHER.get(name, (name,))]
    filter_inputs = _inputs_of_files([name for name in expanded if _is_file(name)], inputs)
    banks: list[FilterBank] = []
    records: list[InputRecord] = []
    for name in expanded:
        if name == GABOR:
            banks.append(gabor_bank())
        elif name in PRETRAINED:
            path = find_weights(name, weights_dir)
            layer = read_layer(
                path, filter_input=PRETRAINED[name].filter_input, is_rectified=is_rectified
            )
            banks.append(FilterBank(name, (layer,)))
        else:
            bank, found = read_bank(
                Path(name), filter_input=next(filter_inputs), is_rectified=is_rectified
            )
            banks.append(bank)
            records.append(input_record("filters", Path(name).name, found))
    return banks, records


def _is_file(name: str) -> bool:
    """Whether a name is that of a file, and not of a bank."""
    if name == GABOR or name in _NETWORKS:
        return False
    if not Path(name).exists():
        known = ", ".join([GABOR, *_NETWORKS, *TOGETHER])
        raise UsageError(f"--filters {name}: no such file, and no bank; there are {known}")
    return True


def _inputs_of_files(files: Sequence[str], inputs: Sequence[str]) -> Iterator[str]:
    """For each file what its network takes."""
    for name in inputs:
        if name not in INPUTS:
            raise UsageError(f"--filter-input {name}: expected one of {', '.join(INPUTS)}")
    if inputs and not files:
        raise UsageError("--filter-input says what the network of a file takes; no file is given")
    if len(inputs) > 1 and len(inputs) != len(files):
        raise UsageError(
            f"--filter-input is given {len(inputs)} times for {len(files)} files; "
            "give it once for all of them, or once for each"
        )
    return iter(inputs if len(inputs) > 1 else [*(inputs or ["rgb"])] * len(files))
