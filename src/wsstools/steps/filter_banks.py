"""Filter banks by name or file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstools.nn.models.pretrained import PRETRAINED, TOGETHER

GABOR = "gabor"
_NETWORKS = [name for name, weights in PRETRAINED.items() if weights.filter_input]


def joined_bank(
    names: list[str], inputs: list[str], weights_dir: str | None, *, is_rectified: bool
) -> tuple[Any, list[Any]]:
    """The joined filter bank, and the records of the files that it came from."""
    from wsstools.core.local.filter_bank import FilterBank
    from wsstools.errors import UsageError

    if is_rectified and set(names) == {GABOR}:
        raise UsageError("--rectify: gabor has no rectifier; name a network's filters too")
    banks, records = chosen_banks(names, inputs, weights_dir, is_rectified=is_rectified)
    name = "+".join(bank.name for bank in banks) + (" rectified" if is_rectified else "")
    return FilterBank(name, tuple(layer for bank in banks for layer in bank.layers)), records


def chosen_banks(
    names: list[str], inputs: list[str], weights_dir: str | None, *, is_rectified: bool = False
) -> tuple[list[Any], list[Any]]:
    """The filter banks of these names and files, and the records of the files.

    Parameters
    ----------
    names : list of str
        Names of banks, or files.
    inputs : list of str
        What the networks of the files take: one for all, or one for each; empty: RGB.
    weights_dir : str or None
        Looked into before torch's cache.
    is_rectified : bool
        Responses of networks go through their rectifier.
    """
    from wsstools.core.local.filter_bank import FilterBank
    from wsstools.core.local.gabor import gabor_bank
    from wsstools.files.provenance import input_record
    from wsstools.formats.filter_weights.bank_files import read_bank, read_layer
    from wsstools.nn.models.pretrained import at_hand

    expanded = [one for name in names for one in TOGETHER.get(name, (name,))]
    filter_inputs = _inputs_of_files([name for name in expanded if _is_file(name)], inputs)
    banks, records = [], []
    for name in expanded:
        if name == GABOR:
            banks.append(gabor_bank())
        elif name in PRETRAINED:
            path = at_hand(name, weights_dir)
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
    from wsstools.errors import UsageError

    if name == GABOR or name in _NETWORKS:
        return False
    if not Path(name).is_file():
        known = ", ".join([GABOR, *_NETWORKS, *TOGETHER])
        raise UsageError(f"--filters {name}: no such file, and no bank; there are {known}")
    return True


def _inputs_of_files(files: list[str], inputs: list[str]) -> Any:
    """For each file what its network takes."""
    from wsstools.errors import UsageError
    from wsstools.formats.filter_weights.network_input import INPUTS

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
    return iter(inputs if len(inputs) > 1 else (inputs or ["rgb"]) * len(files))
