"""Filter banks by name or file, joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def joined_bank(names: list[str], order: str, weights_dir: str | None) -> tuple[Any, list[Any]]:
    """The joined filter bank, and the records of the files that it came from."""
    from wsstools.core.bank import FilterBank
    from wsstools.core.gabor import gabor_bank
    from wsstools.errors import UsageError
    from wsstools.io.bankfile import read_bank
    from wsstools.io.provenance import input_record

    if order.upper() not in ("RGB", "BGR"):
        raise UsageError(f"--filter-order {order}: expected RGB or BGR")
    banks, records = [], []
    for name in names:
        if name == "gabor":
            banks.append(gabor_bank())
        elif name in ("vgg16", "alexnet"):
            from wsstools.nn.banks import torchvision_bank

            banks.append(torchvision_bank(name, weights_dir))
        elif Path(name).is_file():
            bank, found = read_bank(Path(name), order=order.upper())
            banks.append(bank)
            records.append(input_record("filters", Path(name).name, found))
        else:
            raise UsageError(f"--filters {name}: neither gabor, vgg16 or alexnet nor a file")
    layers = tuple(layer for bank in banks for layer in bank.layers)
    return FilterBank("+".join(bank.name for bank in banks), layers), records
