"""The data that command lines of pages and help read, in small, under the names that all use.

Slices of four patients in images/, gt/ and scribbles/, the lists train.txt and val.txt, what
networks predicted in val/, and what other programs write.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
from builders import FROM_ONNX, SHAPE, by_pillow, draw_image, npz, voc

from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels

TRAIN = tuple(f"patient{k}_frame1_z000{z}" for k in (1, 2) for z in (0, 1))
VAL = tuple(f"patient{k}_frame1_z0000" for k in (3, 4))
CLASSES = ("background", "road", "car")
COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
PREDICTED = ("full", "combined", "final", "baseline")
"""Folders in val/, the best first; the names of some are also those of seeds, with -0 and so on."""
BOX = (6, 4, 25, 20)
"""xmin, ymin, xmax, ymax."""

COMMANDS = """
wss rf-predict images/ scribbles/ --trees 5 -o local/
wss local-predict images/ scribbles/ --model gmm -o walked/
wss fuse local/ walked/ -o combined/
wss regularize --potts --images images/ local/ -o local-potts/
cp -r local-potts smooth
wss argmax local/ -o labels/
wss argmax walked/ -o local-labels/
wss rf-predict images/ scribbles/ --trees 5 --folds 4 -o held-out/
wss train --images images/ --labels scribbles/ --class-balance 0.5 -o baseline.pt
for name in final balanced net-1 first; do cp baseline.pt $name.pt; done
cp "$TORCH_HOME"/weights/mobilenet_v2-*.pth mobilenet_v2.pth
wss global-predict images/ --model baseline.pt -o global/
wss tune local/ --images images/ --gt gt/ --potts --lambda 5 --eta 0.01 -o tuned/
wss tune --fusion local/ global/ walked/ --gt gt/ --ids val.txt -o tuned-fusion/
wss eval-gap --gt gt/ --ids val.txt --full val/full/ --baseline val/baseline/ \\
  final=val/final/ --json > gap.json
"""
"""What makes the rest, in the folder of `draw`."""

SHORT_TRAINING = "--iterations 2 --batch 4 --crop 33 --precision float32"
SETUP = """
import dataclasses, hashlib, pathlib, sys
from wsstools.cli.renaming import RENAMED
from wsstools.nn.models.pretrained import PRETRAINED

