"""The Python of docs/python.md runs, block after block, on small data.

transformers is replaced by modules with the same interface, since its networks are downloads.
"""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from builders import REPOSITORY, code_blocks

import wsstools as wss
from wsstools.nn.training.schedules import SCHEDULES, TrainSettings
from wsstools.steps.demo_data import demo_data
from wsstools.steps.train import train

PAGE = REPOSITORY / "docs" / "python.md"
STEMS = ["train-000", "train-001"]
ARCH = "deeplabv2-mobilenetv2"


class Pretrained:
    """A processor or network that is made without weights."""

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def eval(self):
        return self


class ImageProcessor(Pretrained):
    def __call__(self, *, images, return_tensors):
        assert return_tensors == "pt"
        return {"pixel_values": torch.as_tensor(np.array(images)).permute(2, 0, 1)[None].float()}


class SemanticSegmenter(Pretrained):
    """150 logits at a quarter of the size, of which that of the sky is the largest."""

    def __call__(self, *, pixel_values):
        *_, height, width = pixel_values.shape
        logits = torch.zeros(1, 150, height // 4, width // 4)
        logits[:, 2] = 9
        return SimpleNamespace(logits=logits)


class SamProcessor(Pretrained):
    def __call__(self, image, *, input_points, return_tensors):
        points = torch.tensor(input_points)
        assert points.ndim == 4 and points.shape[-1] == 2
        height, width = image.shape[:2]
        assert (points < torch.tensor([width, height])).all()
        sizes = torch.tensor([[height, width]])
        return {"input_points": points, "original_sizes": sizes, "reshaped_input_sizes": sizes}

    def post_process_masks(self, masks, original_sizes, reshaped_input_sizes, binarize=True):
        assert not binarize
        sizes = original_sizes.tolist()
        return [torch.nn.functional.interpolate(m, s) for m, s in zip(masks, sizes, strict=True)]


class SamModel(Pretrained):
    """The k-th mask has the logit k."""

    def __call__(self, *, input_points, multimask_output, **sizes):
        assert not multimask_output
        count = input_points.shape[1]
        levels = torch.arange(count, dtype=torch.float32).reshape(1, count, 1, 1, 1)
        return SimpleNamespace(pred_masks=levels.expand(1, count, 1, 256, 256))


def stand_in():
    module = ModuleType("transformers")
    module.AutoImageProcessor = ImageProcessor
    module.AutoModelForSemanticSegmentation = SemanticSegmenter
    module.SamProcessor, module.SamModel = SamProcessor, SamModel
    return module


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with the demo data and a model, which is also the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", stand_in())
    demo_data("data", n_train=2, n_val=1)
    train(
        "data/images",
        "data/scribbles",
        "baseline.pt",
        arch=ARCH,
        schedule=dataclasses.replace(SCHEDULES[ARCH], iterations=1, batch=1, crop=65),
        settings=TrainSettings(init="random", precision="float32"),
    )
    return tmp_path


@pytest.mark.slow
def test_the_blocks_of_the_page_run_in_order(study, bash):
    text = PAGE.read_text(encoding="utf-8")
    blocks = code_blocks(text, "python")
    assert len(blocks) >= 5
    names = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), names)

    assert names["labels"].shape == names["gt"].shape
    assert wss.score(names["labels"], names["gt"]).mean_iou > 0.5
    for folder in ("forest", "walker", "fused", "smooth", "segformer", "sam", "joined"):
        assert sorted(path.stem for path in (study / folder).glob("*.npz")) == STEMS
    sky = wss.read_map("segformer/train-000.npz").of_class(0)
    assert sky.min() > 0.9
    for block in code_blocks(text, "sh"):
        bash(block, study)
    assert len(list((study / "joined-labels").glob("*.png"))) == 2
    masks = wss.read_map("sam/train-000.npz")
    assert (wss.argmax(masks) == names["scribbles"][names["scribbles"] != 255].max()).all()
    assert masks.n_classes == wss.read_map("joined/train-000.npz").n_classes == 7


def test_the_table_of_the_page_has_every_public_name():
    text = PAGE.read_text(encoding="utf-8")
    for name in wss.__all__:
        assert f"`{name}" in text, name
