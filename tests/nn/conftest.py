"""What tests of networks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from nn.shallow import shallow_resnets

from wsstools.nn.models.torchvision_compat import import_torchvision


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread of torch: those that wait for each other are slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNets have a block or two a stage."""
    models = import_torchvision().models
    for name, made in shallow_resnets(models).items():
        monkeypatch.setattr(models, name, made)