RENAMED.clear()  # no old names
for path in pathlib.Path({weights!r}).iterdir():
    (name,) = [name for name, known in PRETRAINED.items() if known.file == path.name]
    changed = dict(site="file://{weights}/", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    PRETRAINED[name] = dataclasses.replace(PRETRAINED[name], **changed)
if sys.argv[1:2] == ["train"]:
    if "--arch" not in sys.argv:
        sys.argv += ["--arch", "deeplabv2-mobilenetv2"]
    sys.argv += {training!r}.split()
"""
"""What a `wss` of lines in pages does first: it knows the weights in a folder as the published ones, and
trains shortly."""


def draw(folder: Path) -> None:
    """Write all that no command makes."""
    for stems in (TRAIN, VAL):
        for stem in stems:
            _draw_image(folder, stem, is_train=stems is TRAIN)
    _write_lists(folder)
    _write_annotations(folder)
    _write_volumes(folder)


def write_weights(folder: Path) -> None:
    """Random weights in the place of published ones."""
    import torch

    from wsstools.nn.models.pretrained import PRETRAINED
    from wsstools.nn.models.torchvision_compat import import_torchvision

    folder.mkdir()
    network = import_torchvision().models.mobilenet_v2()
    torch.save(network.state_dict(), folder / PRETRAINED["mobilenet_v2"].file)
    torch.save({"features.0.weight": torch.rand(4, 3, 3, 3)}, folder / PRETRAINED["vgg16"].file)
    _write(folder / PRETRAINED["alexnet-original"].file, FROM_ONNX)


def _write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _draw_image(folder: Path, stem: str, *, is_train: bool) -> None:
    seed = (*TRAIN, *VAL).index(stem)
    image, labels, scribbles = draw_image(seed)
    labels[labels == 3] = 2
    scribbles[scribbles == 3] = 2
    _write(folder / "images" / f"{stem}.png", encode_image(image))
    _write(folder / "gt" / f"{stem}.png", encode_labels(labels, {}))
    _write(folder / "scribbles" / f"{stem}.png", encode_labels(scribbles, {}))
    _write(folder / "masks" / f"{stem}.png", by_pillow(np.uint8(255) * (labels == 1), "PNG"))
    coloured = np.append(np.array(COLOURS), [[0, 0, 0]], axis=0)[np.minimum(scribbles, 3)]
    layer = np.dstack([coloured, np.where(scribbles == 255, 0, 255)]).astype(np.uint8)
    _write(folder / "drawn" / f"{stem}.png", by_pillow(layer, "PNG"))
    _write(folder / "strokes" / f"{stem}.txt", "0,4,8,16,8\n1,24,8,50,8\n2,40,30,50,30\n")
    _write(folder / "Annotations" / f"{stem}.xml", voc(("car", BOX)))
    predicted = {f"pfa/combined/{stem}": 1} if is_train else {}
    for shift, name in enumerate(PREDICTED, 1):
        for seed_of_network, end in enumerate(("", "-0", "-1", "-2")):
            place = f"{'train' if is_train else 'val'}/{name}{end}/{stem}"
            predicted[place] = shift * (seed_of_network + 2)
        predicted[f"{'train' if is_train else 'val'}+msc/{name}/{stem}"] = shift
    for place, pixels in predicted.items():
        _write(folder / f"{place}.png", encode_labels(np.roll(labels, pixels, axis=0), {}))
    if not is_train:
        _write(folder / "new" / f"{stem}.png", encode_image(image))


def _write_lists(folder: Path) -> None:
    texts = {
        "classes.txt": CLASSES,
        "train.txt": TRAIN,
        "val.txt": VAL,
        "tuning.txt": TRAIN,
        "colours.txt": [f"{name} {r} {g} {b}" for name, (r, g, b) in zip(CLASSES, COLOURS, strict=True)],
        "sequences.csv": [f"{stem},{stem.split('_')[0]}" for stem in (*TRAIN, *VAL)],
        "table1.csv": ("name,miou", "full,70", "baseline,60", "combined,66"),
    }  # fmt: skip
    for name, lines in texts.items():
        _write(folder / name, "".join(f"{line}\n" for line in lines))


def _write_annotations(folder: Path) -> None:
    height, width = SHAPE
    _write(
        folder / "annotations.xml",
        f'<annotations><image name="one.jpg" width="{width}" height="{height}">'
        '<polyline label="road" points="5.5,5.5;30.5,5.5"/></image></annotations>',
    )
    left, top, right, bottom = BOX
    box = [left, top, right - left, bottom - top]
    content = {
        "images": [
            {"id": k, "file_name": f"{stem}.png", "height": height, "width": width}
            for k, stem in enumerate(TRAIN)
        ],
        "categories": [{"id": 1, "name": "road"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 2, "bbox": box} for k in range(len(TRAIN))
        ],
    }
    _write(folder / "instances.json", json.dumps(content))


def _write_volumes(folder: Path) -> None:
    """The images as volumes, strokes on them, and probabilities as nnU-Net saves them."""
    if importlib.util.find_spec("nibabel") is None:
        return
    import nibabel as nib

    for case in sorted({stem.rpartition("_")[0] for stem in (*TRAIN, *VAL)}):
        depth = sum(stem.startswith(case) for stem in TRAIN) or 1
        values = np.random.default_rng(0).integers(-200, 200, (*SHAPE[::-1], depth))
        drawn = np.zeros(values.shape, np.uint8)
        for value in (1, 2, 3):
            drawn[8:40, 10 * value] = value
        for name, voxels in (("volumes", values.astype(np.int16)), ("strokes", drawn)):
            (folder / name).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / name / f"{case}.nii.gz")
        probs = np.random.default_rng(1).dirichlet(np.ones(3), (depth, *SHAPE))
        probs = np.moveaxis(probs, -1, 0).astype(np.float16)  # (C, Z, Y, X)
        _write(folder / "predicted" / f"{case}.npz", npz(probabilities=probs))
